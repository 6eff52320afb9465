/**
 * `node bench/attachments.ts [MEGABYTES]`: a file up and down through a real server over TLS, one after another and four at once; 10 MB unless told otherwise.
 * Up is from the first byte sent to the answer: parsed, looked at, sealed, durable, named, its row committed. Down is to the last byte: opened chunk by chunk.
 * `copy` is the same bytes written and made durable, and read back, by nothing but the disk. cpu is processor time of the server for one megabyte in
 * milliseconds (TLS included): it hardly moves when the machine is busy with other things, megabytes per second do.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { multipartOf } from '../test/build/files.ts'
import { startServer } from '../test/harness/server.ts'
import { cpuSecondsOf, machine } from './machine.ts'

const MB = 1024 * 1024
const megabytes = Number(process.argv[2] ?? 10)
const ROUNDS = 12
const bytes = Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(megabytes * MB - 9)])

const median = (times: number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!

/** Megabytes in a second, the median of the rounds, and processor time of the server for each; the first two rounds warm up. */
async function rate(name: string, files: number, once: () => Promise<unknown>, pid = 0): Promise<string> {
  const times: number[] = []
  let before = 0
  for (let round = -2; round < ROUNDS; round++) {
    if (round === 0 && pid > 0) before = cpuSecondsOf(pid)
    const start = performance.now()
    await once()
    if (round >= 0) times.push((performance.now() - start) / 1000)
  }
  const cpu = pid === 0 ? '' : `${(((cpuSecondsOf(pid) - before) * 1000) / (ROUNDS * files * megabytes)).toFixed(1).padStart(8)} ms cpu/MB`
  return `${name.padEnd(28)}${((files * megabytes) / median(times)).toFixed(0).padStart(8)} MB/s${cpu}`
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
  const { pid } = server
  const rows = [
    await rate('up', 1, up, pid),
    await rate('up, four at once', 4, () => four(up), pid),
    await rate('down', 1, () => down(), pid),
    await rate('down, four at once', 4, () => four(() => down()), pid),
    await rate('copy: write and fsync', 1, copy),
    await rate('copy: read', 1, async () => readFileSync(path)),
  ]
  const times: number[] = []
  for (let i = 0; i < 60; i++) {
    const start = performance.now()
    await down(`bytes=${(i * 104_729) % (bytes.length - 65_536)}-${((i * 104_729) % (bytes.length - 65_536)) + 65_535}`)
    times.push(performance.now() - start)
  }
  const { cpu, cores, node } = machine()
  process.stdout.write(`${rows.join('\n')}\n${'64 KiB from anywhere'.padEnd(28)}${median(times).toFixed(1).padStart(8)} ms\n\n${megabytes} MB, ${cpu}, ${cores} cores, Node ${node}, durability on\n`)
} finally {
  await server.close()
}
