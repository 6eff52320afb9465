import { PassThrough } from 'node:stream'
import { route, type Route } from '../../kernel/http/index.ts'
import { checkpoint, exportBundle, proof, verifierKey, verify } from './trail.contract.ts'

const plain = { 'Content-Type': 'text/plain; charset=utf-8' }

/** The database answers times with six decimals; the contract's carry three. */
const milliseconds = (time: string | null): string | null => time?.replace(/(\.\d{3})\d+Z$/, '$1Z') ?? null

/** Drops absent members: exactOptionalPropertyTypes tells "absent" from "undefined". */
function present<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> } // only undefined was dropped
}

export const trailRoutes: readonly Route[] = [
  route(checkpoint, async (desk) => ({ body: undefined, headers: plain, stream: await desk.ledger.checkpoint() })),
  route(verifierKey, async (desk) => ({ body: undefined, headers: plain, stream: `${desk.ledger.verifierKey()}\n` })),
  route(proof, async (desk, { query }) => ({ body: await desk.ledger.proof(query.leaf) })),
  route(verify, async (desk, { body }) => {
    const report = await desk.ledger.verify(present(body))
    desk.record({ action: 'ledger.verified', detail: { ok: report.ok, size: report.size } })
    return { body: { ...report, checkpointAt: milliseconds(report.checkpointAt) } }
  }),
  route(exportBundle, async (desk, { body }) => {
    // Recorded before the first byte can leave: the door waits for it.
    desk.record({ action: 'ledger.exported', purpose: 'export', detail: present(body) })
    const out = new PassThrough()
    // A failure midway ends the connection instead of the file: the client must not take half a bundle for a whole one.
    desk.ledger.exportBundle(out, present(body)).then(
      () => out.end(),
      (error: unknown) => out.destroy(error instanceof Error ? error : new Error('export failed')),
    )
    return { body: undefined, headers: { 'Content-Type': 'application/octet-stream' }, stream: out }
  }),
]
