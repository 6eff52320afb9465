import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Sql } from '../src/kernel/db/index.ts'
import type { Sealed } from './sealed/index.ts'
import type { Figure } from './table.ts'

const MB = 1024 * 1024

/** Table, indexes and TOAST of each, in bytes; a table that is not there counts nothing. */
async function sizeOf(superuser: Sql, tables: readonly string[]): Promise<number> {
  const [row] = await superuser.query<{ n: number }>('SELECT coalesce(sum(pg_total_relation_size(to_regclass(t))), 0)::bigint AS n FROM unnest($1::text[]) AS t', [tables])
  return row?.n ?? 0
}

async function ledgerSize(superuser: Sql): Promise<number> {
  const [row] = await superuser.query<{ n: number }>("SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint AS n FROM pg_class WHERE relkind = 'r' AND relname LIKE 'ledger\\_%'")
  return row?.n ?? 0
}

function keyStoreSize(home: string): number {
  return ['', '-wal'].map((tail) => statSync(join(home, 'keys', `keystore.sqlite${tail}`), { throwIfNoEntry: false })?.size ?? 0).reduce((a, b) => a + b, 0)
}

/** Bytes on disk of the same rows, sealed and plain, right after the import and a vacuum. */
export async function diskFigures(sealed: Sealed, bare: Sql, trigrams: boolean): Promise<Figure[]> {
  const tables = await sizeOf(sealed.superuser, ['contacts', 'companies', 'blind'])
  const keys = keyStoreSize(sealed.place.home)
  const plain = await sizeOf(bare, ['contacts', 'companies'])
  const trigramBytes = trigrams ? await sizeOf(bare, ['contacts_full_name']) : 0
  const figure = (name: string, bytes: number): Figure => ({ name, value: Math.round((bytes / MB) * 10) / 10, unit: 'MB' })
  const ratio = (plainBytes: number): number => Math.round(((tables + keys) / plainBytes) * 100) / 100
  return [
    figure('disk, sealed: contacts, companies, digests with indexes, padding on', tables),
    figure('disk, sealed: key store', keys),
    figure('disk, bare: contacts, companies with indexes', plain),
    { name: 'disk, sealed / bare', value: ratio(plain), unit: '×' },
    { name: "disk, sealed / bare without the bare's trigram index", value: ratio(plain - trigramBytes), unit: '×' },
    figure('disk, ledger (apart)', await ledgerSize(sealed.superuser)),
  ]
}

export function memoryFigures(rss: { empty: number; warm: number; after: number }): Figure[] {
  const figure = (name: string, bytes: number): Figure => ({ name, value: Math.round(bytes / MB), unit: 'MB' })
  return [
    figure('memory of the server, no rows', rss.empty),
    figure('memory of the server, lens warm', rss.warm),
    figure('memory of the lens (difference)', rss.warm - rss.empty),
    figure('memory of the server after the run', rss.after),
  ]
}
