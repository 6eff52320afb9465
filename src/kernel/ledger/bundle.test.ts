import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestInstance, LedgerLab, until, type Instance } from '../../../test/harness/ledger.ts'
import { Refusal } from '../base/index.ts'
import { verifyBundle, verifyBundleFile, type BundleReport } from './bundle.ts'
import type { Ledger } from './types.ts'

let instance: Instance
let lab: LedgerLab
let ledger: Ledger
let vkey: string
let early: string
let whole: string
const boundaries: string[] = []
beforeAll(async () => {
  instance = await createTestInstance()
  lab = await LedgerLab.create(instance)
  ledger = await lab.open()
  await until(() => ledger.status().leading)
  vkey = ledger.verifierKey()
  early = await lab.fill(ledger, 40)
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    boundaries.push(new Date().toISOString())
    await new Promise((resolve) => setTimeout(resolve, 5))
    await lab.fill(ledger, 100)
  }
  whole = await bundle({ payloads: true })
})
afterAll(async () => {
  await lab.close()
  await instance.close()
})

async function bundle(range: { from?: string; to?: string; payloads?: boolean }): Promise<string> {
  const out = new PassThrough()
  const text = textOf(out)
  await ledger.exportBundle(out, range)
  out.end()
  return text
}

async function* chunks(data: string | Buffer, size = 1000): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(data as string)
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size)
}

const check = (data: string | Buffer, options: { vkey?: string; since?: string } = { vkey }): Promise<BundleReport> => verifyBundle(chunks(data), options)
const codes = (report: BundleReport): string[] => [...new Set(report.failures.map((f) => f.code))].toSorted()
const linesOf = (data: string): string[] => data.trimEnd().split('\n')
const join2 = (lines: string[]): string => `${lines.join('\n')}\n`
const edit = (line: string, change: (o: Record<string, unknown>) => void): string => {
  const o = JSON.parse(line) as Record<string, unknown>
  change(o)
  return JSON.stringify(o)
}

describe('a bundle of everything', () => {
  it('verifies with the verifier key alone', async () => {
    expect(await check(whole)).toMatchObject({ ok: true, size: 340, events: 340, first: 0, end: 340, failures: [], notProven: ['rollback-or-fork-since-anchor'] })
    expect(await check(whole, { vkey, since: early })).toMatchObject({ ok: true, notProven: [] })
  })

  it('says what it cannot prove without key, anchor or payloads', async () => {
    expect((await check(await bundle({}), {})).notProven).toEqual(['rollback-or-fork-since-anchor', 'verifier-key-not-pinned', 'payloads-not-included'])
  })

  it('holds no person, no value and no owner id', async () => {
    expect(whole).not.toContain('private')
    expect(whole).not.toContain(lab.subject.ownerId)
    expect(whole).not.toContain(lab.actor.ownerId)
    expect(whole).toContain(lab.subject.handle.toString('hex'))
  })

  it('of no events at all verifies too', async () => {
    const empty = await LedgerLab.create(instance)
    const none = await empty.open()
    await until(() => none.status().leading)
    const out = new PassThrough()
    expect(await none.exportBundle(out, {})).toEqual({ events: 0 })
    out.end()
    expect(await check(await textOf(out), { vkey: none.verifierKey() })).toMatchObject({ ok: true, size: 0, events: 0 })
    await empty.close()
  })
})

describe('a bundle of some days', () => {
  it('leads to the signed root through the hashes around it', async () => {
    const middle = await bundle({ from: boundaries[0]!, to: boundaries[1]! })
    expect(await check(middle)).toMatchObject({ ok: true, size: 340, first: 40, end: 140, events: 100 })
    expect((await check(middle)).notProven).toContain('events-outside-range')
    expect(await check(await bundle({ from: boundaries[2]! }))).toMatchObject({ ok: true, first: 240, end: 340 })
    expect(await check(await bundle({ to: boundaries[0]! }))).toMatchObject({ ok: true, first: 0, end: 40 })
    expect(await check(await bundle({ from: '2000-01-01T00:00:00Z', to: '2000-02-01T00:00:00Z' }))).toMatchObject({ ok: true, events: 0 })
  })

  it('proves an older head inside its events, and says when it cannot', async () => {
    const start = await bundle({ to: boundaries[1]! })
    expect((await check(start, { vkey, since: early })).notProven).not.toContain('rollback-or-fork-since-anchor')
    const late = await check(await bundle({ from: boundaries[1]! }), { vkey, since: early })
    expect(late.notProven).toEqual(expect.arrayContaining(['since-outside-range', 'rollback-or-fork-since-anchor']))
  })

  it('a time that is none is refused', async () => {
    await expect(bundle({ from: 'yesterday' })).rejects.toMatchObject({ code: 'invalid' })
  })
})

describe('a bundle somebody worked on', () => {
  it('names the event that was changed', async () => {
    const lines = linesOf(whole)
    lines[8] = edit(lines[8]!, (o) => (o['action'] = 'contact.exported'))
    expect((await check(join2(lines))).failures).toMatchObject([{ code: 'event-altered', leaf: 7 }])
  })

  it('an event changed together with its hash does not lead to the root', async () => {
    const other = linesOf(whole)
    const [a, b] = [JSON.parse(other[8]!) as object, JSON.parse(other[11]!) as object]
    other[8] = JSON.stringify({ ...b, leaf: 7 })
    other[11] = JSON.stringify({ ...a, leaf: 10 })
    expect(codes(await check(join2(other)))).toEqual(['checkpoint-inconsistent'])
  })

  it('names a changed or foreign payload', async () => {
    const lines = linesOf(whole)
    const payload = (JSON.parse(lines[5]!) as { payload: string }).payload
    lines[2] = edit(lines[2]!, (o) => (o['payload'] = payload))
    lines[1] = edit(lines[1]!, (o) => (o['payload'] = payload))
    expect((await check(join2(lines))).failures.map((f) => [f.code, f.leaf])).toEqual([['payload-altered', 0], ['payload-altered', 1]])
  })

  it('misses lines that were taken out, doubled, moved or cut off', async () => {
    const lines = linesOf(whole)
    expect(codes(await check(join2(lines.toSpliced(9, 1))))).toEqual(['leaf-missing'])
    expect(codes(await check(join2(lines.toSpliced(9, 0, lines[9]!))))).toEqual(['leaf-duplicated'])
    expect(codes(await check(join2(lines.toSpliced(9, 2, lines[10]!, lines[9]!))))).toEqual(['leaf-duplicated', 'leaf-missing'])
    expect(codes(await check(join2(lines.slice(0, -3))))).toEqual(['bundle-incomplete'])
    expect(codes(await check(lines[0]!))).toEqual(['bundle-incomplete'])
  })

  it('is refused under another key, with a forged head, and against a fork', async () => {
    const fork = await LedgerLab.create(instance)
    const forked = await fork.open()
    await until(() => forked.status().leading)
    const otherHead = await fork.fill(forked, 50)
    expect(codes(await check(whole, { vkey, since: otherHead }))).toEqual(['checkpoint-inconsistent'])
    const longer = await fork.fill(forked, 400)
    expect(codes(await check(whole, { vkey, since: longer }))).toEqual(['tree-truncated'])
    await fork.close()
    const stranger = await createTestInstance()
    const theirs = await LedgerLab.create(stranger)
    const foreign = await theirs.open()
    expect(codes(await check(whole, { vkey: foreign.verifierKey() }))).toEqual(['verifier-key-invalid'])
    expect(codes(await check(whole, { vkey, since: 'nothing' }))).toEqual(['since-invalid'])
    const lines = linesOf(whole)
    lines[0] = edit(lines[0]!, (o) => (o['checkpoint'] = otherHead.replace('50', '340')))
    expect(codes(await check(join2(lines)))).toEqual(['checkpoint-forged'])
    await theirs.close()
    await stranger.close()
  })

  it('a member that no hash covers is refused, since a reader would believe it', async () => {
    const lines = linesOf(whole)
    lines[3] = edit(lines[3]!, (o) => (o['comment'] = 'all fine'))
    expect(codes(await check(join2(lines)))).toEqual(['bundle-malformed'])
  })

  it('no single changed byte passes', async () => {
    const small = Buffer.from(join2(linesOf(await bundle({ to: boundaries[0]!, payloads: true }))))
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: small.length - 1 }), fc.integer({ min: 1, max: 255 }), async (where, flip) => {
        const bad = Buffer.from(small)
        bad[where]! ^= flip
        const report = await check(bad)
        // The only bytes that may change are those of JSON that mean the same: there are none in a bundle but the last newline.
        return !report.ok || where === small.length - 1
      }),
      { numRuns: 1500 },
    )
  })
})

describe('what is no bundle at all', () => {
  it('is one finding, whatever it is', async () => {
    for (const junk of ['', '\n', '\n\n\n', '{}', 'null', '[]', '"x"', '{"format":"sealbook-ledger-bundle"}', 'PK\u0003\u0004', whole.slice(0, 100), randomBytes(5000), Buffer.alloc(3_000_000, 0x7b)]) {
      const report = await check(junk)
      expect([report.ok, report.failures]).toEqual([false, [{ code: 'bundle-malformed', leaf: null }]])
    }
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => !(await check(Buffer.from(bytes))).ok))
    await fc.assert(fc.asyncProperty(fc.array(fc.json(), { maxLength: 5 }), async (values) => !(await check(values.join('\n'))).ok))
  })

  it('a header of good form with nonsense in it', async () => {
    const lines = linesOf(whole)
    const nonsense: ((o: Record<string, unknown>) => void)[] = [
      (o) => (o['first'] = 5), (o) => (o['end'] = 400), (o) => (o['end'] = -1), (o) => (o['left'] = ['AAAA']), (o) => (o['right'] = 7), (o) => (o['checkpoint'] = 3),
      (o) => (o['version'] = 2), (o) => (o['hash'] = 'MD5'), (o) => (o['first'] = 1.5), (o) => (o['left'] = Array.from({ length: 500 }, () => randomBytes(32).toString('base64'))),
    ]
    for (const change of nonsense) expect(codes(await check(join2([edit(lines[0]!, change), ...lines.slice(1)])))).toEqual(['bundle-malformed'])
  })

  it('a line without end does not fill the memory', async () => {
    let sent = 0
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        sent += 65_536
        yield Buffer.alloc(65_536, 0x20)
      }
    }
    expect(codes(await verifyBundle(endless(), { vkey }))).toEqual(['bundle-malformed'])
    expect(sent).toBeLessThan(2_000_000)
  })

  it('a file that cannot be read is a refusal; one that can is verified', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sealbook-bundle-'))
    await expect(verifyBundleFile(join(folder, 'none'))).rejects.toBeInstanceOf(Refusal)
    await expect(verifyBundleFile(folder)).rejects.toBeInstanceOf(Refusal)
    writeFileSync(join(folder, 'bundle.jsonl'), whole)
    expect(await verifyBundleFile(join(folder, 'bundle.jsonl'), { vkey })).toMatchObject({ ok: true, events: 340 })
    rmSync(folder, { recursive: true })
  })
})
