import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { random } from '../../src/modules/demo/plan/random.ts'
import { startServer, type Answer, type Json, type TestServer } from '../harness/server.ts'
import { askImport, importEnd, pause, Writers } from './writers.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

let server: TestServer
beforeAll(async () => {
  server = await startServer({ env: { SEALBOOK_REQUESTS_PER_MINUTE: '1000000' } })
})
afterAll(() => server.close())

const names = (what: string, n: number): string[] => Array.from({ length: n }, (_, i) => `${what} Number${i}`)

async function countOf(text: string): Promise<number> {
  await expect.poll(async () => (await server.call('GET', '/api/health')).body.status, { timeout: 60_000, interval: 50 }).toBe('ready')
  return (await server.call('POST', '/contacts/search', { where: { field: 'fullName', op: 'startsWith', value: `${text} Number` }, count: true, limit: 1 })).body.count
}

/** Waits until a run is in the middle of its work. */
async function underWay(path: string): Promise<void> {
  for (;;) {
    const { body } = await server.call('GET', path)
    if (body.state === 'done' || body.state === 'failed') throw new Error(`${path} ended too early`)
    if (body.progress.done > 0) return
    await pause(5)
  }
}

describe('SIGTERM', () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)('%s in the middle of an import: the next start goes on with it, and its counts add up', async (signal) => {
    const who = signal === 'SIGTERM' ? 'Drained' : 'Killed'
    const id = await askImport(server, names(who, 12_000))
    for (let i = 0; i < 2; i++) {
      await underWay(`/imports/${id}`)
      expect(await server.end(signal)).toBe(signal === 'SIGTERM' ? 0 : 'SIGKILL')
      await server.start()
    }
    const { state, result } = await importEnd(server, id!, 120_000)
    expect(state).toBe('done')
    expect(result).toMatchObject({ rows: 12_000, rejected: 0 })
    expect(result.created + result.updated + result.unchanged + result.merged + result.skipped).toBe(12_000)
    expect(await countOf(who)).toBe(12_000)
    expect((await server.call('POST', '/ledger/verify', {})).body).toMatchObject({ ok: true, failures: [] })
  })

  test('in the middle of an export: the next start makes it whole', async () => {
    const total = (await server.call('POST', '/contacts/search', { count: true, limit: 1 })).body.count
    const { body } = await server.call('POST', '/exports', { noun: 'contacts', format: 'jsonl', reason: 'a restart' })
    await underWay(`/exports/${body.id}`)
    expect(await server.end('SIGTERM')).toBe(0)
    await server.start()
    let job: Answer
    do job = await server.call('GET', `/exports/${body.id}`)
    while (job.body.state === 'queued' || job.body.state === 'running')
    expect(job.body).toMatchObject({ state: 'done', result: { rows: total, refused: 0 } })
    const file = await server.call('GET', `/exports/${body.id}/content`)
    expect(createHash('sha256').update(file.text).digest('hex')).toBe(job.body.result.sha256)
    expect(file.text.trim().split('\n')).toHaveLength(total)
  })

  test('in the middle of a bulk change: it is finished and answered', async () => {
    const { body } = await server.call('POST', '/contacts/search', { where: { field: 'fullName', op: 'startsWith', value: 'Drained Number' }, limit: 200 })
    const ids = (body.items as Json[]).map((i) => String(i.id))
    const changing = server.call('POST', '/contacts/bulk', { ids, action: 'patch', patch: { title: 'Bulk' } })
    await pause(60)
    expect(await server.end('SIGTERM')).toBe(0)
    const answer = await changing
    expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 200, body: { done: ids.length, failed: [] } })
    await server.start()
    await countOf('Drained')
    expect((await server.call('POST', '/contacts/search', { where: { field: 'title', op: 'eq', value: 'Bulk' }, count: true, limit: 1 })).body.count).toBe(ids.length)
  })

  test('under load: every answer that says kept is kept', async () => {
    const writers = new Writers(server, random(7), join(server.place.folder, 'acknowledged'))
    for (let i = 0; i < 3; i++) {
      const running = writers.run()
      await pause(400)
      expect(await server.end('SIGTERM')).toBe(0)
      writers.stop()
      await running
      await server.start()
    }
    const kept = new Map(writers.acknowledged().flatMap((a) => (a.kind === 'record' ? [[a.id, a] as const] : [])))
    expect(kept.size).toBeGreaterThan(5)
    for (const r of kept.values()) {
      const { body } = await server.call('GET', `/contacts/${r.id}`)
      expect(body.fullName).toBe(r.fullName)
      if (body.version === r.version) expect(body.title).toBe(r.title)
    }
    for (const a of writers.acknowledged()) if (a.kind === 'import') expect((await importEnd(server, a.id, 60_000)).state).toBe('done')
  })
})

describe('somebody who takes a file and does not read it', () => {
  /** Begins a download and reads nothing of it. */
  async function slowDownload(): Promise<() => void> {
    const { body } = await server.call('POST', '/exports', { noun: 'contacts', format: 'jsonl', reason: 'a slow reader' })
    while ((await server.call('GET', `/exports/${body.id}`)).body.state !== 'done') await pause(50)
    const agent = new Agent({ ca: readFileSync(server.ready.caFile) })
    const sent = request(new URL(`/api/v1/exports/${body.id}/content`, server.url), { agent, headers: { Authorization: `Bearer ${server.token}` } })
    sent.on('error', () => undefined)
    await new Promise((resolve) => sent.once('response', resolve).end())
    return () => void agent.destroy()
  }

  test('does not keep the server from stopping', async () => {
    const release = await slowDownload()
    expect(await server.end('SIGTERM')).toBe(0)
    release()
    await server.start()
  })

  test('the echoes of one Ctrl-C are one; whoever asks again later ends it at once', async () => {
    const release = await slowDownload()
    const { pid } = server
    for (let i = 0; i < 3; i++) process.kill(pid, 'SIGINT')
    await pause(300)
    expect(() => process.kill(pid, 0)).not.toThrow()
    await pause(1200)
    expect(await server.end('SIGINT')).toBe(1)
    release()
    await server.start()
    expect((await server.call('GET', '/me')).status).toBe(200)
  })
})
