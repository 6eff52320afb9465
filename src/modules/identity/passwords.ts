import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { lengthPrefixed, Problem } from '../../kernel/base/index.ts'
import type { Vault } from '../../kernel/vault/types.ts'

// RFC 9106 Argon2id; 64 MiB, three passes, one lane (106 ms when it was chosen).
const MEMORY_KIB = 65_536
const PASSES = 3
const LANES = 1
const TAG = 32
const SALT = 16
/** version(1) memory KiB(4) passes(4) lanes(1) salt(16) tag(32) */
const VERSION = 1
const SIZE = 10 + SALT + TAG

const MOST_RUNNING = 3
const MOST_WAITING = 64
const MOST_PER_NETWORK = 4

/** At 64 MiB a run, sign-ins must not add up to the machine's memory; whoever comes when the queue is full is told to wait. */
class Turnstile {
  #running = 0
  readonly #waiting: { go: () => void }[] = []
  readonly #perNetwork = new Map<string, number>()

  async pass<T>(network: string, work: () => Promise<T>): Promise<T> {
    const mine = this.#perNetwork.get(network) ?? 0
    // One network cannot take every place in the queue from the others.
    if (mine >= MOST_PER_NETWORK || this.#waiting.length >= MOST_WAITING) throw new Problem('rate', { extra: { retryAfterSeconds: 1 } })
    this.#perNetwork.set(network, mine + 1)
    try {
      if (this.#running >= MOST_RUNNING) await new Promise<void>((go) => this.#waiting.push({ go }))
      else this.#running++
      try {
        return await work()
      } finally {
        const next = this.#waiting.shift()
        if (next) next.go()
        else this.#running--
      }
    } finally {
      const left = (this.#perNetwork.get(network) ?? 1) - 1
      if (left > 0) this.#perNetwork.set(network, left)
      else this.#perNetwork.delete(network)
    }
  }
}

const turnstile = new Turnstile()

interface Cost {
  memory: number
  passes: number
  lanes: number
}

/** The pepper is per person, under a key the database does not have: a stolen hash cannot be tried, nor moved to another account. */
const pepperOf = (vault: Vault, personId: string): Buffer => vault.mac('pepper', lengthPrefixed(['password', personId]))

function run(vault: Vault, personId: string, password: string, salt: Uint8Array, cost: Cost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const message = Buffer.from(password.normalize('NFC'))
    argon2('argon2id', { message, nonce: salt, memory: cost.memory, passes: cost.passes, parallelism: cost.lanes, tagLength: TAG, secret: pepperOf(vault, personId) }, (error, tag) => {
      message.fill(0)
      if (error) reject(error)
      else resolve(tag)
    })
  })
}

export async function hashPassword(vault: Vault, personId: string, password: string, network = 'local'): Promise<Buffer> {
  const salt = randomBytes(SALT)
  const tag = await turnstile.pass(network, () => run(vault, personId, password, salt, { memory: MEMORY_KIB, passes: PASSES, lanes: LANES }))
  const head = Buffer.alloc(10)
  head[0] = VERSION
  head.writeUInt32BE(MEMORY_KIB, 1)
  head.writeUInt32BE(PASSES, 5)
  head[9] = LANES
  return Buffer.concat([head, salt, tag])
}

/** A hash of nothing, for accounts that do not exist: the same work for the same time, and never a match. */
const NO_SALT = Buffer.alloc(SALT)

export async function verifyPassword(vault: Vault, personId: string | null, stored: Uint8Array | null, password: string, network = 'local'): Promise<boolean> {
  const bytes = stored ? Buffer.from(stored) : null
  if (bytes && (bytes.length !== SIZE || bytes[0] !== VERSION)) throw new Problem('seal-broken')
  const cost: Cost = bytes ? { memory: bytes.readUInt32BE(1), passes: bytes.readUInt32BE(5), lanes: bytes[9]! } : { memory: MEMORY_KIB, passes: PASSES, lanes: LANES }
  const salt = bytes ? bytes.subarray(10, 10 + SALT) : NO_SALT
  const tag = await turnstile.pass(network, () => run(vault, personId ?? '', password, salt, cost))
  return bytes !== null && timingSafeEqual(tag, bytes.subarray(10 + SALT))
}
