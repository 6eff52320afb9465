import { createWriteStream, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { generateContacts, type GeneratedContact } from '../test/build/chinese.ts'
import { writeCsv } from '../test/build/contacts-csv.ts'
import type { CreateBody, Samples } from './load/operations.ts'

const SEED = 20_260
const MOST = 50_000
const CREATES = 2_000

/** Everyone's e-mails up to this many, then every k-th. */
function collect(n: number): { see(c: GeneratedContact, i: number): void; samples(): Samples } {
  const emails: string[] = []
  const zh: string[] = []
  const en: string[] = []
  const every = Math.max(1, Math.floor(n / MOST))
  return {
    see(c, i) {
      if (i % every !== 0) return
      if (c.emails[0]) emails.push(c.emails[0].toLowerCase())
      const part = c.locale === 'zh' ? c.fullName.slice(-2) : (/[A-Za-z]{4}$/.exec(c.fullName)?.[0] ?? '')
      if (part !== '') (c.locale === 'zh' ? zh : en).push(part)
    },
    samples: () => ({ emails, zh, en, creates: [...generateContacts(CREATES, SEED + 1)].map(createBody) }),
  }
}

function createBody(c: GeneratedContact): CreateBody {
  const phones = c.phones.slice(0, 1).map((value) => ({ value, label: 'mobile' }))
  return { fullName: c.fullName, emails: [], phones, title: c.title, city: c.city, source: c.source, tags: c.tags }
}

/** Writes the rows of this run as the CSV that every side imports, and what the load generator will ask for. */
export async function writeRows(rows: number, csvFile: string, samplesFile: string): Promise<void> {
  const collected = collect(rows)
  const seen = function* (): Generator<GeneratedContact> {
    let i = 0
    for (const contact of generateContacts(rows, SEED)) {
      collected.see(contact, i++)
      yield contact
    }
  }
  const out = createWriteStream(csvFile)
  await writeCsv(out, seen())
  out.end()
  await once(out, 'finish')
  writeFileSync(samplesFile, JSON.stringify(collected.samples()))
}

/** One id a line, as the load generator reads them. */
export function writeIds(path: string, ids: readonly string[]): void {
  writeFileSync(path, ids.map((id) => `${id}\n`).join(''))
}
