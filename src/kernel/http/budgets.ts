import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { networkOf } from '../base/index.ts'
import type { Authenticator } from './types.ts'

const MOST_KNOWN = 20_000

/**
 * Whose budget a request is counted against. A credential has one of its own only after it was found to be good: were any made-up one
 * enough, whoever sends another with each request would never run out. All other requests share the budget of their network.
 */
export class Budgets {
  /** Digests of good credentials, the least lately proven first. */
  readonly #good = new Set<string>()

  /** The same authenticator, whose findings are remembered here. */
  watching(inner: Authenticator): Authenticator {
    return {
      authenticate: async (request) => {
        const actor = await inner.authenticate(request)
        const digest = digestOf(request)
        if (digest !== null) this.#note(digest, actor !== null)
        return actor
      },
      forget: (actor) => inner.forget(actor),
    }
  }

  keyOf(request: FastifyRequest): string {
    const digest = digestOf(request)
    return digest !== null && this.#good.has(digest) ? `c:${digest}` : `n:${networkOf(request.ip)}`
  }

  #note(digest: string, good: boolean): void {
    this.#good.delete(digest)
    if (!good) return
    for (const oldest of this.#good) {
      if (this.#good.size < MOST_KNOWN) break
      this.#good.delete(oldest)
    }
    this.#good.add(digest)
  }
}

function digestOf(request: FastifyRequest): string | null {
  const credential = request.headers.authorization ?? request.cookies['__Host-session']
  return credential ? createHash('sha256').update(credential).digest('base64') : null
}
