/** Run by memory.test.ts in a process of its own: fills, searches and overflows a lens, and reports which regular files are open at the end. */
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { openLens } from './engine.ts'
import { contacts, EVERYTHING, find, row } from './lens.fixture.ts'

function files(): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return statSync(path).isFile() ? [path] : []
    } catch {
      return [] // gone, or no file
    }
  })
}

const people = (from: number, count: number) => Array.from({ length: count }, (_, n) => row(from + n, { fullName: `person ${from + n}`, emails: [`e${from + n}@example.com`] }, { custom: { note: `n${n}` } }))

const before = files()
const lens = await openLens({ tables: [contacts], memoryLimitMb: 64 })
for (let from = 0; from < 30_000; from += 2000) await lens.fill('contact', people(from, 2000))
lens.setComplete('contact', 30_000)
await lens.search(find('person', { limit: 200, sort: [{ field: 'fullName', direction: 'desc' }] }))
await lens.search({ entity: 'contact', scope: EVERYTHING, text: { terms: 'persno', fields: ['fullName'] }, sort: [], limit: 50, count: true })
const { rows } = lens.status()
let refused = ''
const long = 'y'.repeat(3000)
for (let from = 30_000; refused === '' && from < 300_000; from += 2000) {
  const more = Array.from({ length: 2000 }, (_, n) => row(from + n, { fullName: `${from + n}${long}` }))
  refused = await lens.fill('contact', more).then(() => '', (error: { code?: string }) => error.code ?? 'unknown')
}
await lens.close()
process.stdout.write(JSON.stringify({ rows, refused, opened: files().filter((file) => !before.includes(file) && !file.endsWith('.node') && !file.endsWith('.so')) }))
