import { z } from 'zod'
import { Problem } from '../../kernel/base/index.ts'
import { stages, type Stage } from './clean.ts'
import type { DateOrder } from './dates.ts'
import { headerWord } from './headers.ts'
import { parseTarget, type CustomFieldProposal, type PresetName, type Target } from './target.ts'

/** What a map file says, ready for `mapColumns`. */
export interface MapFile {
  preset: PresetName | 'auto'
  stages: Readonly<Record<string, Stage>>
  dates: DateOrder | null
  /** In the order of the header; undefined where the file says nothing. Throws Problem import-map-invalid for a column that is not there. */
  columns(header: readonly string[]): (ColumnOverride | undefined)[]
}

export interface ColumnOverride {
  target: Target
  field: Partial<CustomFieldProposal>
}

const shortTarget = z.string().refine((words) => parseTarget(words) !== null, { message: 'target-unknown' })
const label = z.string().trim().min(1).max(80)
const customTarget = z.strictObject({
  to: z.literal('custom'),
  key: z.string().regex(/^[a-z][a-z0-9_]{0,39}$/).refine((key) => !(key in Object.prototype), { message: 'reserved' }).optional(),
  label: z.union([label.transform((text) => ({ en: text, zh: text })), z.strictObject({ en: label, zh: label })]).optional(),
  class: z.enum(['confidential', 'personal', 'sensitive']).optional(),
  find: z.array(z.enum(['text', 'exact'])).max(2).optional(),
})
const schema = z.strictObject({
  version: z.literal(1),
  preset: z.enum(['auto', 'generic', 'sealbook', 'hubspot', 'salesforce', 'zoho', 'fxiaoke', 'xiaoshouyi', 'atomic']).default('auto'),
  columns: z.record(z.string().max(300), z.union([shortTarget, customTarget])).default({}),
  stages: z.record(z.string(), z.enum(stages)).default({}),
  dates: z.enum(['mdy', 'dmy']).optional(),
})

/**
 * Reads the JSON of `import contacts FILE --map MAP`. It changes only what it names; the rest stays as found by itself.
 *
 *     {
 *       "version": 1,
 *       "preset": "auto",                  or generic, sealbook, hubspot, salesforce, zoho, fxiaoke (纷享销客), xiaoshouyi (销售易), atomic
 *       "columns": {                       column name as in the file (case, spaces and punctuation do not matter) → target
 *         "Customer": "companyName",       fullName firstName middleName lastName title companyName city note stage tags source collectedAt nationalId handles
 *         "Tel": "phone:work",             email:LABEL phone:LABEL; labels are free: work, home, mobile, other, …
 *         "WeChat": "handle:wechat",       handle:KIND
 *         "No mail": "doNotContact:email", doNotContact:CHANNEL with email phone sms wechat post all
 *         "Notes": "custom",               a custom field, its key and label made from the column's name
 *         "Badge": {"to": "custom", "key": "badge", "label": {"en": "Badge", "zh": "工牌"}, "class": "personal", "find": ["exact"]},
 *         "Score": "none"                  not taken
 *       },
 *       "stages": {"warm": "active", "cold": "dormant"},   words of a column mapped to stage → active, dormant, former
 *       "dates": "dmy"                     order of 03/04/2024: mdy or dmy; without it the country's
 *     }
 *
 * No target makes a consent: that takes a notice and a person. Throws Problem import-map-invalid with the paths at fault.
 */
export function readMapFile(json: string): MapFile {
  const parsed = schema.safeParse(parseJson(json))
  if (!parsed.success) throw invalid(parsed.error.issues.map((issue) => ({ path: issue.path.map(String).join('.'), code: issue.code === 'custom' ? issue.message : issue.code.replaceAll('_', '-') })))
  const map = parsed.data
  return {
    preset: map.preset,
    stages: Object.fromEntries(Object.entries(map.stages).map(([word, stage]) => [word.trim().toLowerCase(), stage])),
    dates: map.dates ?? null,
    columns: (header) => place(map.columns, header),
  }
}

type ColumnWords = z.infer<typeof schema>['columns'][string]

function place(columns: Readonly<Record<string, ColumnWords>>, header: readonly string[]): (ColumnOverride | undefined)[] {
  const words = header.map(headerWord)
  const placed: (ColumnOverride | undefined)[] = header.map(() => undefined)
  const errors: { path: string; code: string }[] = []
  for (const [name, entry] of Object.entries(columns)) {
    const exact = header.indexOf(name)
    const at = exact >= 0 ? exact : words.indexOf(headerWord(name))
    if (at < 0) errors.push({ path: `columns.${name}`, code: 'column-missing' })
    else if (placed[at]) errors.push({ path: `columns.${name}`, code: 'column-repeated' })
    else if (typeof entry !== 'string' && entry.key && placed.some((p) => p?.field.key === entry.key)) errors.push({ path: `columns.${name}.key`, code: 'key-repeated' })
    else placed[at] = override(entry)
  }
  if (errors.length > 0) throw invalid(errors)
  return placed
}

function override(entry: ColumnWords): ColumnOverride {
  if (typeof entry === 'string') return { target: parseTarget(entry) ?? { to: 'custom' }, field: {} }
  const { to, key, label: words, class: protection, find } = entry
  // A sensitive field is never found through the lens.
  const findWords = protection === 'sensitive' ? [] : find
  return { target: { to }, field: { ...(key && { key }), ...(words && { label: words }), ...(protection && { class: protection }), ...(findWords && { find: findWords }) } }
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json.replace(/^\ufeff/, ''))
  } catch (cause) {
    throw invalid([{ path: '', code: 'not-json' }], cause)
  }
}

function invalid(errors: readonly { path: string; code: string }[], cause?: unknown): Problem {
  return new Problem('import-map-invalid', { errors, cause })
}
