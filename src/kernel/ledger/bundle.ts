import { createReadStream } from 'node:fs'
import { Refusal } from '../base/index.ts'
import { envelopeBytes } from './envelope.ts'
import { parseEvent, parseHeader, type BundleEvent, type BundleHeader } from './bundle-format.ts'
import { Findings, HeadCheck, TimeCheck } from './findings.ts'
import { leafHash, sha256 } from './hash.ts'
import { openCheckpoint, parseVerifierKey, type Checkpoint, type NoteKey } from './note.ts'
import { Frontier, pieces } from './tree.ts'
import type { VerifyReport } from './types.ts'

export interface BundleReport extends VerifyReport {
  origin: string | null
  /** Leaves [first, end) of the tree were checked. */
  first: number
  end: number
  events: number
}

const LINE_LIMIT = 1024 * 1024

/**
 * Checks a bundle (export.ts) with nothing but the verifier key: every event hashes to its leaf, the leaves lead to the signed root, and with
 * `since`, an older checkpoint kept elsewhere, the tree only grew. Never throws for what is in the stream; rejects when the stream itself fails.
 */
export async function verifyBundle(stream: AsyncIterable<Uint8Array | string>, options: { vkey?: string; since?: string } = {}): Promise<BundleReport> {
  const check = new BundleCheck(options)
  let first = true
  for await (const line of lines(stream)) {
    const going = line === null ? check.malformed() : first ? check.header(line) : check.event(line)
    first = false
    if (!going) break
  }
  if (first) check.malformed()
  return check.report()
}

/** `verifyBundle` over a file. Throws Refusal bundle-unreadable (exit 2) when it cannot be opened or read. */
export async function verifyBundleFile(path: string, options: { vkey?: string; since?: string } = {}): Promise<BundleReport> {
  try {
    return await verifyBundle(createReadStream(path, { highWaterMark: LINE_LIMIT }), options)
  } catch (error) {
    throw new Refusal('bundle-unreadable', 'The bundle could not be read; name a file written by `sealbook ledger export`.', 2, error)
  }
}

/** Lines without their newline; null, and the end, when one is longer than any event can be. */
async function* lines(stream: AsyncIterable<Uint8Array | string>): AsyncGenerator<string | null> {
  let rest: Buffer[] = []
  let held = 0
  for await (const chunk of stream) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let from = 0
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      const line = rest.length > 0 ? Buffer.concat([...rest, bytes.subarray(from, at)]) : bytes.subarray(from, at)
      rest = []
      held = 0
      from = at + 1
      yield line.length > LINE_LIMIT ? null : line.toString('utf8')
    }
    if (from < bytes.length) rest.push(bytes.subarray(from))
    held += bytes.length - from
    if (held > LINE_LIMIT) {
      yield null
      return
    }
  }
  if (held > 0) yield Buffer.concat(rest).toString('utf8')
}

class BundleCheck {
  readonly #findings = new Findings()
  readonly #times = new TimeCheck(this.#findings)
  readonly #pinned: boolean
  readonly #options: { vkey?: string; since?: string }
  #header: BundleHeader | null = null
  #head: Checkpoint | null = null
  #since: Checkpoint | null = null
  #heads = new HeadCheck([], this.#findings)
  readonly #frontier = new Frontier()
  #next = 0
  #events = 0
  #gaps = false
  #withoutPayload = false
  #sinceOutside = false

  constructor(options: { vkey?: string; since?: string }) {
    this.#options = options
    this.#pinned = options.vkey !== undefined
  }

  malformed(): false {
    this.#findings.fail('bundle-malformed', this.#header ? this.#next : null)
    return false
  }

  header(line: string): boolean {
    const header = parseHeader(line)
    if (!header) return this.malformed()
    const key = parseVerifierKey(this.#options.vkey ?? header.verifierKey)
    if (!key || (this.#pinned && this.#options.vkey!.trim() !== header.verifierKey)) return this.#stop('verifier-key-invalid')
    const head = openCheckpoint(header.checkpoint, key)
    if (!head || head.origin !== header.origin) return this.#stop('checkpoint-forged')
    const { first, end, left, right } = header
    if (first > end || end > head.size || left.length !== pieces(0, first).length || right.length !== pieces(end, head.size).length) return this.malformed()
    this.#header = header
    this.#head = head
    this.#next = first
    pieces(0, first).forEach((p, i) => this.#frontier.add(Buffer.from(left[i]!, 'base64'), p.height))
    this.#openSince(key, head, header)
    this.#heads.reached(first, () => this.#frontier.root())
    return true
  }

  #stop(code: 'verifier-key-invalid' | 'checkpoint-forged'): false {
    this.#findings.fail(code, null)
    return false
  }

  /** An older head is compared while the tree passes its size; outside the events of this bundle the tree is not known leaf by leaf. */
  #openSince(key: NoteKey, head: Checkpoint, { first, end }: BundleHeader): void {
    if (this.#options.since === undefined) return
    const since = openCheckpoint(this.#options.since, key)
    if (!since) return this.#findings.fail('since-invalid', null)
    if (since.size > head.size) return this.#findings.fail('tree-truncated', head.size)
    this.#since = since
    this.#sinceOutside = since.size !== 0 && since.size !== head.size && (since.size < first || since.size > end)
    if (!this.#sinceOutside && since.size >= first) this.#heads = new HeadCheck([since], this.#findings)
  }

  event(line: string): boolean {
    const event = parseEvent(line)
    if (!event || !this.#header) return this.malformed()
    if (event.leaf < this.#next) {
      this.#findings.fail('leaf-duplicated', event.leaf, event.envelope.id)
      return true
    }
    if (event.leaf >= this.#header.end) return this.malformed()
    if (event.leaf > this.#next) {
      this.#findings.fail('leaf-missing', this.#next)
      this.#gaps = true
    }
    this.#next = event.leaf + 1
    this.#events++
    this.#frontier.add(this.#examine(event))
    if (!this.#gaps) this.#heads.reached(this.#next, () => this.#frontier.root())
    return true
  }

  #examine({ leaf, envelope, payload, hash }: BundleEvent): Buffer {
    if (!leafHash(envelopeBytes(envelope)).equals(hash)) this.#findings.fail('event-altered', leaf, envelope.id)
    if (payload === null) this.#withoutPayload ||= envelope.payloadHash !== null
    else if (!envelope.payloadHash?.equals(sha256(payload))) this.#findings.fail('payload-altered', leaf, envelope.id)
    this.#times.event(leaf, envelope.at)
    return hash
  }

  /** Adds what lies after the events and compares with the signed root. */
  #finish(header: BundleHeader, head: Checkpoint): void {
    if (this.#findings.has('bundle-malformed') || this.#gaps) return
    if (this.#next < header.end) return this.#findings.fail('bundle-incomplete', this.#next)
    pieces(header.end, head.size).forEach((p, i) => this.#frontier.add(Buffer.from(header.right[i]!, 'base64'), p.height))
    if (!this.#frontier.root().equals(head.root) && !this.#findings.has('checkpoint-inconsistent')) this.#findings.fail('checkpoint-inconsistent', Math.max(0, head.size - 1))
    this.#heads.reached(head.size, () => head.root)
  }

  report(): BundleReport {
    const [header, head] = [this.#header, this.#head]
    if (header && head) this.#finish(header, head)
    const { failures, count, warnings } = this.#findings
    return {
      ok: count === 0, size: head?.size ?? 0, root: head?.root.toString('base64') ?? '', checkpointAt: null,
      failures, failureCount: count, warnings, notProven: this.#notProven(),
      origin: header?.origin ?? null, first: header?.first ?? 0, end: this.#next, events: this.#events,
    }
  }

  #notProven(): string[] {
    const whole = this.#header?.first === 0 && this.#header.end === this.#head?.size
    return [
      ...(this.#since && !this.#sinceOutside ? [] : ['rollback-or-fork-since-anchor']),
      ...(this.#sinceOutside ? ['since-outside-range'] : []),
      ...(this.#pinned ? [] : ['verifier-key-not-pinned']),
      ...(whole ? [] : ['events-outside-range']),
      ...(this.#withoutPayload ? ['payloads-not-included'] : []),
    ]
  }
}
