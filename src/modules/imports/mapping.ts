import { pinyin } from 'pinyin-pro'
import { readStage } from './clean.ts'
import { genericWords, headerWord, labels, presets, recordIdWords, refusals, sensitiveWords, weakNames } from './headers.ts'
import type { MapFile } from './map-file.ts'
import { unreadable } from './problems.ts'
import { parseTarget, type ColumnMapping, type CustomFieldProposal, type Mapping, type PresetName, type Target } from './target.ts'

export interface MapOptions {
  preset?: PresetName | 'auto'
  /** Some good rows of the file: a column called "status" becomes the stage only if its values are stages. */
  sample?: readonly (readonly string[])[]
  /** What `readMapFile` read. */
  map?: MapFile
}

/**
 * Says of every column of the file where it goes: a field of the contact, a custom field, or not taken and why. Nothing is
 * left out in silence: columns = mapped + custom + `unmappedColumns`.
 */
export function mapColumns(header: readonly string[], options: MapOptions = {}): Mapping {
  const words = header.map(headerWord)
  const wanted = options.map?.preset ?? options.preset ?? 'auto'
  const preset = wanted === 'auto' ? findPreset(words) : wanted
  const lookUp = wordTable(preset)
  const guessed = words.map((word) => guess(word, lookUp))
  settleNames(words, guessed)
  settleTitles(words, guessed)
  settleSingles(guessed)
  settleStages(guessed, options.sample ?? [], header.length)
  const overrides = options.map?.columns(header) ?? []
  // Keys a person chose are theirs; the others make room.
  const keys = new Set(overrides.flatMap((o) => o?.field.key ?? []))
  const columns = header.map((name, index): ColumnMapping => {
    const override = overrides[index]
    const field = { ...proposal(name, words[index] ?? '', keys), ...override?.field }
    keys.add(field.key)
    return { index, name, target: override?.target ?? guessed[index] ?? { to: 'custom' }, field }
  })
  const notTaken = columns.flatMap(({ name, target }) => (target.to === 'none' ? [{ column: name, why: target.why }] : []))
  return {
    preset,
    columns,
    customFields: columns.filter((c) => c.target.to === 'custom').map((c) => c.field),
    unmappedColumns: notTaken.map((n) => n.column),
    notTaken,
    identifying: columns.some((c) => identifying.has(c.target.to)),
    stages: options.map?.stages ?? {},
    dates: options.map?.dates ?? null,
    undefuse: preset === 'sealbook',
  }
}

const identifying = new Set<Target['to']>(['fullName', 'firstName', 'lastName', 'email', 'phone'])

/** Throws Problem import-file-unreadable when no column can name, write to or call a person: then it is a table of something else. */
export function assertIdentifying(mapping: Mapping): void {
  if (!mapping.identifying) throw unreadable('no-identifying-column')
}

/** The system whose export this looks like: most of its signs, and at least two. */
function findPreset(words: readonly string[]): PresetName {
  const present = new Set(words)
  let best: PresetName = 'generic'
  let most = 1
  for (const name of ['sealbook', 'hubspot', 'salesforce', 'zoho', 'fxiaoke', 'xiaoshouyi', 'atomic'] as const) {
    const signs = presets[name].signs.split(' ').filter((sign) => present.has(sign)).length
    if (signs > most) {
      best = name
      most = signs
    }
  }
  return best
}

function wordTable(preset: PresetName): Map<string, Target> {
  const table = new Map<string, Target>()
  const all = preset === 'generic' ? [genericWords] : [genericWords, presets[preset].words]
  for (const words of all) {
    for (const [short, headers] of Object.entries(words)) {
      const target = parseTarget(short)
      if (!target) throw new Error(`header table: ${short} is no target`)
      for (const word of headers.split(' ')) table.set(word, target)
    }
  }
  return table
}

function guess(word: string, table: ReadonlyMap<string, Target>): Target {
  const refusal = refusals.find(([, pattern]) => pattern.test(word))
  if (refusal) return { to: 'none', why: refusal[0] }
  const known = table.get(word)
  if (known) return known
  // `Email 2`, `手机3`, `Phone 1 - Value`: several columns of a field that holds several values.
  const stem = word.replace(/\d+(?:value)?$/, '')
  const several = stem === word ? undefined : table.get(stem)
  return several && ['email', 'phone', 'tags', 'handle'].includes(several.to) ? several : { to: 'custom' }
}

/** 客户名称 is the firm where a column names the person, and the person where none does. */
function settleNames(words: readonly string[], targets: Target[]): void {
  if (targets.some((t) => t.to === 'fullName' || t.to === 'lastName' || t.to === 'firstName')) return
  const weak = weakNames.map((name) => words.indexOf(name)).find((at) => at >= 0)
  if (weak === undefined) return
  targets[weak] = { to: 'fullName' }
}

/** Beside a job title, a "title" is Mr or Dr. */
function settleTitles(words: readonly string[], targets: Target[]): void {
  if (!words.some((word, i) => targets[i]?.to === 'title' && word !== 'title')) return
  for (const [i, word] of words.entries()) if (word === 'title') targets[i] = { to: 'custom' }
}

/** A second note, city or number is a fact of its own, not a rival to be dropped. */
function settleSingles(targets: Target[]): void {
  for (const to of ['note', 'city', 'nationalId'] as const) {
    const first = targets.findIndex((t) => t.to === to)
    for (const [i, target] of targets.entries()) if (target.to === to && i !== first) targets[i] = { to: 'custom' }
  }
}

function settleStages(targets: Target[], sample: readonly (readonly string[])[], columns: number): void {
  for (let i = 0; i < columns; i++) {
    if (targets[i]?.to !== 'stage') continue
    const values = sample.map((cells) => cells[i] ?? '').filter((cell) => cell.trim() !== '')
    const known = values.filter((value) => readStage(value) !== null).length
    if (known === 0 || known * 2 < values.length) targets[i] = { to: 'custom' }
  }
}

function proposal(name: string, word: string, taken: ReadonlySet<string>): CustomFieldProposal {
  const exact = recordIdWords.has(word)
  const sensitive = sensitiveWords.test(word)
  // An export of ours names its custom fields by their keys.
  const own = /^custom\.([a-z][a-zA-Z0-9_]{0,39})$/.exec(name)?.[1]
  const base = own ?? (exact ? 'legacy_id' : fieldKey(name))
  let key = base
  for (let n = 2; taken.has(key) || key in Object.prototype; n++) key = `${base}_${n}`
  const find: CustomFieldProposal['find'] = sensitive ? [] : exact ? ['exact'] : ['text']
  const label = exact ? labels['id'] : Object.hasOwn(labels, word) ? labels[word] : undefined
  return { key, label: label ?? { en: fieldLabel(name), zh: fieldLabel(name) }, type: 'text', class: sensitive ? 'sensitive' : 'personal', find }
}

/** ASCII key of a column's name: Chinese by its pinyin, other letters without their accents. */
function fieldKey(name: string): string {
  const latin = /\p{Script=Han}/u.test(name) ? pinyin(name, { toneType: 'none', type: 'array', nonZh: 'consecutive' }).join(' ') : name
  const key = latin
    .normalize('NFKD')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^[_0-9]+|_+$/g, '')
  return key.slice(0, 36).replace(/_+$/, '') || 'column'
}

function fieldLabel(name: string): string {
  if (!/^[a-z0-9_]+$/.test(name)) return name.slice(0, 80)
  const words = name.replaceAll('_', ' ').trim()
  return (words.charAt(0).toUpperCase() + words.slice(1)).slice(0, 80)
}
