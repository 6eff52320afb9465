/**
 * Cleaning of single cells. What a rule cannot read it returns as null or as typed, never as a guess without a mark: the
 * caller keeps the cell and reports it.
 */

/** C0 and C1 controls, DEL, zero-width spaces, bidi controls, the mark U+FEFF. Joiners stay: Persian and Hindi names need them. */
const unseen = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u2028\u2029]/g
const unseenInLines = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2066-\u2069\ufeff]/g
/** What makes a cell need work at all: most need none. */
const beyondPlain = /[^\x20-\x7e]|^ | $|  /

/** One line: NFKC (full-width forms become half-width), controls and invisible characters out, runs of space one space. */
export function cleanLine(cell: string): string {
  if (!beyondPlain.test(cell)) return cell
  return squeeze(cell.normalize('NFKC'))
}

/**
 * One line that keeps its Chinese punctuation: full-width letters and digits become half-width, （） and 、 stay, as
 * company names and titles are written.
 */
export function cleanTitle(cell: string): string {
  if (!beyondPlain.test(cell)) return cell
  return squeeze(halfWidth(cell.normalize('NFC')))
}

/** Several lines, as typed but for line ends, controls and outer space. */
export function cleanText(cell: string): string {
  return cell.normalize('NFC').replace(/\r\n?/g, '\n').replace(unseenInLines, '').trim()
}

/** As typed, but for the controls no field may hold and the space around. */
export function cleanTyped(cell: string): string {
  return cell.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim()
}

/** ＡＢＣ１２３＠ and the ideographic space as ASCII; other full-width signs stay. */
export function halfWidth(text: string): string {
  return text.replace(/[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff0d\uff0e\uff20\uff06\uff3f]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0)).replaceAll('\u3000', ' ')
}

function squeeze(text: string): string {
  // Line ends and tabs are spaces, other controls nothing.
  return text.replace(/[\t\n\r\v\f\u2028\u2029\u0085]+/g, ' ').replace(unseen, '').replace(/\s+/g, ' ').trim()
}

/** `vip, 老客户；展会` as names, without repeats (case ignored). */
export function splitTags(cell: string): string[] {
  const seen = new Map<string, string>()
  for (const part of cell.split(/[,;|\n，；、]/)) {
    const tag = cleanLine(part)
    if (tag !== '' && !seen.has(tag.toLowerCase())) seen.set(tag.toLowerCase(), tag)
  }
  return [...seen.values()]
}

/**
 * Several addresses or numbers in one cell. A part that is no value of its own (`x`, a comma before an extension, a remark)
 * must not be cut off: `isWhole` says of each part whether it can stand alone; if one cannot, the cell is one value.
 */
export function splitValues(cell: string, isWhole: (part: string) => boolean): string[] {
  const text = cell.trim()
  if (text === '' || !/[,;|\n/，；、／]|\s或\s?/.test(text)) return text === '' ? [] : [text]
  const parts = text.split(/[,;|\n/，；、／]|\s或\s?/).map((p) => p.trim()).filter((p) => p !== '')
  return parts.length > 1 && parts.every(isWhole) ? parts : [text]
}

const yes = new Set(['true', 'yes', 'y', '1', 't', 'on', 'x', '是', '对', '有', '√', '✓', '✔', '勾选'])
const no = new Set(['false', 'no', 'n', '0', 'f', 'off', '否', '不', '无', '×', '✗', '未勾选'])

/** A yes-or-no cell; null when it is neither. */
export function readFlag(cell: string): boolean | null {
  const word = cleanLine(cell).toLowerCase()
  if (yes.has(word)) return true
  return no.has(word) ? false : null
}

export const stages = ['active', 'dormant', 'former'] as const
export type Stage = (typeof stages)[number]

const stageWords: Readonly<Record<Stage, readonly string[]>> = {
  active: ['active', 'current', 'customer', 'client', 'live', '活跃', '有效', '在用', '正常', '合作中', '现有客户', '在职'],
  dormant: ['dormant', 'inactive', 'sleeping', 'paused', '休眠', '沉睡', '不活跃', '暂停', '沉默'],
  former: ['former', 'churned', 'lost', 'ex-customer', 'left', 'past', '流失', '已流失', '前客户', '历史客户', '终止合作', '离职'],
}
const stageByWord = new Map(stages.flatMap((stage) => stageWords[stage].map((word) => [word, stage] as const)))

/** The stage a word means, or null. Temperatures (warm, cold, hot) are no stages: a cold lead may be an active contact. */
export function readStage(cell: string): Stage | null {
  return stageByWord.get(cleanLine(cell).toLowerCase()) ?? null
}
