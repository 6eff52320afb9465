import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { openLens } from './engine.ts'
import { contacts, find, id, numbers, query, row } from './lens.fixture.ts'
import { kindOf } from './problems.ts'
import type { Lens } from './types.ts'

let lens: Lens | null = null
afterEach(async () => {
  await lens?.close()
  lens = null
  vi.restoreAllMocks()
})

const bulk = (from: number, count: number) => Array.from({ length: count }, (_, n) => row(from + n, { fullName: `person ${from + n} ${'x'.repeat(300)}`, emails: [`e${from + n}@example.com`], company: `company ${(from + n) % 997}` }))

describe('nothing derived touches a disk', () => {
  // In a process of its own, whose home, working directory and temporary directory are empty and stay so.
  test('no file is created, opened for writing or left behind', async () => {
    const home = mkdtempSync(join(tmpdir(), 'lens-disk-'))
    const places = ['home', 'cwd', 'tmp'].map((name) => join(home, name))
    for (const place of places) mkdirSync(place)
    const [HOME, cwd, TMPDIR] = places
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'memory.probe.ts')], { cwd: cwd ?? home, env: { HOME, TMPDIR, PATH: process.env['PATH'] } })
      const seen: unknown = JSON.parse(stdout)
      expect(seen).toMatchObject({ rows: 30_000, refused: 'lens-unavailable', opened: [] })
      expect(places.flatMap((place) => readdirSync(place))).toEqual([])
    } finally {
      rmSync(home, { recursive: true })
    }
  })

  test('this process holds no regular file open for it', async () => {
    lens = await openLens({ tables: [contacts], memoryLimitMb: 128 })
    const before = openFiles()
    await lens.fill('contact', bulk(0, 20_000))
    await lens.search(find('person', { limit: 200, sort: [{ field: 'fullName', direction: 'asc' }] }))
    expect(openFiles().filter((file) => !before.includes(file))).toEqual([])
  })
})

function openFiles(): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return statSync(path).isFile() ? [path] : []
    } catch {
      return [] // a descriptor that is gone, or that is no file
    }
  })
}

describe('too little memory', () => {
  test('fails the write, says so in later answers, and leaves the lens working', async () => {
    const told: object[] = []
    lens = await openLens({ tables: [contacts], memoryLimitMb: 24, log: { error: (fields) => told.push(fields) } })
    let failed: unknown = null
    let held = 0
    for (let from = 0; from < 200_000 && failed === null; from += 2000) {
      failed = await lens.fill('contact', bulk(from, 2000)).then(() => null, (error: unknown) => error)
      if (failed === null) held += 2000
    }
    expect(failed).toMatchObject({ code: 'lens-unavailable', status: 503 })
    expect(JSON.stringify([failed, told])).not.toMatch(/person|example/)
    expect(told[0]).toMatchObject({ component: 'lens', errorType: 'Out of Memory', entity: 'contact' })
    lens.setComplete('contact', 200_000)
    expect(lens.status()).toMatchObject({ rows: held, complete: false })
    expect(await lens.search(query({ limit: 3, where: { field: 'createdAt', op: 'gt', value: '2020-01-01' } }))).toMatchObject({ complete: false, count: held })
    await lens.apply('contact', [], [id(0)])
    expect(lens.status().rows).toBe(held - 1)

    // Made good: emptied, and filled with as many as there is room for; what was removed before does not come back.
    expect(lens.damaged()).toEqual(['contact'])
    await lens.empty('contact')
    expect(lens.damaged()).toEqual([])
    expect(lens.status()).toMatchObject({ rows: 0, complete: false })
    await lens.fill('contact', bulk(0, 2000))
    lens.setComplete('contact', 2000)
    expect(lens.status()).toMatchObject({ rows: 1999, complete: true })
    expect(await lens.search(query({ limit: 3, where: { field: 'createdAt', op: 'gt', value: '2020-01-01' } }))).toMatchObject({ complete: true, count: 1999 })
  })

  test('a noun is emptied after what was written before, and takes what is written after', async () => {
    lens = await openLens({ tables: [contacts], memoryLimitMb: 64 })
    lens.setComplete('contact', 0)
    void lens.apply('contact', bulk(0, 10))
    const emptied = lens.empty('contact')
    await lens.apply('contact', bulk(10, 3))
    await emptied
    const found = await lens.search(query({ limit: 20 }))
    expect([numbers(found.ids).sort((a, b) => a - b), found.complete]).toEqual([[10, 11, 12], false])
    // The older of two writes of one removed row stays out, also when it comes late.
    await lens.apply('contact', [], [{ id: id(11), version: 5 }])
    await lens.empty('contact')
    await lens.apply('contact', bulk(11, 1))
    expect((await lens.search(query())).ids).toEqual([])
  })
})

describe('the settings', () => {
  test('are the strict ones, and cannot be changed or got around', async () => {
    const create = vi.spyOn(DuckDBInstance, 'create')
    lens = await openLens({ tables: [contacts], memoryLimitMb: 64 })
    const made: unknown = await create.mock.results[0]?.value
    if (!(made instanceof DuckDBInstance)) throw new Error('openLens made no instance')
    const connection = await made.connect()
    const settings = new Map((await connection.runAndReadAll('SELECT name, value FROM duckdb_settings()')).getRows().map(([name, value]) => [String(name), String(value)]))
    expect(settings.get('temp_directory')).toBe('')
    expect(settings.get('memory_limit')).toBe('61.0 MiB')
    for (const off of ['enable_external_access', 'autoinstall_known_extensions', 'autoload_known_extensions', 'allow_community_extensions', 'allow_persistent_secrets']) expect([off, settings.get(off)]).toEqual([off, 'false'])
    const attempts = [
      "SET memory_limit='10GB'",
      "SET temp_directory='/tmp'",
      'SET enable_external_access=true',
      'SET lock_configuration=false',
      "COPY contact TO '/tmp/stolen.csv'",
      "EXPORT DATABASE '/tmp/stolen'",
      "ATTACH '/tmp/stolen.duckdb'",
      "SELECT * FROM read_text('/etc/hostname')",
      "SELECT * FROM '/etc/passwd'",
      'INSTALL httpfs',
      'LOAD httpfs',
    ]
    for (const sql of attempts) await expect(connection.run(sql), sql).rejects.toThrow()
    connection.closeSync()
  })
})

test('an error of DuckDB is told by its kind alone', () => {
  expect(kindOf(new Error('Conversion Error: Could not convert string \'王小明\' to UUID'))).toBe('Conversion')
  expect(kindOf(new Error('Out of Memory Error: failed'))).toBe('Out of Memory')
  expect(kindOf(new Error('INTERRUPT Error: Interrupted!'))).toBe('INTERRUPT')
  expect(kindOf(new Error('王小明: secret'))).toBe('Unknown')
  expect(kindOf('text')).toBe('Unknown')
})

test('a wrong declaration stops the boot and says what is wrong', async () => {
  const wrong = { entity: 'x"; DROP', columns: [{ name: 'a b', field: 'a', use: 'text', type: 'uuid', many: false }] } as const
  await expect(openLens({ tables: [wrong], memoryLimitMb: 64 })).rejects.toThrow(/entity name.*column name a b.*must be text/)
})
