import type { Sql, Tx } from '../../kernel/db/types.ts'
import type { Authority } from '../access/index.ts'

export interface DemoRun {
  id: string
  /** 'shredding': its rows are gone, keys may be left. */
  state: 'making' | 'made' | 'shredding'
  /** Whose rights it is made with. */
  personId: string
  /** Everything lies before this day, YYYY-MM-DD. */
  day: string
}

/** Rows of one noun (also `person` and `department`) made in one transaction. */
export interface DemoBatch {
  n: number
  noun: string
  ids: string[]
}

const runParts = (r: DemoRun): string[] => [r.id, r.state, r.personId, r.day]
const batchParts = (runId: string, b: DemoBatch): string[] => [runId, String(b.n), b.noun, ...b.ids]

/** The run there is, or null. Throws Problem seal-broken. */
export async function findRun(sql: Sql, authority: Authority): Promise<DemoRun | null> {
  const [row] = await sql.query<DemoRun & { mac: Buffer }>('SELECT id, state, person_id AS "personId", day::text AS day, mac FROM demo_run')
  if (!row) return null
  const { mac, ...run } = row
  authority.check('demo_run', run.id, runParts(run), mac)
  return run
}

export async function insertRun(tx: Tx, authority: Authority, run: DemoRun): Promise<void> {
  await tx.query('INSERT INTO demo_run (id, state, person_id, day, mac) VALUES ($1, $2, $3, $4, $5)', [run.id, run.state, run.personId, run.day, authority.mac('demo_run', runParts(run))])
}

export async function moveRun(tx: Tx, authority: Authority, run: DemoRun, state: DemoRun['state']): Promise<void> {
  await tx.query('UPDATE demo_run SET state = $2, mac = $3 WHERE id = $1', [run.id, state, authority.mac('demo_run', runParts({ ...run, state }))])
}

/** Every batch, each checked: a row nobody of ours listed must not be taken for an invented one. Throws Problem seal-broken. */
export async function batchesOf(sql: Sql, authority: Authority, runId: string): Promise<DemoBatch[]> {
  const rows = await sql.query<DemoBatch & { mac: Buffer }>('SELECT n, noun, ids::text[] AS ids, mac FROM demo_batch WHERE run_id = $1 ORDER BY n', [runId])
  return rows.map(({ mac, ...batch }) => {
    authority.check('demo_batch', runId, batchParts(runId, batch), mac)
    return batch
  })
}

export async function insertBatch(tx: Tx, authority: Authority, runId: string, batch: DemoBatch): Promise<void> {
  await tx.query('INSERT INTO demo_batch (run_id, n, noun, ids, mac) VALUES ($1, $2, $3, $4::uuid[], $5)', [runId, batch.n, batch.noun, batch.ids, authority.mac('demo_batch', batchParts(runId, batch))])
}

/** Lets go of what stays although it was of the run: it is the organisation's own from now on. */
export async function letGo(tx: Tx, authority: Authority, runId: string, batches: readonly DemoBatch[], kept: ReadonlySet<string>): Promise<void> {
  for (const batch of batches) {
    const ids = batch.ids.filter((id) => !kept.has(id))
    if (ids.length === batch.ids.length) continue
    await tx.query('DELETE FROM demo_batch WHERE run_id = $1 AND n = $2', [runId, batch.n])
    if (ids.length > 0) await insertBatch(tx, authority, runId, { ...batch, ids })
  }
}

/** Forgets the run; its rows and keys are gone. */
export async function deleteRun(tx: Tx, runId: string): Promise<void> {
  await tx.query('DELETE FROM demo_batch WHERE run_id = $1', [runId])
  await tx.query('DELETE FROM demo_run WHERE id = $1', [runId])
}

/** Whether a table has any row at all. `table` comes from an entity. */
export async function hasRows(sql: Sql, table: string): Promise<boolean> {
  const [row] = await sql.query<{ there: boolean }>(`SELECT EXISTS (SELECT 1 FROM ${table}) AS there`)
  return row?.there ?? false
}

/** Rows of a table that point by one of these columns at a row that goes, and do not go themselves. `nobodys`: whose owner goes. Names come from an entity. */
export async function pointingRows(sql: Sql, gone: readonly string[], table: string, columns: readonly string[]): Promise<{ id: string; deleted: boolean; nobodys: boolean }[]> {
  const points = columns.map((c) => `${c} IN (SELECT id FROM gone)`).join(' OR ')
  return sql.query(
    `WITH gone AS MATERIALIZED (SELECT unnest($1::uuid[]) AS id)
     SELECT id, deleted_at IS NOT NULL AS deleted, owner_id IN (SELECT id FROM gone) AS nobodys FROM ${table} WHERE (${points}) AND id NOT IN (SELECT id FROM gone) ORDER BY id`,
    [gone],
  )
}

/** Of these targets, those that rows of a table which do not go point at. */
export async function targetsInUse(sql: Sql, gone: readonly string[], table: string, column: string, targets: readonly string[]): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `WITH gone AS MATERIALIZED (SELECT unnest($1::uuid[]) AS id) SELECT DISTINCT ${column} AS id FROM ${table} WHERE ${column} = ANY ($2::uuid[]) AND id NOT IN (SELECT id FROM gone)`,
    [gone, targets],
  )
  return rows.map((r) => r.id)
}

/** Files of attachments that go; the sweep of the folder takes the bytes. */
export async function deleteFiles(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.query('DELETE FROM attachment_file WHERE attachment_id = ANY ($1::uuid[])', [ids])
}

/** What was told to people who never were there. */
export async function deleteNotices(tx: Tx, people: readonly string[]): Promise<void> {
  await tx.query('DELETE FROM notification WHERE person_id = ANY ($1::uuid[])', [people])
}

export async function deleteViews(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.query('DELETE FROM saved_view WHERE id = ANY ($1::uuid[])', [ids])
}

/** The file that was put on a record already, or null. */
export async function fileOn(sql: Sql, recordId: string): Promise<string | null> {
  const [row] = await sql.query<{ id: string }>('SELECT id FROM attachments WHERE record_id = $1 ORDER BY id LIMIT 1', [recordId])
  return row?.id ?? null
}

/** Takes rows away for good, with what finds them. Returns how many there were. */
export async function deleteRows(tx: Tx, table: string, ids: readonly string[]): Promise<number> {
  await tx.query('DELETE FROM blind WHERE row_id = ANY ($1::uuid[])', [ids])
  await tx.query('DELETE FROM undo_step WHERE row_id = ANY ($1::uuid[])', [ids])
  return (await tx.query(`DELETE FROM ${table} WHERE id = ANY ($1::uuid[]) RETURNING 1 AS gone`, [ids])).length
}
