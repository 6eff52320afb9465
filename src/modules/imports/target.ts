import { CHANNELS } from '../contact-points/index.ts'
import type { Stage } from './clean.ts'
import type { DateOrder } from './dates.ts'

/** Ways to reach a person that they may have closed. */
export type Channel = (typeof CHANNELS)[number]

/** A custom field an import brings along, in the words an administrator would declare it with. */
export interface CustomFieldProposal {
  /** `[a-z][a-z0-9_]*`, made from the column's name alone, so that the second import of a file meets the fields of the first. */
  key: string
  label: { en: string; zh: string }
  type: 'text'
  class: 'confidential' | 'personal' | 'sensitive'
  find: readonly ('text' | 'exact')[]
}

/** Why a column is not taken. Published words. */
export type NotTaken =
  /** Consent needs a notice, a time and a person who gave it; a column of yes and no has none of them and becomes none. */
  | 'consent-not-proven'
  /** Names a row of the old system that is not in this file. */
  | 'foreign-key'
  /** The old system's own count or score, to be counted anew here. */
  | 'derived'
  | 'secret'
  | 'unnamed'
  /** The map file says so. */
  | 'not-wanted'

const plain = ['fullName', 'firstName', 'middleName', 'lastName', 'title', 'companyName', 'city', 'note', 'stage', 'tags', 'source', 'collectedAt', 'nationalId', 'handles'] as const

export type Target =
  | { to: (typeof plain)[number] }
  | { to: 'email' | 'phone'; label: string }
  | { to: 'handle'; kind: string }
  | { to: 'doNotContact'; channel: Channel }
  | { to: 'custom' }
  | { to: 'none'; why: NotTaken }

export interface ColumnMapping {
  index: number
  name: string
  target: Target
  /** The custom field of this column: for `custom` its place, for the others where a value goes that its field cannot hold. */
  field: CustomFieldProposal
}

export type PresetName = 'generic' | 'sealbook' | 'hubspot' | 'salesforce' | 'zoho' | 'fxiaoke' | 'xiaoshouyi' | 'atomic'

export interface Mapping {
  preset: PresetName
  columns: readonly ColumnMapping[]
  /** Fields to declare before the first row; a row may ask for more (`extraFields` of `toContact`). */
  customFields: readonly CustomFieldProposal[]
  unmappedColumns: readonly string[]
  notTaken: readonly { column: string; why: NotTaken }[]
  /** Some column can name, write to or call a person; without one every row would be rejected. */
  identifying: boolean
  stages: Readonly<Record<string, Stage>>
  /** Null: by the country. */
  dates: DateOrder | null
  /** The file is an export of ours, whose cells were defused for spreadsheets. */
  undefuse: boolean
}

/**
 * The short form of a target: `fullName`, `email:work`, `phone:mobile`, `handle:wechat`, `doNotContact:email`,
 * `doNotContact` (all channels), `custom`, `none`. Null when it is none of them.
 */
export function parseTarget(words: string): Target | null {
  const [to = '', detail = ''] = words.split(':')
  const field = plain.find((name) => name === to)
  if (field) return detail === '' ? { to: field } : null
  if (to === 'email' || to === 'phone') return detail.length <= 40 ? { to, label: detail || 'other' } : null
  if (to === 'handle') return /^[a-z][a-z0-9-]{0,29}$/.test(detail) ? { to, kind: detail } : null
  if (to === 'doNotContact') {
    const channel = CHANNELS.find((name) => name === (detail || 'all'))
    return channel ? { to, channel } : null
  }
  if (words === 'custom') return { to: 'custom' }
  return words === 'none' ? { to: 'none', why: 'not-wanted' } : null
}

/** A cell that names channels, `email; sms`; null when any word of it is none. */
export function readChannels(cell: string): Channel[] | null {
  const found = cell.toLowerCase().split(/[;,，；、|\s]+/).filter((word) => word !== '').map((word) => CHANNELS.find((name) => name === word))
  return found.length > 0 && found.every((channel) => channel !== undefined) ? found : null
}
