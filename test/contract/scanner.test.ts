import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import '../../src/modules/attachments/problems.ts'
import { Scan, scannerAddress } from '../../src/modules/attachments/scanner.ts'
import { eicar } from '../build/files.ts'
import { putFile } from '../build/upload.ts'
import { startServer, type TestServer } from '../harness/server.ts'
import { expectProblem } from './shapes.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })

const CLAMD = '/usr/sbin/clamd'
const blobs = (server: TestServer): string[] => readdirSync(join(server.place.home, 'blobs'), { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => e.name)
const hex = (s: Buffer): string => s.toString('hex')

/** Debian's clamd with one signature of our own, for the string every scanner knows. */
async function startClamd(folder: string): Promise<{ socket: string; end(): Promise<void> }> {
  const socket = join(folder, 'clamd.sock')
  writeFileSync(join(folder, 'test.ndb'), `Test.Eicar:0:*:${hex(eicar())}\n`)
  writeFileSync(join(folder, 'clamd.conf'), [`LocalSocket ${socket}`, `DatabaseDirectory ${folder}`, 'Foreground yes', 'StreamMaxLength 3M', 'OfficialDatabaseOnly no', ''].join('\n'))
  const child: ChildProcess = spawn(CLAMD, ['--config-file', join(folder, 'clamd.conf')], { stdio: 'ignore' })
  await vi.waitUntil(() => existsSync(socket), { timeout: 60_000 })
  return {
    socket,
    end: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.kill('SIGTERM')
      }),
  }
}

describe.skipIf(!existsSync(CLAMD))('with a real clamd', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sealbook-clamd-'))
  let clamd: Awaited<ReturnType<typeof startClamd>>
  let server: TestServer
  let contact: string
  beforeAll(async () => {
    clamd = await startClamd(folder)
    server = await startServer({ env: { SEALBOOK_CLAMAV: clamd.socket } })
    contact = (await server.call('POST', '/contacts', { fullName: 'Scanned' })).body.id
  })
  afterAll(async () => {
    await server?.close()
    await clamd?.end()
    rmSync(folder, { recursive: true, force: true })
  })

  test('a clean file is kept and says so', async () => {
    const made = await putFile(server, `contacts/${contact}`, 'a.txt', Buffer.alloc(2_000_000, 'clean '))
    expect(made.body).toMatchObject({ scan: 'clean', size: 2_000_000 })
    expect(blobs(server)).toHaveLength(1)
  })

  test('an infected one is refused, leaves nothing but an event, and its finding is not for whoever sent it', async () => {
    const answer = await putFile(server, `contacts/${contact}`, 'a.txt', Buffer.concat([eicar()]))
    expectProblem(answer, 422, 'attachment-infected')
    expect(answer.text).not.toContain('Eicar')
    expect(blobs(server)).toHaveLength(1)
    const timeline = (await server.call('GET', `/contacts/${contact}/timeline`)).body.items
    expect(JSON.stringify(timeline)).not.toContain('Test.Eicar')
    const bundle = join(server.place.folder, 'bundle')
    await expect.poll(async () => {
      await server.cli(['ledger', 'export', '--out', bundle, '--json'])
      const text = readFileSync(bundle, 'utf8')
      rmSync(bundle)
      return text.includes('"attachment.infected"')
    }, { timeout: 30_000 }).toBe(true)
  })

  test('a file larger than the scanner looks at is not kept unseen', async () => {
    expectProblem(await putFile(server, `contacts/${contact}`, 'a.txt', Buffer.alloc(4_000_000, 'a')), 503, 'scanner-unavailable')
    expect(blobs(server)).toHaveLength(1)
  })

  test('while it is away no file is taken, and what is there is still given out', async () => {
    const { items } = (await server.call('POST', '/attachments/search', {})).body
    await clamd.end()
    expectProblem(await putFile(server, `contacts/${contact}`, 'a.txt', Buffer.from('hello')), 503, 'scanner-unavailable')
    expect((await server.call('GET', `/attachments/${items[0].id}/content`)).status).toBe(200)
    expect(blobs(server)).toHaveLength(1)
    rmSync(clamd.socket, { force: true })
    clamd = await startClamd(folder)
    expect((await putFile(server, `contacts/${contact}`, 'a.txt', Buffer.from('hello'))).status).toBe(201)
  })
})

describe('a scanner that does not do its part', () => {
  let listener: Server
  const sockets = new Set<Socket>()
  const answers: { say: (socket: Socket) => void } = { say: () => undefined }
  beforeAll(async () => {
    listener = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined))
      answers.say(socket)
    })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => listener.close(resolve))
  })

  const scan = async (): Promise<string | null> => {
    const address = listener.address() as { port: number } // it listens on TCP
    const scanning = await Scan.begin({ host: '127.0.0.1', port: address.port })
    try {
      for (let i = 0; i < 50; i++) await scanning.send(Buffer.alloc(65_536, 'a'))
      return await scanning.verdict()
    } finally {
      scanning.close()
    }
  }
  /** Reads to the end of the stream as clamd does, then says a line. */
  const afterAll64k = (line: string) => (socket: Socket): void => {
    let seen = 0
    socket.on('data', (d: Buffer) => {
      seen += d.length
      if (seen >= 10 + 50 * 65_540 + 4) socket.write(line)
    })
  }

  test.each([
    ['says nothing it should', afterAll64k('whatever\0')],
    ['has no signatures', afterAll64k('stream: Can\'t scan ERROR\0')],
    ['says yes to another stream', afterAll64k('other: OK\0')],
    ['says half a line', (socket: Socket) => void socket.end('stream: O')],
    ['closes at once', (socket: Socket) => void socket.destroy()],
    ['closes in the middle', (socket: Socket) => void socket.once('data', () => socket.destroy())],
    ['finds the size too large', (socket: Socket) => void socket.once('data', () => socket.end('INSTREAM size limit exceeded. ERROR\0'))],
    ['never stops talking', (socket: Socket) => void socket.write('a'.repeat(100_000))],
  ])('%s: no verdict', async (_what, say) => {
    answers.say = say
    await expect(scan()).rejects.toMatchObject({ code: 'scanner-unavailable' })
  })

  test('one that does: clean, or the name of what was found', async () => {
    answers.say = afterAll64k('stream: OK\0')
    expect(await scan()).toBeNull()
    answers.say = afterAll64k('stream: Win.Test.EICAR_HDB-1 FOUND\0')
    expect(await scan()).toBe('Win.Test.EICAR_HDB-1')
  })

  test('an infected file is refused and leaves nothing but an event; a clean one is kept', async () => {
    answers.say = (socket) => {
      let seen = Buffer.alloc(0)
      socket.on('data', (d: Buffer) => {
        seen = Buffer.concat([seen, d])
        if (seen.subarray(-4).equals(Buffer.alloc(4))) socket.end(seen.includes(eicar()) ? 'stream: Eicar FOUND\0' : 'stream: OK\0')
      })
    }
    const server = await startServer({ env: { SEALBOOK_CLAMAV: `127.0.0.1:${(listener.address() as { port: number }).port}` } })
    try {
      const contact = (await server.call('POST', '/contacts', { fullName: 'Scanned' })).body.id
      expectProblem(await putFile(server, `contacts/${contact}`, 'a.txt', eicar()), 422, 'attachment-infected')
      expect(blobs(server)).toEqual([])
      expect((await putFile(server, `contacts/${contact}`, 'a.txt', Buffer.from('hello'))).body).toMatchObject({ scan: 'clean' })
      expect(blobs(server)).toHaveLength(1)
    } finally {
      await server.close()
    }
  })

  test('addresses', () => {
    expect(scannerAddress('/run/clamd.sock')).toEqual({ path: '/run/clamd.sock' })
    expect(scannerAddress('clam.example:3310')).toEqual({ host: 'clam.example', port: 3310 })
    expect(scannerAddress('[::1]:3310')).toEqual({ host: '::1', port: 3310 })
    for (const wrong of ['', 'clam', 'a:0', 'a:99999', 'http://a:1/']) expect(scannerAddress(wrong)).toBeNull()
  })
})
