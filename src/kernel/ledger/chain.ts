import { lengthPrefixed, uuidBytes } from '../base/index.ts'
import type { Sql } from '../db/types.ts'
import type { Vault } from '../vault/types.ts'
import { packIds } from './envelope.ts'
import type { Link } from './store.ts'

export const CHAIN_START: Buffer = Buffer.alloc(32)

function chained(node: string, seq: number, ids: Buffer, before: Buffer): Buffer {
  return lengthPrefixed(['sealbook/link/v1', uuidBytes(node), String(seq), ids, before])
}

/** Whether a link follows the one before it. False, never an error, for whatever is in the row. */
export function linkHolds(vault: Pick<Vault, 'macEquals'>, link: Link, before: Buffer): boolean {
  try {
    return vault.macEquals('ledger-link', chained(link.node, link.seq, link.ids, before), link.chain)
  } catch {
    return false
  }
}

/**
 * The chain of one node: each link names events this node has committed and is bound by HMAC to the
 * link before it. It moves on only when a link is durable, and from memory: what somebody did to the
 * links in the database meanwhile shows at the next one.
 */
export class NodeChain {
  readonly #node: string
  readonly #vault: Pick<Vault, 'mac' | 'macEquals'>
  #seq = 0
  #last = CHAIN_START

  constructor(node: string, vault: Pick<Vault, 'mac' | 'macEquals'>) {
    this.#node = node
    this.#vault = vault
  }

  async load(sql: Sql): Promise<void> {
    const [row] = await sql.query<{ seq: number; chain: Buffer }>('SELECT seq, chain FROM public.ledger_link WHERE node = $1 ORDER BY seq DESC LIMIT 1', [this.#node])
    if (!row) return
    this.#seq = row.seq
    this.#last = row.chain
  }

  next(ids: readonly string[]): Link {
    const packed = packIds(ids)
    const seq = this.#seq + 1
    return { node: this.#node, seq, ids: packed, chain: this.#vault.mac('ledger-link', chained(this.#node, seq, packed, this.#last)) }
  }

  accept(link: Link): void {
    this.#seq = link.seq
    this.#last = link.chain
  }

  endsWith(link: Link): boolean {
    return this.#seq === link.seq && this.#last.equals(link.chain)
  }

  /**
   * After an attempt that ended in doubt: takes up links of ours that were committed after all, and goes past
   * links somebody else wrote in this node's name, still bound to our own last one.
   */
  async catchUp(sql: Sql): Promise<void> {
    const links = await sql.query<Link>('SELECT node, seq, ids, chain FROM public.ledger_link WHERE node = $1 AND seq > $2 ORDER BY seq', [this.#node, this.#seq])
    for (const link of links) {
      if (linkHolds(this.#vault, link, this.#last)) this.#last = link.chain
      this.#seq = link.seq
    }
  }
}
