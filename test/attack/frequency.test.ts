import { createHmac, randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Db } from '../../src/kernel/db/index.ts'
import { generateContacts, givenNameWeights, surnameWeights } from '../build/chinese.ts'
import { writeCsv } from '../build/contacts-csv.ts'
import { startServer, type TestServer } from '../harness/server.ts'
import { superuser } from './scan.ts'

// The thief of a dump knows how common every name truly is, and matches what is common in the dump with what is common in
// life. Against keyed n-grams, which others keep at rest, this works; against this database it must do no better than guessing.

const ROWS = 12_000
const SEED = 20_26

/** What the thief sees of each row: opaque tokens, and (for the score only) the name behind them. */
interface Seen {
  name: string
  tokens: readonly string[]
}

const grams = (name: string): string[] => {
  const text = `^^${name}$$`
  return [...text].slice(2).map((_, i) => [...text].slice(i, i + 3).join(''))
}

/** True probability of every trigram of a name, from the true weights of surnames and given names. */
function expectedGrams(): Map<string, number> {
  const out = new Map<string, number>()
  for (const [surname, p] of surnameWeights()) for (const [given, q] of givenNameWeights()) for (const g of new Set(grams(surname + given))) out.set(g, (out.get(g) ?? 0) + p * q)
  return out
}

const byCount = (counts: ReadonlyMap<string, number>): string[] => [...counts].sort(([, a], [, b]) => b - a).map(([t]) => t)

/** Rank matching: the commonest token is taken for the commonest gram, and so on; a row's surname is the best gram that names one. */
function guessSurnames(rows: readonly Seen[], expected: ReadonlyMap<string, number>): Map<number, string> {
  const counts = new Map<string, number>()
  for (const r of rows) for (const t of new Set(r.tokens)) counts.set(t, (counts.get(t) ?? 0) + 1)
  const ranked = byCount(expected)
  const meaning = new Map(byCount(counts).slice(0, ranked.length).map((token, i) => [token, ranked[i]!]))
  const guesses = new Map<number, string>()
  rows.forEach((r, i) => {
    const named = r.tokens.map((t) => meaning.get(t)).filter((g) => g?.startsWith('^^'))
    const best = named.sort((a, b) => expected.get(b!)! - expected.get(a!)!)[0]
    if (best) guesses.set(i, [...best][2]!)
  })
  return guesses
}

const surnameOf = (name: string): string => [...name][0]!

/** Share of rows whose surname is guessed right; a row without a guess gets the commonest surname, like everybody would. */
function score(rows: readonly Seen[], guesses: ReadonlyMap<number, string>, commonest: string): number {
  return rows.filter((r, i) => (guesses.get(i) ?? commonest) === surnameOf(r.name)).length / rows.length
}

let server: TestServer
let db: Db
const contacts = [...generateContacts(ROWS, SEED, { zh: 1 })]
const expected = expectedGrams()
const commonest = byCount(surnameWeights())[0]!
const baseline = score(contacts.map((c) => ({ name: c.fullName, tokens: [] })), new Map(), commonest)

beforeAll(async () => {
  server = await startServer()
  db = superuser(server)
  const file = join(server.place.folder, 'people.csv')
  await writeCsv(createWriteStream(file), contacts, { encoding: 'gb18030' })
  const done = await server.cli(['import', 'contacts', file, '--country', 'CN', '--source', 'test', '--json'])
  expect({ code: done.code, rows: done.json?.rows }).toEqual({ code: 0, rows: ROWS })
}, 180_000)
afterAll(async () => {
  await db?.close()
  await server?.close()
})

/** Every value of every column of every table that belongs to a contact, as tokens: digests, sizes, times, links, owners, handles. */
async function dump(): Promise<Map<string, string[]>> {
  const tokens = new Map<string, string[]>()
  const add = (id: string, token: string): unknown => tokens.get(id)?.push(token) ?? tokens.set(id, [token])
  for (const row of await db.query<Record<string, unknown>>('SELECT * FROM contacts')) {
    for (const [column, value] of Object.entries(row)) {
      if (column === 'id' || value === null) continue
      if (Buffer.isBuffer(value)) {
        add(String(row['id']), `${column}#${value.length}`)
        // A byte that stood for the same text twice would show in a prefix; sealed bytes have none.
        for (const n of [1, 2, 3, 18, 20]) add(String(row['id']), `${column}@${value.subarray(0, n).toString('hex')}`)
      } else add(String(row['id']), `${column}=${String(value)}`)
    }
  }
  for (const { digest, rowId } of await db.query<{ digest: string; rowId: string }>('SELECT digest, row_id AS "rowId" FROM blind')) add(rowId, `digest=${digest}`)
  return tokens
}

describe('the frequency attack', { timeout: 120_000 }, () => {
  test('works on a table of keyed trigrams, so it is a real attack', () => {
    const key = randomBytes(32)
    const table = contacts.map((c): Seen => ({ name: c.fullName, tokens: grams(c.fullName).map((g) => createHmac('sha256', key).update(g).digest('hex').slice(0, 32)) }))
    const recovered = score(table, guessSurnames(table, expected), commonest)
    process.stdout.write(`frequency attack, ${ROWS} rows: control ${(recovered * 100).toFixed(1)} %, guessing ${(baseline * 100).toFixed(1)} %\n`)
    expect(recovered).toBeGreaterThanOrEqual(0.3)
  })

  test('recovers nothing from a dump of this database beyond guessing the commonest name', async () => {
    const tokens = await dump()
    expect(tokens.size).toBe(ROWS)
    // The thief may know which name belongs to which row only for the score: the link is taken through the API.
    const names = new Map<string, string>()
    for (let cursor: string | null = null, first = true; first || cursor; first = false) {
      const page = await server.call('POST', '/contacts/search', { limit: 200, fields: ['fullName'], ...(cursor ? { cursor } : {}) })
      for (const item of page.body.items) names.set(item.id, item.fullName)
      cursor = page.body.nextCursor
    }
    const rows = [...tokens].map(([id, t]): Seen => ({ name: names.get(id)!, tokens: t }))
    const recovered = score(rows, guessSurnames(rows, expected), commonest)
    process.stdout.write(`frequency attack, ${ROWS} rows: dump ${(recovered * 100).toFixed(1)} %, guessing ${(baseline * 100).toFixed(1)} %\n`)
    expect(recovered - baseline).toBeLessThanOrEqual(0.05)
  })

  test('nor does any single column of the dump sort people by name', async () => {
    const tokens = await dump()
    const columns = new Set([...tokens.values()].flat().map((t) => t.split(/[=#@]/)[0]!))
    const [first] = [...tokens.values()]
    expect(columns.size).toBeGreaterThanOrEqual(first!.length / 4)
    const shared = new Map<string, number>()
    for (const list of tokens.values()) for (const t of list) if (t.startsWith('digest=')) shared.set(t, (shared.get(t) ?? 0) + 1)
    // Digests stand for near-unique values: hardly one is shared, so there is nothing to rank.
    const common = [...shared.values()].filter((n) => n > 20).length
    expect(common).toBeLessThanOrEqual(3)
  })
})
