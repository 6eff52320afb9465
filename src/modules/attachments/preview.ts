import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { buffer } from 'node:stream/consumers'
import { Problem } from '../../kernel/base/index.ts'

const SOURCE = join(import.meta.dirname, '..', '..', '..')
const CHILD = join(import.meta.dirname, 'preview-child.ts')
const PATIENCE_MS = 15_000
const MOST_BYTES = 2 * 1024 * 1024
const MOST_MEMORY = 768 * 1024 * 1024
const LOOK_MS = 50

/** It reads the packages and itself, starts nothing and writes nothing; of the environment it gets nothing. */
export const DECODER_FLAGS = ['--max-old-space-size=128', '--disable-warning=PERM0001', '--permission', '--allow-addons', `--allow-fs-read=${join(SOURCE, 'node_modules')}`, `--allow-fs-read=${join(SOURCE, 'package.json')}`, `--allow-fs-read=${import.meta.dirname}`]

/** A picture that takes too much memory is one that was made for it. Where there is no /proc, the limit of pixels stands alone. */
function watchMemory(child: ChildProcess): NodeJS.Timeout {
  return setInterval(() => {
    try {
      const pages = Number(readFileSync(`/proc/${child.pid}/statm`, 'utf8').split(' ')[1])
      if (pages * 4096 > MOST_MEMORY) child.kill('SIGKILL')
    } catch {
      // it has ended, or this is not Linux
    }
  }, LOOK_MS)
}

/** A small WebP of a picture, or null where it does not open, is too large or takes too long. Decoded in a process of its own. */
export async function makePreview(picture: NodeJS.ReadableStream): Promise<Buffer | null> {
  const child = spawn(process.execPath, [...DECODER_FLAGS, CHILD], { env: {}, stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = new Promise<number | null>((resolve) => child.once('error', () => resolve(null)).once('close', resolve))
  const watch = watchMemory(child)
  const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  try {
    // A child that gives up closes its end of the pipe before all is written; what broke on our side is told below.
    const sending = pipeline(picture, child.stdin).then(() => null, (error: unknown) => error)
    const made = await buffer(child.stdout).catch(() => Buffer.alloc(0))
    const [code, failed] = [await ended, await sending]
    if (failed instanceof Problem) throw failed
    return code === 0 && made.length > 0 && made.length <= MOST_BYTES ? made : null
  } finally {
    clearTimeout(patience)
    clearInterval(watch)
    child.kill('SIGKILL')
  }
}
