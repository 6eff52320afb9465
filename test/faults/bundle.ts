import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Json, TestServer } from '../harness/server.ts'

/** A sequencer that lost its connection starts over; until then the newest events have no leaf. */
async function sequenced(server: TestServer): Promise<void> {
  const waiting = async (): Promise<string[]> => {
    const { body } = await server.call('POST', '/ledger/verify', {})
    expect({ ok: body.ok, failures: body.failures }).toEqual({ ok: true, failures: [] })
    return (body.notProven as string[]).filter((n) => n.startsWith('events-'))
  }
  await expect.poll(waiting, { timeout: 30_000, interval: 100 }).toEqual([])
}

/** Every event that has a leaf, from a bundle that verifies without the server. */
export async function eventsOf(server: TestServer): Promise<Json[]> {
  await sequenced(server)
  const bundle = join(server.place.folder, 'bundle')
  expect((await server.cli(['ledger', 'export', '--out', bundle, '--json'])).code).toBe(0)
  const offline = await server.cli(['ledger', 'verify', '--bundle', bundle, '--vkey', server.owner.ledgerKey, '--json'])
  expect({ code: offline.code, failures: offline.json?.failures }).toEqual({ code: 0, failures: [] })
  const events = readFileSync(bundle, 'utf8').split('\n').slice(1).filter(Boolean).map((line) => JSON.parse(line) as Json)
  rmSync(bundle)
  return events
}
