import type { Tx } from '../../kernel/db/types.ts'

const DEEPEST = 100

/** Whether `parentId` is the company or stands under it. Whoever moves a company waits for the others that do: two moves at once could close a circle that neither sees. */
export async function closesCircle(tx: Tx, id: string, parentId: string): Promise<boolean> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtextextended('company hierarchy', 0))", [])
  const above = await tx.query<{ id: string; depth: number }>(
    `WITH RECURSIVE above AS (
       SELECT id, parent_id, 1 AS depth FROM companies WHERE id = $1
       UNION ALL
       SELECT c.id, c.parent_id, above.depth + 1 FROM companies c JOIN above ON c.id = above.parent_id WHERE above.depth < ${DEEPEST}
     ) SELECT id, depth FROM above`,
    [parentId],
  )
  // One that is deeper than anybody's firm is taken for a circle somebody planted in the database.
  return above.some((row) => row.id === id || row.depth >= DEEPEST)
}
