import type { CountryCode } from 'libphonenumber-js/max'
import type { Stage } from './clean.ts'
import type { Channel, CustomFieldProposal } from './target.ts'

/** A contact as a row of a file gives it, in the shape the contacts module takes. */
export interface ContactDraft {
  fullName: string | null
  emails: { value: string; label: string }[]
  phones: { value: string | null; typed: string; digits: string; extension: string | null; label: string; valid: boolean }[]
  handles: { kind: string; value: string }[]
  companyName: string | null
  title: string | null
  city: string | null
  note: string | null
  nationalId: string | null
  stage: Stage
  tags: string[]
  source: string
  collectedAt: string | null
  doNotContact: Channel[]
  custom: Record<string, string>
}

export type CellCode =
  | 'email-invalid'
  | 'phone-invalid'
  | 'date-unreadable'
  | 'date-ambiguous'
  | 'stage-unknown'
  | 'flag-unclear'
  | 'handle-unclear'
  /** Bullets of another system (or of this one) in the value's place: no number to call, no address to write to. */
  | 'value-masked'
  | 'value-too-long'
  | 'too-many-values'
  /** Two columns give one field different values: the first was taken. */
  | 'second-value'
  | 'nothing-identifying'

export interface CellProblem {
  row: number
  column: string | null
  code: CellCode
}

export interface RowOptions {
  /** The plan bare phone numbers are read in; also says how 03/04/2024 and a time without a zone are read. */
  country: CountryCode
  /** Where the data came from, asked once per import; a source column of the row goes before. */
  source: string
}

export interface RowResult {
  /** Null: rejected, because nothing in the row names, writes to or calls anybody. */
  contact: ContactDraft | null
  problems: CellProblem[]
  /** Custom fields that hold what a field of this row could not; often none. */
  extraFields: readonly CustomFieldProposal[]
}

/** The most a field holds (contacts.entity); what does not fit goes whole to the column's custom field. */
export const limits = { fullName: 200, title: 200, companyName: 200, city: 100, note: 10_000, nationalId: 32, source: 80, tag: 60, email: 254, phone: 60, handle: 300 }
export const most = { emails: 20, phones: 20, handles: 20, tags: 50 }

/** What exports write into cells that hold nothing. A field takes them for empty; a custom field keeps them as typed. */
export const blanks = new Set(['', '-', '--', '—', '——', '/', '\\N', 'NULL', 'N/A', 'n/a', '#N/A', '无', '暂无'])
