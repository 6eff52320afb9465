import type { Sql } from '../../kernel/db/types.ts'

export interface Favourite {
  /** A noun as in an address, or `views`. */
  kind: string
  id: string
  at: string
}

export async function listFavourites(sql: Sql, personId: string): Promise<Favourite[]> {
  return sql.query<Favourite>('SELECT kind, object_id AS id, created_at AS at FROM favourite WHERE person_id = $1 ORDER BY created_at DESC, object_id', [personId])
}

export async function countFavourites(sql: Sql, personId: string): Promise<number> {
  const [row] = await sql.query<{ n: number }>('SELECT count(*) AS n FROM favourite WHERE person_id = $1', [personId])
  return row?.n ?? 0
}

export async function insertFavourite(sql: Sql, personId: string, { kind, id, at }: Favourite): Promise<void> {
  await sql.query('INSERT INTO favourite (person_id, kind, object_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING', [personId, kind, id, at])
}

export async function deleteFavourite(sql: Sql, personId: string, kind: string, id: string): Promise<void> {
  await sql.query('DELETE FROM favourite WHERE person_id = $1 AND kind = $2 AND object_id = $3', [personId, kind, id])
}
