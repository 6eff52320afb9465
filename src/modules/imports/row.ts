import { normaliseEmail, parsePhone } from '../contact-points/index.ts'
import { cleanLine, cleanText, cleanTitle, cleanTyped, readFlag, readStage, splitTags, splitValues } from './clean.ts'
import { undefuseCsvCell } from './csv-out.ts'
import { readDate, type DateOrder } from './dates.ts'
import { blanks, limits, most, type CellCode, type CellProblem, type ContactDraft, type RowOptions, type RowResult } from './draft.ts'
import { joinName } from './names.ts'
import { readChannels, type Channel, type ColumnMapping, type CustomFieldProposal, type Mapping } from './target.ts'

export type { CellCode, CellProblem, ContactDraft, RowOptions, RowResult } from './draft.ts'

/**
 * Makes a contact of a row. Every cell ends in a field, in `custom`, or under a column listed as not taken: what a field cannot
 * hold or nobody can read goes as typed to a custom field of the column's own, with a problem that names row and column.
 * `row.cells` stand in the order of the mapping's columns.
 */
export function toContact(row: { row: number; cells: readonly string[] }, mapping: Mapping, options: RowOptions): RowResult {
  const work = new RowWork(row.row, mapping, options)
  for (const column of mapping.columns) {
    const cell = row.cells[column.index] ?? ''
    if (cell !== '') work.take(column, mapping.undefuse ? undefuseCsvCell(cell) : cell)
  }
  return work.result()
}

/** `138****5678` is what somebody was allowed to see, not a number. */
const masked = /[*＊•●]{2,}/

class RowWork {
  readonly #row: number
  readonly #mapping: Mapping
  readonly #options: RowOptions
  readonly #problems: CellProblem[] = []
  readonly #extra: CustomFieldProposal[] = []
  readonly #draft: ContactDraft
  readonly #names: { column: ColumnMapping; part: 'firstName' | 'middleName' | 'lastName'; value: string }[] = []
  #stageSeen = false
  #sourceSeen = false

  constructor(row: number, mapping: Mapping, options: RowOptions) {
    this.#row = row
    this.#mapping = mapping
    this.#options = options
    this.#draft = {
      fullName: null, emails: [], phones: [], handles: [], companyName: null, title: null, city: null, note: null, nationalId: null,
      stage: 'active', tags: [], source: options.source, collectedAt: null, doNotContact: [], custom: {},
    }
  }

  result(): RowResult {
    const draft = this.#draft
    this.#joinNames()
    const named = draft.fullName !== null || draft.emails.length > 0 || draft.phones.some((p) => p.digits.length >= 3)
    if (!named) this.#report(null, 'nothing-identifying')
    return { contact: named ? draft : null, problems: this.#problems, extraFields: named ? this.#extra : [] }
  }

  take(column: ColumnMapping, cell: string): void {
    const { target } = column
    if (target.to === 'none') return
    if (target.to === 'custom') return this.#custom(column, cell)
    if (blanks.has(cell.trim())) return
    if (target.to === 'nationalId' && masked.test(cell)) return this.#keep(column, cell, 'value-masked')
    switch (target.to) {
      case 'fullName':
      case 'nationalId':
        return this.#single(column, target.to, cleanLine(cell), cell)
      case 'title':
      case 'companyName':
      case 'city':
        return this.#single(column, target.to, cleanTitle(cell), cell)
      case 'note':
        return this.#single(column, target.to, cleanText(cell), cell)
      case 'firstName':
      case 'middleName':
      case 'lastName':
        return this.#name(column, target.to, cleanLine(cell), cell)
      case 'email':
        return this.#emails(column, target.label, cell)
      case 'phone':
        return this.#phones(column, target.label, cell)
      case 'handle':
        return this.#handle(column, target.kind, cell, cell)
      case 'handles':
        return this.#handles(column, cell)
      case 'doNotContact':
        return this.#closed(column, target.channel, cell)
      case 'tags':
        return this.#tags(column, cell)
      case 'stage':
        return this.#stage(column, cell)
      case 'source':
        return this.#source(column, cell)
      case 'collectedAt':
        return this.#collected(column, cell)
    }
  }

  #report(column: ColumnMapping | null, code: CellCode): void {
    const name = column?.name ?? null
    if (!this.#problems.some((p) => p.column === name && p.code === code)) this.#problems.push({ row: this.#row, column: name, code })
  }

  /** Keeps a cell whole in the custom field of its column, and says why. */
  #keep(column: ColumnMapping, cell: string, code: CellCode): void {
    this.#report(column, code)
    if (!this.#extra.includes(column.field)) this.#extra.push(column.field)
    this.#draft.custom[column.field.key] = cleanText(cell)
  }

  #custom(column: ColumnMapping, cell: string): void {
    const value = cleanText(cell)
    if (value !== '') this.#draft.custom[column.field.key] = value
  }

  #single(column: ColumnMapping, field: 'fullName' | 'title' | 'companyName' | 'city' | 'note' | 'nationalId', value: string, cell: string): void {
    const present = this.#draft[field]
    if (value === '' || value === present) return
    if (present !== null) this.#keep(column, cell, 'second-value')
    else if (value.length > limits[field]) this.#keep(column, cell, 'value-too-long')
    else this.#draft[field] = value
  }

  #name(column: ColumnMapping, part: 'firstName' | 'middleName' | 'lastName', value: string, cell: string): void {
    const rival = this.#names.find((n) => n.part === part)
    if (!rival) this.#names.push({ column, part, value })
    else if (rival.value !== value) this.#keep(column, cell, 'second-value')
  }

  #joinNames(): void {
    if (this.#names.length === 0) return
    const part = (name: string) => this.#names.find((n) => n.part === name)?.value ?? ''
    const joined = joinName(part('firstName'), part('lastName'), part('middleName'))
    const present = this.#draft.fullName
    if (present === null && joined.length <= limits.fullName) {
      this.#draft.fullName = joined === '' ? null : joined
      return
    }
    // The parts say no more than the whole where all of them stand in it.
    for (const { column, value } of this.#names) {
      if (present === null || !present.toLowerCase().includes(value.toLowerCase())) this.#keep(column, value, present === null ? 'value-too-long' : 'second-value')
    }
  }

  #emails(column: ColumnMapping, label: string, cell: string): void {
    const { emails } = this.#draft
    for (const part of splitValues(cell, (text) => text.includes('@'))) {
      const value = normaliseEmail(part)
      if (masked.test(part)) this.#keep(column, cell, 'value-masked')
      else if (value === null) this.#keep(column, cell, 'email-invalid')
      else if (emails.some((e) => e.value === value)) continue
      else if (emails.length >= most.emails) this.#keep(column, cell, 'too-many-values')
      else emails.push({ value, label })
    }
  }

  #phones(column: ColumnMapping, label: string, cell: string): void {
    const { phones } = this.#draft
    const { country } = this.#options
    const whole = (text: string) => text.replace(/[^0-9０-９]/g, '').length >= 5
    for (const part of splitValues(cell, whole)) {
      const { tail4, ...phone } = parsePhone(cleanTyped(part), country)
      if (masked.test(part)) this.#keep(column, cell, 'value-masked')
      else if (tail4 === '') this.#keep(column, cell, 'phone-invalid')
      else if (phones.some((p) => samePhone(p, phone))) continue
      else if (phone.typed.length > limits.phone) this.#keep(column, cell, 'value-too-long')
      else if (phones.length >= most.phones) this.#keep(column, cell, 'too-many-values')
      else {
        if (!phone.valid) this.#report(column, 'phone-invalid')
        phones.push({ ...phone, label })
      }
    }
  }

  /** `wechat:wxm; linkedin:…`, as an export of ours writes them. */
  #handles(column: ColumnMapping, cell: string): void {
    for (const part of cell.split(/;\s+/)) {
      const [, kind = '', value = ''] = /^([a-z][a-z0-9-]{0,29}):(.*)$/s.exec(part.trim()) ?? []
      if (kind === '') this.#keep(column, cell, 'handle-unclear')
      else this.#handle(column, kind, value, cell)
    }
  }

  #handle(column: ColumnMapping, kind: string, typed: string, cell: string): void {
    const { handles } = this.#draft
    const value = cleanLine(typed)
    if (value === '' || handles.some((h) => h.kind === kind && h.value === value)) return
    if (value.length > limits.handle) this.#keep(column, cell, 'value-too-long')
    else if (handles.length >= most.handles) this.#keep(column, cell, 'too-many-values')
    else handles.push({ kind, value })
  }

  /** A word nobody can read in a column of refusals is honoured as a refusal, and kept. */
  #closed(column: ColumnMapping, channel: Channel, cell: string): void {
    const flag = readFlag(cell)
    if (flag === false) return
    const named = flag === null ? readChannels(cell) : null
    if (flag === null && named === null) this.#keep(column, cell, 'flag-unclear')
    for (const closed of named ?? [channel]) if (!this.#draft.doNotContact.includes(closed)) this.#draft.doNotContact.push(closed)
  }

  #tags(column: ColumnMapping, cell: string): void {
    const { tags } = this.#draft
    const added = splitTags(cell).filter((tag) => !tags.some((t) => t.toLowerCase() === tag.toLowerCase()))
    const fits = added.filter((tag) => tag.length <= limits.tag).slice(0, most.tags - tags.length)
    if (fits.length < added.length) this.#keep(column, cell, added.some((tag) => tag.length > limits.tag) ? 'value-too-long' : 'too-many-values')
    tags.push(...fits)
  }

  #stage(column: ColumnMapping, cell: string): void {
    const word = cleanLine(cell).toLowerCase()
    const stage = (Object.hasOwn(this.#mapping.stages, word) ? this.#mapping.stages[word] : undefined) ?? readStage(word)
    if (stage === null) return this.#keep(column, cell, 'stage-unknown')
    if (this.#stageSeen && stage !== this.#draft.stage) return this.#keep(column, cell, 'second-value')
    this.#stageSeen = true
    this.#draft.stage = stage
  }

  #source(column: ColumnMapping, cell: string): void {
    const value = cleanTitle(cell)
    if (value.length > limits.source) return this.#keep(column, cell, 'value-too-long')
    if (this.#sourceSeen && value !== this.#draft.source) return this.#keep(column, cell, 'second-value')
    this.#sourceSeen = true
    this.#draft.source = value
  }

  #collected(column: ColumnMapping, cell: string): void {
    const { country } = this.#options
    const order: DateOrder = this.#mapping.dates ?? (country === 'US' ? 'mdy' : 'dmy')
    // China keeps one time in all its zones; elsewhere a bare time does not say which.
    const date = readDate(cell, order, country === 'CN' ? 480 : 0)
    const present = this.#draft.collectedAt
    if (date === null) this.#keep(column, cell, 'date-unreadable')
    else if (present !== null && present !== date.at) this.#keep(column, cell, 'second-value')
    else {
      if (date.ambiguous && this.#mapping.dates === null) this.#report(column, 'date-ambiguous')
      this.#draft.collectedAt = date.at
    }
  }
}

function samePhone(a: { value: string | null; digits: string; extension: string | null }, b: { value: string | null; digits: string; extension: string | null }): boolean {
  return a.extension === b.extension && (a.value ?? a.digits) === (b.value ?? b.digits)
}
