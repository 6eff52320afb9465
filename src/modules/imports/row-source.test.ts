import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { uuidv7 } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { openLens, type Lens, type LensQuery } from '../../kernel/lens/index.ts'
import { Company } from '../companies/index.ts'
import { Contact } from '../contacts/index.ts'
import { lensTable } from '../records/index.ts'
import { mapColumns } from './mapping.ts'
import { inspectCsv, type CsvSource } from './read/index.ts'
import type { ForLens } from './row-thread.ts'
import { rowSource, type RowSource } from './row-source.ts'
import { takenRows, type RowsWords, type TakenRow } from './rows.ts'

const ROWS = 2_600
const line = (n: number): string => {
  if (n % 97 === 0) return `"never closed ${n},x@example.com,1`
  if (n % 89 === 0) return `ragged ${n}`
  if (n % 83 === 0) return ',,,,,'
  return `王小明${n},p${n}@example.com,${n % 5 === 0 ? '138001380' : `1380013${String(n).padStart(4, '0')}`},${n % 7 === 0 ? '\u{20000}🀄' : `Firm ${n}`},2024-0${n % 12}-05,"note ""${n}"""`
}
const text = ['姓名,邮箱,手机,公司,创建时间,备注', ...Array.from({ length: ROWS }, (_, n) => line(n))].join('\n')
const sourceOf = (bytes: Uint8Array, size = 10_000): CsvSource => async function* () {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
const whole = sourceOf(Buffer.from(text))

async function wordsOf(open: CsvSource): Promise<RowsWords> {
  const profile = await inspectCsv(open)
  return { profile, mapping: mapColumns(profile.header, { sample: profile.sample }), options: { country: 'CN', source: 'test' } }
}

async function all(batches: AsyncGenerator<TakenRow[]>): Promise<TakenRow[]> {
  const out: TakenRow[] = []
  for await (const batch of batches) out.push(...batch)
  return out
}

const open: RowSource[] = []
const made = (from: CsvSource, words: RowsWords): RowSource => {
  const source = rowSource(from, words)
  open.push(source)
  return source
}
afterEach(async () => {
  for (const source of open.splice(0)) await source.close()
})

describe('rows read and cleaned on a thread', () => {
  test('are the same, in the same order, as read here', async () => {
    const words = await wordsOf(whole)
    const here = await all(takenRows(whole, words))
    expect(here.filter((r) => r.contact === null).length).toBeGreaterThan(50)
    expect(here.filter((r) => r.problems.length > 0).length).toBeGreaterThan(50)
    expect(here.length).toBe(words.profile.rows)
    expect(await all(made(whole, words).batches())).toEqual(here)
  })

  test('of a file that is another one now end in the same refusal', async () => {
    const words = await wordsOf(whole)
    const refusal = { code: 'import-file-unreadable', extra: { reason: 'changed-while-read' } }
    await expect(all(made(sourceOf(Buffer.from(text.slice(0, 60_000))), words).batches())).rejects.toMatchObject(refusal)
    await expect(all(made(sourceOf(Buffer.from(`x${text}`)), words).batches())).rejects.toMatchObject(refusal)
  })

  test('of a file that cannot be read on end in its error', async () => {
    const words = await wordsOf(whole)
    const broken: CsvSource = async function* () {
      yield Buffer.from(text.slice(0, 20_000))
      throw new Error('the seal of a piece is broken')
    }
    await expect(all(made(broken, words).batches())).rejects.toThrow('the seal of a piece is broken')
  })

  test('nobody waits for are not read to the end', async () => {
    let given = 0
    const counted: CsvSource = async function* () {
      for (let n = 0; ; n++) {
        given++
        yield Buffer.from(n === 0 ? text : `${Array.from({ length: 500 }, (_, k) => line(500 * n + k + 1)).join('\n')}\n`)
      }
    }
    const source = made(counted, await wordsOf(whole))
    const batches = source.batches()
    await batches.next()
    for (let before = -1; before !== given; await new Promise((resolve) => setTimeout(resolve, 200))) before = given
    expect(given).toBeLessThan(20)
    await source.close()
    await expect(all(batches)).rejects.toMatchObject({ code: 'shutting-down' })
  })
})

describe("the lens's rows made on a thread", () => {
  let lenses: Lens[]
  beforeEach(async () => {
    lenses = await Promise.all([0, 1].map(() => openLens({ tables: [Company, Contact].map(lensTable), memoryLimitMb: 200 })))
  })
  afterEach(async () => {
    for (const lens of lenses) await lens.close()
  })

  const place = uuidv7()
  const record = (n: number): AnyRecord => ({
    id: uuidv7(), version: 1, createdAt: '2026-11-24T10:00:00.000Z', updatedAt: '2026-11-24T10:00:00.000Z', deletedAt: null, ownerId: place, departmentId: place, custom: { seat: `row ${n}` },
    fullName: n % 2 ? `王小明${n}` : `Zoë \ud800 ${n}`, emails: [{ value: `p${n}@example.com`, label: '' }], phones: [], handles: [], companyId: null, title: null, city: '北京', note: null, stage: 'active', tags: ['VIP'], source: 'test', collectedAt: null, doNotContact: [], nationalId: null,
  })

  test('are the same as made here', async () => {
    const words = await wordsOf(whole)
    const few: RowsWords = { ...words, profile: { ...words.profile, rows: 10 } }
    const records = Array.from({ length: 300 }, (_, n) => record(n))
    const forLens: ForLens = { entity: 'contact', records, shown: records.map((_, n) => ({ companyId: n % 3 ? '星河科技' : null })), custom: [{ key: 'seat', type: 'text', class: 'confidential', find: ['text'] }] }
    await made(whole, few).tell(lenses[0]!, forLens)
    await made(whole, words).tell(lenses[1]!, forLens)
    const everything = { and: [] }
    const ask = (more: Partial<LensQuery>): LensQuery => ({ entity: 'contact', scope: everything, links: { companyId: everything }, sort: [{ field: 'fullName', direction: 'asc' }], limit: 200, count: true, ...more })
    const text = (terms: string): Partial<LensQuery> => ({ text: { terms, fields: ['fullName', 'companyId', 'city', 'emails', 'custom.seat'] } })
    for (const question of [{}, text('xiaoming2'), text('xhkj'), text('北京'), text('p17@'), text('row 29'), text('zoe')]) {
      const answer = await lenses[0]!.search(ask(question))
      expect(answer.count, JSON.stringify(question)).toBeGreaterThan(0)
      expect(await lenses[1]!.search(ask(question))).toEqual(answer)
    }
    expect((await lenses[1]!.search(ask(text('xhkj')))).count).toBe(200)
  })

  test('that spoil their batch are refused, and the thread goes on', async () => {
    const source = made(whole, await wordsOf(whole))
    const one = record(1)
    await expect(source.tell(lenses[0]!, { entity: 'contact', records: [{ ...one, version: -1 }], shown: [{}], custom: [] })).rejects.toMatchObject({ name: 'TypeError' })
    await source.tell(lenses[0]!, { entity: 'contact', records: [one], shown: [{}], custom: [] })
    expect(lenses[0]!.status().rows).toBe(1)
  })

  test('of a source that was closed are refused, not waited for', async () => {
    const source = made(whole, await wordsOf(whole))
    const told = source.tell(lenses[0]!, { entity: 'contact', records: [record(1)], shown: [{}], custom: [] })
    const refused = expect(told).rejects.toMatchObject({ code: 'shutting-down' })
    await source.close()
    await refused
    await expect(source.tell(lenses[0]!, { entity: 'contact', records: [record(2)], shown: [{}], custom: [] })).rejects.toMatchObject({ code: 'shutting-down' })
  })
})
