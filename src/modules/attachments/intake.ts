import { createHash } from 'node:crypto'
import { Problem } from '../../kernel/base/index.ts'
import type { Scan } from './scanner.ts'
import { HEAD_BYTES, holdsBinary, isUtf16, sniff, type Sniffed } from './sniff.ts'

/** What is known of a file when all of it has gone by. */
export interface Taken {
  size: number
  sha256: string
  sniffed: Exclude<Sniffed, null>
}

/** Looks at a file while it goes by: how large it is, what it is, whether it is infected. The first that does not fit ends it there, not when all of it has come. */
export class Intake {
  readonly #name: string
  readonly #most: number
  readonly #scan: Scan | null
  readonly #hash = createHash('sha256')
  #head = Buffer.alloc(0)
  #sniffed: Sniffed | 'undecided' = 'undecided'
  #size = 0
  #utf16 = false

  constructor(name: string, most: number, scan: Scan | null) {
    this.#name = name
    this.#most = most
    this.#scan = scan
  }

  /** For `pipeline`. Throws Problem attachment-too-large, attachment-type-refused, scanner-unavailable, and Infected. */
  async *through(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const bytes of source) {
      this.#take(bytes)
      await this.#scan?.send(bytes)
      yield bytes
    }
    if (this.#sniffed === 'undecided') this.#decide()
    const found = await this.#scan?.verdict()
    if (found) throw new Infected(found)
  }

  /** After `through` has ended by itself. */
  taken(): Taken {
    if (this.#sniffed === 'undecided' || this.#sniffed === null) throw new Problem('attachment-type-refused')
    return { size: this.#size, sha256: this.#hash.digest('hex'), sniffed: this.#sniffed }
  }

  #take(bytes: Buffer): void {
    this.#size += bytes.length
    if (this.#size > this.#most) throw new Problem('attachment-too-large')
    this.#hash.update(bytes)
    if (this.#sniffed === 'undecided') {
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, HEAD_BYTES - this.#head.length)])
      if (this.#head.length >= HEAD_BYTES) this.#decide()
    }
    // A text is one to its last byte: what is no text further on is not taken for one by its beginning.
    if (isText(this.#sniffed) && !this.#utf16 && holdsBinary(bytes)) throw new Problem('attachment-type-refused')
  }

  #decide(): void {
    this.#sniffed = sniff(this.#head, this.#name)
    this.#utf16 = isUtf16(this.#head)
    if (this.#sniffed === null) throw new Problem('attachment-type-refused')
  }
}

const isText = (s: Sniffed | 'undecided'): boolean => typeof s === 'object' && s !== null && 'text' in s

/** A scanner found something. Its name for it is for the ledger, not for whoever sent it. */
export class Infected extends Error {
  readonly found: string

  constructor(found: string) {
    super('infected')
    this.found = found
  }
}
