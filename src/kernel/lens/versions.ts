import { uuidBytes } from '../base/index.ts'

const SHARDS = 64
const ABSENT = 0
/** A version no record reaches; a removal with it is for ever. */
export const MAX_VERSION = 0x7ffffffe

/** What is known of a row: the version in the lens, or the version up to which it was removed. */
export type Known = { live: boolean; version: number } | null

/**
 * Which version of which row the lens holds, and which rows were removed: 20 bytes an entry in flat arrays, where a Map of a million
 * strings takes 150 and a second. It answers "is this newer?" without a query, and it is what keeps a removed row from coming back with
 * a late write or a slow fill. Entries are never dropped: a removal must outlive everything that could undo it.
 */
export class Versions {
  readonly #shards = Array.from({ length: SHARDS }, () => new Shard())
  #live = 0

  /** How many rows are live. */
  get live(): number {
    return this.#live
  }

  get(id: string): Known {
    const key = uuidBytes(id)
    const state = this.#shard(key).get(key)
    return state === ABSENT ? null : { live: state > 0, version: Math.abs(state) - 1 }
  }

  set(id: string, version: number, live: boolean): void {
    const key = uuidBytes(id)
    const shard = this.#shard(key)
    const wasLive = shard.get(key) > 0
    shard.set(key, live ? version + 1 : -(version + 1))
    this.#live += Number(live) - Number(wasLive)
  }

  /** Only what is known of removed rows: what a table that was emptied must go on knowing. */
  removedOnly(): Versions {
    const kept = new Versions()
    for (const [at, shard] of this.#shards.entries()) kept.#shards[at]?.copyRemoved(shard)
    return kept
  }

  #shard(key: Buffer): Shard {
    // The last bytes are random in every UUID in use; the first are a clock in version 7.
    return this.#shards[(key[15] ?? 0) % SHARDS] ?? fail()
  }
}

function fail(): never {
  throw new RangeError('shard out of range')
}

/** Open addressing with linear probing, at most two thirds full. Small, so that growing one takes a few milliseconds at most. */
class Shard {
  #capacity = 64
  #used = 0
  #keys = new Uint32Array(4 * 64)
  #states = new Int32Array(64)

  get(key: Buffer): number {
    return this.#states[this.#find(key)] ?? ABSENT
  }

  set(key: Buffer, state: number): void {
    const at = this.#find(key)
    if (this.#states[at] === ABSENT) {
      for (let word = 0; word < 4; word++) this.#keys[4 * at + word] = key.readUInt32LE(4 * word)
      this.#used++
    }
    this.#states[at] = state
    if (3 * this.#used > 2 * this.#capacity) this.#grow()
  }

  copyRemoved(from: Shard): void {
    for (const [at, state] of from.#states.entries()) {
      if (state >= ABSENT) continue
      const key = Buffer.alloc(16)
      for (let word = 0; word < 4; word++) key.writeUInt32LE(from.#keys[4 * at + word] ?? 0, 4 * word)
      this.set(key, state)
    }
  }

  #find(key: Buffer): number {
    return this.#probe(key.readUInt32LE(0), key.readUInt32LE(4), key.readUInt32LE(8), key.readUInt32LE(12))
  }

  #probe(a: number, b: number, c: number, d: number): number {
    const keys = this.#keys
    const last = this.#capacity - 1
    let at = (Math.imul(d ^ c, 0x9e3779b1) ^ Math.imul(b ^ a, 0x85ebca6b)) >>> 7
    for (at &= last; this.#states[at] !== ABSENT; at = (at + 1) & last) {
      const k = 4 * at
      if (keys[k] === a && keys[k + 1] === b && keys[k + 2] === c && keys[k + 3] === d) break
    }
    return at
  }

  #grow(): void {
    const keys = this.#keys
    const states = this.#states
    this.#capacity *= 2
    this.#keys = new Uint32Array(4 * this.#capacity)
    this.#states = new Int32Array(this.#capacity)
    for (const [from, state] of states.entries()) {
      if (state === ABSENT) continue
      const at = this.#probe(keys[4 * from] ?? 0, keys[4 * from + 1] ?? 0, keys[4 * from + 2] ?? 0, keys[4 * from + 3] ?? 0)
      this.#keys.set(keys.subarray(4 * from, 4 * from + 4), 4 * at)
      this.#states[at] = state
    }
  }
}
