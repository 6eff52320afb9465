import { createHash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { Refusal } from '../kernel/base/index.ts'
import type { Terminal } from './verb.ts'

/** Reads a file the person named. Throws a Refusal (exit 2) that says which flag, not what was in it. */
export async function readNamed(terminal: Terminal, flag: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw unreadable(terminal, flag, error)
  }
}

export function unreadable(terminal: Terminal, flag: string, error: unknown): Refusal {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  return new Refusal('file-unreadable', terminal.say(`The file of ${flag} cannot be read (${code}); correct its path or its rights.`, `无法读取 ${flag} 指定的文件（${code}）；请检查路径和权限。`), 2, error)
}

/** The first line of a secret's file, without its line ending; secrets never stand in argv. */
export async function firstLine(terminal: Terminal, flag: string, path: string): Promise<string> {
  const line = ((await readNamed(terminal, flag, path)).toString('utf8').split('\n')[0] ?? '').replace(/\r$/, '')
  if (line === '') throw new Refusal('file-unreadable', terminal.say(`The first line of the file of ${flag} is empty.`, `${flag} 指定文件的第一行为空。`), 2)
  return line
}

/** Refuses early what could not be written later: the folder is missing or read-only, or (for secrets) the name is taken. */
export async function checkWritable(terminal: Terminal, flag: string, path: string, options: { fresh: boolean }): Promise<void> {
  const refused = (en: string, zh: string): Refusal => new Refusal('file-unwritable', terminal.say(`The file of ${flag} ${en}`, `${flag} 指定的文件${zh}`), 2)
  await access(dirname(resolve(path)), constants.W_OK).catch(() => {
    throw refused('cannot be written: choose a folder that exists and can be written.', '无法写入：请选择存在且可写的目录。')
  })
  const there = await access(path).then(() => true, () => false)
  if (there && options.fresh) throw refused('exists already: choose a name that is free.', '已存在：请换一个文件名。')
}

export interface Written {
  bytes: number
  sha256: string
}

/** Writes a stream beside its target (0600), makes it durable, then puts it in place: whole or not at all. `accept` may still refuse by throwing. */
export async function writeWhole(path: string, from: Readable | string | Uint8Array, accept: (written: Written) => void = () => undefined): Promise<Written> {
  const target = resolve(path)
  const fresh = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`)
  const file = await open(fresh, 'wx', 0o600)
  const hash = createHash('sha256')
  let bytes = 0
  try {
    for await (const chunk of typeof from === 'string' || from instanceof Uint8Array ? [from] : from) {
      const part = Buffer.from(chunk as string | Uint8Array) // a byte stream without encoding, or what was given
      hash.update(part)
      bytes += part.length
      await file.writeFile(part)
    }
    await file.sync()
    await file.close()
    const written = { bytes, sha256: hash.digest('hex') }
    accept(written)
    await rename(fresh, target)
    return written
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(fresh, { force: true })
    throw error
  }
}
