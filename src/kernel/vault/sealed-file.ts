import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto'
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { defineProblems, lengthPrefixed, Problem } from '../base/index.ts'
import { ChunkReader, ChunkSealer } from './chunked.ts'
import { fsyncFolder } from './custodian.ts'
import type { Cell, OwnerKey, Vault } from './types.ts'

defineProblems({
  'storage-unavailable': { status: 503, title: 'Storage unavailable', en: 'Nothing was kept; try again shortly, and if it lasts ask the operator to free disk space.', zh: '未保存任何内容；请稍后重试，如持续出现，请联系运维人员释放磁盘空间。' },
})

/*
 * A sealed file: "SBFILE" version(1) holder(1) length(2) wrapped file key, then the chunked message. The file key is
 * random, wrapped under the instance, or under an owner, so that destroying the owner's key shreds the file as well.
 */
const MAGIC = Buffer.from('SBFILE')
const VERSION = 1
const HOLDER = { instance: 1, owner: 2 } as const
const FIXED = 10

type FileVault = Pick<Vault, 'instanceId' | 'sealInstance' | 'openInstance' | 'seal' | 'open'>

/** Bound into the wrap and into the message: a file under another label or another header does not open. */
const contextOf = (vault: FileVault, label: string, head: Uint8Array): Buffer => lengthPrefixed(['sealbook/v1', vault.instanceId, 'file', label, head])
const cellOf = (owner: OwnerKey, label: string): Cell => ({ table: 'file', compartment: 'key', rowId: owner.ownerId, rowVersion: 1, bound: Buffer.from(label) })

function newHead(vault: FileVault, label: string, owner: OwnerKey | null): { head: Buffer; key: KeyObject } {
  const secret = randomBytes(32)
  const wrapped = owner ? vault.seal(owner, cellOf(owner, label), secret) : vault.sealInstance(`file ${label}`, secret)
  const fixed = Buffer.concat([MAGIC, Buffer.from([VERSION, owner ? HOLDER.owner : HOLDER.instance, 0, 0])])
  fixed.writeUInt16BE(wrapped.length, FIXED - 2)
  const key = createSecretKey(secret)
  secret.fill(0)
  return { head: Buffer.concat([fixed, wrapped]), key }
}

/** Throws Problem seal-broken. */
async function readHead(vault: FileVault, file: FileHandle, label: string, owner: OwnerKey | null): Promise<{ head: Buffer; key: KeyObject }> {
  const fixed = await readAt(file, 0, FIXED)
  const holder = owner ? HOLDER.owner : HOLDER.instance
  if (!fixed.subarray(0, 6).equals(MAGIC) || fixed[6] !== VERSION || fixed[7] !== holder) throw new Problem('seal-broken')
  const wrapped = await readAt(file, FIXED, fixed.readUInt16BE(FIXED - 2))
  const secret = owner ? vault.open(owner, cellOf(owner, label), wrapped) : vault.openInstance(`file ${label}`, wrapped)
  if (secret.length !== 32) throw new Problem('seal-broken')
  const key = createSecretKey(secret)
  secret.fill(0)
  return { head: Buffer.concat([fixed, wrapped]), key }
}

const asProblem = (error: unknown): Problem => (error instanceof Problem ? error : new Problem('storage-unavailable', { cause: error }))

/** Exactly `length` bytes. Throws Problem seal-broken where the file is shorter, storage-unavailable. */
async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  let at = 0
  while (at < length) {
    const { bytesRead } = await file.read(bytes, at, length - at, offset + at).catch((error: unknown) => {
      throw asProblem(error)
    })
    if (bytesRead === 0) throw new Problem('seal-broken')
    at += bytesRead
  }
  return bytes
}

class SealedFileWriter extends Writable {
  readonly #path: string
  readonly #head: Buffer
  readonly #sealer: ChunkSealer
  #file: FileHandle | null = null
  #whole = false

  constructor(path: string, head: Buffer, sealer: ChunkSealer) {
    super({ highWaterMark: 64 * 1024 })
    this.#path = path
    this.#head = head
    this.#sealer = sealer
  }

  override _construct(done: (error?: Error | null) => void): void {
    this.#step(done, async () => {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 })
      this.#file = await open(this.#path, 'wx', 0o600)
      await this.#file.appendFile(Buffer.concat([this.#head, this.#sealer.head]))
    })
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#step(done, async () => {
      const chunks = [...this.#sealer.update(bytes)]
      if (chunks.length > 0) await this.#file!.appendFile(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    })
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#step(done, async () => {
      await this.#file!.appendFile(this.#sealer.final())
      await this.#file!.sync()
      fsyncFolder(dirname(this.#path))
      this.#whole = true
    })
  }

  /** A file that was not finished is taken away: there are whole ones only. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const file = this.#file
    const end = async (): Promise<void> => {
      await file?.close()
      if (file && !this.#whole) await rm(this.#path, { force: true })
    }
    void end().then(
      () => done(error),
      (failed: unknown) => done(error ?? asProblem(failed)),
    )
  }

  #step(done: (error?: Error | null) => void, work: () => Promise<void>): void {
    void work().then(
      () => done(),
      (error: unknown) => done(asProblem(error)),
    )
  }
}

/**
 * A new file (0600) to write plain bytes into; on disk there is only ciphertext. It is durable when the stream has finished,
 * and gone, once it has closed, when it was destroyed or failed before. `label` says what it is for (a staging file and its import) and must be
 * the same at opening. With `owner`, destroying that owner's key shreds it. Fails with Problem storage-unavailable, also where the name is taken.
 */
export function createSealedFile(vault: FileVault, path: string, label: string, owner: OwnerKey | null = null): Writable {
  const { head, key } = newHead(vault, label, owner)
  return new SealedFileWriter(path, head, new ChunkSealer(key, contextOf(vault, label, head)))
}

export interface SealedFile {
  /** Bytes of plain text, checked against the seal. */
  readonly size: number
  /** The bytes from `start` up to, without, `end` (all of it by default), in constant memory. Fails with Problem seal-broken at the first changed chunk. */
  stream(start?: number, end?: number): Readable
  /** The bytes from `start` up to, without, `end`. Throws a RangeError outside the file, Problem seal-broken. */
  range(start: number, end: number): Promise<Buffer>
  close(): Promise<void>
}

const READ_BYTES = 256 * 1024

/** Throws Problem not-found, storage-unavailable, and seal-broken for another label or owner, changed bytes, and a file that was cut off. */
export async function openSealedFile(vault: FileVault, path: string, label: string, owner: OwnerKey | null = null): Promise<SealedFile> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw (error as { code?: unknown }).code === 'ENOENT' ? new Problem('not-found', { cause: error }) : asProblem(error)
  })
  try {
    const { head, key } = await readHead(vault, file, label, owner)
    const source = { size: (await file.stat()).size - head.length, read: (offset: number, length: number) => readAt(file, head.length + offset, length) }
    const reader = await ChunkReader.open(source, key, contextOf(vault, label, head))
    return { size: reader.size, stream: (start = 0, end = reader.size) => Readable.from(pieces(reader, start, end), { objectMode: false }), range: (start, end) => reader.range(start, end), close: () => file.close() }
  } catch (error) {
    await file.close()
    throw asProblem(error)
  }
}

async function* pieces(reader: ChunkReader, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end; at += READ_BYTES) yield await reader.range(at, Math.min(end, at + READ_BYTES))
}
