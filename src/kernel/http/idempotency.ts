import { isUuid, lengthPrefixed, Problem, uuidText } from '../base/index.ts'
import { isDivisionByZero } from '../db/index.ts'
import type { Sql } from '../db/types.ts'
import type { Cell, Vault } from '../vault/types.ts'
import type { KeepAnswer } from '../work/index.ts'
import type { Answer } from './types.ts'

export interface IdempotentCall {
  personId: string
  route: string
  key: string
  body: unknown
}

interface Kept {
  bodyMac: Buffer
  status: number
  sealOwner: string | null
  answer: Buffer
}

interface Macs {
  key: Buffer
  body: Buffer
}

function macsOf(vault: Vault, call: IdempotentCall): Macs {
  if (!/^[\x21-\x7e]{1,200}$/.test(call.key)) throw new Problem('invalid', { errors: [{ path: 'Idempotency-Key', code: 'invalid-key' }] })
  const key = vault.mac('cursor', lengthPrefixed(['idempotency', call.personId, call.route, call.key]))
  return { key, body: vault.mac('cursor', lengthPrefixed(['idempotency-body', key, JSON.stringify(call.body ?? null)])) }
}

// A kept answer is bound to its key, its body and its status: in the database none can be put under another request, nor made to say it went otherwise.
const boundOf = (macs: Macs, status: number): Buffer => lengthPrefixed([macs.key, macs.body, String(status)])
const cellOf = (macs: Macs, status: number): Cell => ({ table: 'idempotency', compartment: 'answer', rowId: uuidText(macs.key.subarray(0, 16)), rowVersion: 1, bound: boundOf(macs, status) })
const labelOf = (macs: Macs, status: number): string => `idempotency ${boundOf(macs, status).toString('base64url')}`

function sealAnswer(vault: Vault, macs: Macs, status: number, answer: { body: object; version: number | null }): { owner: string | null; sealed: Buffer } {
  const bytes = Buffer.from(JSON.stringify(answer))
  const id = 'id' in answer.body ? answer.body.id : null
  // Sealed under the record's own key where it has one: erasing the person makes the kept answer unreadable at once.
  if (isUuid(id) && vault.hasOwnerKey(id)) return { owner: id, sealed: vault.seal(vault.ownerKey(id), cellOf(macs, status), bytes) }
  return { owner: null, sealed: vault.sealInstance(labelOf(macs, status), bytes) }
}

/** The kept answer of this very request, or null. Throws idempotency-key-reused for another body. */
export async function keptAnswer(sql: Sql, vault: Vault, call: IdempotentCall): Promise<Answer<unknown> | null> {
  const macs = macsOf(vault, call)
  const [row] = await sql.prepared<Kept>('SELECT body_mac AS "bodyMac", status, seal_owner AS "sealOwner", answer FROM idempotency WHERE key_mac = $1 AND created_at > now() - interval \'24 hours\'', [macs.key])
  if (!row) return null
  if (!row.bodyMac.equals(macs.body)) throw new Problem('idempotency-key-reused')
  const bytes = row.sealOwner ? vault.open(vault.ownerKey(row.sealOwner), cellOf(macs, row.status), row.answer) : vault.openInstance(labelOf(macs, row.status), row.answer)
  const kept = JSON.parse(bytes.toString()) as { body: unknown; version: number | null } // our own bytes, authenticated
  return { body: kept.body, status: row.status, ...(kept.version === null ? {} : { version: kept.version }) }
}

/** Keeps the answer in the write's own transaction; of two requests with one key at once, the second waits for the first and is then undone. */
export function keepAnswer(vault: Vault, call: IdempotentCall, status: number): KeepAnswer {
  const macs = macsOf(vault, call)
  return (tx, answer) => {
    const { owner, sealed } = sealAnswer(vault, macs, status, answer)
    tx.send("DELETE FROM idempotency WHERE key_mac = $1 AND created_at <= now() - interval '24 hours'", [macs.key])
    tx.send(KEEP, [macs.key, macs.body, status, owner, sealed], (error) => (isDivisionByZero(error) ? new AnsweredMeanwhile() : error))
  }
}

/** 1 / 0 where another's answer is kept already: an error of PostgreSQL, which no COMMIT behind it survives. */
const KEEP = `WITH made AS (INSERT INTO idempotency (key_mac, body_mac, status, seal_owner, answer) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING 1)
  SELECT 1 / count(*)::int AS made FROM made`

/** Another request with the same key committed while this one waited; the door answers with what it kept. */
export class AnsweredMeanwhile extends Error {}

export async function purgeIdempotency(sql: Sql): Promise<void> {
  await sql.query("DELETE FROM idempotency WHERE created_at < now() - interval '24 hours'")
}
