import { createHmac } from 'node:crypto'
import { uuidText } from '../../../kernel/base/index.ts'

/** Makes the id of a record made at a moment (Unix ms). */
export type MakeId = (at: number) => string

/**
 * Ids of one run, the same each time it is planned: so a run that was killed goes on where it stood. Another run has others, because a
 * key that was destroyed never comes back. UUID version 7: lists are in the order of ids.
 */
export function idsOf(runId: string): MakeId {
  let n = 0
  return (at) => {
    const b = createHmac('sha256', runId).update(String(n++)).digest().subarray(0, 16)
    b.writeUIntBE(at, 0, 6)
    b[6] = 0x70 | (b[6]! & 0x0f)
    b[8] = 0x80 | (b[8]! & 0x3f)
    return uuidText(b)
  }
}
