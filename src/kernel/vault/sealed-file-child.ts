// Run by sealed-file.test.ts: writes and reads a large sealed file and prints by how much the process grew meanwhile.
import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { loadConfig } from '../config/index.ts'
import { openVault } from './instance.ts'
import { createSealedFile, openSealedFile } from './sealed-file.ts'

const [home, rootKeyFile, path] = process.argv.slice(2)
const vault = await openVault(loadConfig({ SEALBOOK_HOME: home, SEALBOOK_ROOT_KEY_FILE: rootKeyFile, SEALBOOK_LOG_LEVEL: 'silent' }))
const MIB = 1024 * 1024
const before = process.memoryUsage().rss
let most = before
const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 5)

const wrote = createHash('sha256')
async function* source(): AsyncGenerator<Buffer> {
  for (let i = 0; i < 800; i++) {
    const piece = Buffer.alloc(MIB / 4, i)
    wrote.update(piece)
    yield piece
  }
}
await pipeline(source, createSealedFile(vault, path!, 'big'))
const file = await openSealedFile(vault, path!, 'big')
const read = createHash('sha256')
for await (const piece of file.stream()) read.update(piece as Buffer) // a stream of Buffers
process.stdout.write(JSON.stringify({ size: file.size, same: wrote.digest('hex') === read.digest('hex'), grownMiB: (most - before) / MIB }))
clearInterval(watch)
await file.close()
await vault.close()
