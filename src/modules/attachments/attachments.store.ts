import type { Sql } from '../../kernel/db/types.ts'

export type FilePart = 'content' | 'preview'

/** The file of HOME/blobs that is one part of an attachment. */
export interface AttachmentFile {
  id: string
  attachmentId: string
  part: FilePart
}

export async function insertFile(sql: Sql, file: AttachmentFile, at: string): Promise<void> {
  await sql.query('INSERT INTO attachment_file (id, attachment_id, part, created_at) VALUES ($1, $2, $3, $4)', [file.id, file.attachmentId, file.part, at])
}

export async function findFile(sql: Sql, attachmentId: string, part: FilePart): Promise<string | null> {
  const [row] = await sql.query<{ id: string }>('SELECT id FROM attachment_file WHERE attachment_id = $1 AND part = $2', [attachmentId, part])
  return row?.id ?? null
}

export async function knownFiles(sql: Sql, ids: readonly string[]): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set()
  const rows = await sql.query<{ id: string }>('SELECT id FROM attachment_file WHERE id = ANY ($1::uuid[])', [ids])
  return new Set(rows.map((r) => r.id))
}

/** Attachments that have files and were deleted so many days ago. */
export async function expiredAttachments(sql: Sql, days: number, limit: number): Promise<{ id: string; recordId: string }[]> {
  return sql.query(
    'SELECT a.id, a.record_id AS "recordId" FROM attachments a WHERE a.deleted_at < now() - make_interval(days => $1) AND EXISTS (SELECT FROM attachment_file f WHERE f.attachment_id = a.id) ORDER BY a.id LIMIT $2',
    [days, limit],
  )
}

/** Records with files, in the order of their ids. */
export async function recordsWithFiles(sql: Sql, after: string, limit: number): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    'SELECT DISTINCT a.record_id AS id FROM attachments a JOIN attachment_file f ON f.attachment_id = a.id WHERE a.record_id > $1 ORDER BY 1 LIMIT $2',
    [after, limit],
  )
  return rows.map((r) => r.id)
}

export async function attachmentsOf(sql: Sql, recordId: string): Promise<string[]> {
  return (await sql.query<{ id: string }>('SELECT id FROM attachments WHERE record_id = $1', [recordId])).map((r) => r.id)
}

/** Takes the files of an attachment out of the table; they are nobody's from then on. */
export async function deleteFiles(sql: Sql, attachmentIds: readonly string[]): Promise<string[]> {
  return (await sql.query<{ id: string }>('DELETE FROM attachment_file WHERE attachment_id = ANY ($1::uuid[]) RETURNING id', [attachmentIds])).map((r) => r.id)
}
