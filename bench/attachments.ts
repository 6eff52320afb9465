/**
 * `node bench/attachments.ts [MEGABYTES]`: a file up and down through a real server over TLS, one after another and four at once; 10 MB unless told otherwise.
 * Up is from the first byte sent to the answer: parsed, looked at, sealed, durable, named, its row committed. Down is to the last byte: opened chunk by chunk.
 * `copy` is the same bytes written and made durable, and read back, by nothing but the disk.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { multipartOf } from '../test/build/files.ts'
import { startServer } from '../test/harness/server.ts'
import { machine } from './machine.ts'

const MB = 1024 * 1024
const megabytes = Number(process.argv[2] ?? 10)
const ROUNDS = 12
const bytes = Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(megabytes * MB - 9)])

const median = (times: number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!

/** Megabytes in a second, the median of the rounds; the first two warm up. */
async function rate(files: number, once: (round: number) => Promise<unknown>): Promise<string> {
  const times: number[] = []
  for (let round = -2; round < ROUNDS; round++) {
    const start = performance.now()
    await once(round)
    if (round >= 0) times.push((performance.now() - start) / 1000)
  }
  return ((files * megabytes) / median(times)).toFixed(0)
}

const server = await startServer()
try {
  const contact = (await server.call('POST', '/contacts', { fullName: 'Bench' })).body.id
  const { body, headers } = multipartOf({ record: `contacts/${contact}` }, { name: 'bench.pdf', bytes })
  const up = async (): Promise<string> => {
    const made = await server.call('POST', '/attachments', body, { headers })
    if (made.status !== 201) throw new Error(made.text)
    return made.body.id
  }
  const id = await up()
  const down = async (range?: string): Promise<void> => {
    const answer = await server.call('GET', `/attachments/${id}/content`, undefined, range ? { headers: { Range: range } } : {})
    if (range ? answer.status !== 206 : !answer.bytes.equals(bytes)) throw new Error(`not the file: ${answer.status}`)
  }
  const four = (what: () => Promise<unknown>): Promise<unknown> => Promise.all([what(), what(), what(), what()])
  const path = join(server.place.folder, 'copy')
  const copy = async (): Promise<void> => {
    const file = openSync(path, 'w')
    writeSync(file, bytes)
    fsyncSync(file)
    closeSync(file)
  }
  const rows: [string, string][] = [
    ['up', await rate(1, up)],
    ['up, four at once', await rate(4, () => four(up))],
    ['down', await rate(1, () => down())],
    ['down, four at once', await rate(4, () => four(() => down()))],
    ['copy: write and fsync', await rate(1, copy)],
    ['copy: read', await rate(1, async () => readFileSync(path))],
  ]
  const times: number[] = []
  for (let i = 0; i < 60; i++) {
    const start = performance.now()
    await down(`bytes=${(i * 104_729) % (bytes.length - 65_536)}-${((i * 104_729) % (bytes.length - 65_536)) + 65_535}`)
    times.push(performance.now() - start)
  }
  const { cpu, cores, node } = machine()
  process.stdout.write(`${rows.map(([name, value]) => `${name.padEnd(28)}${value.padStart(8)} MB/s`).join('\n')}\n${'64 KiB from anywhere'.padEnd(28)}${median(times).toFixed(1).padStart(8)} ms\n\n${megabytes} MB, ${cpu}, ${cores} cores, Node ${node}, durability on\n`)
} finally {
  await server.close()
}
