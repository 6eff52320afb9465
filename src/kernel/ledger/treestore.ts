import type { Sql } from '../db/types.ts'
import { nodeHash } from './hash.ts'
import { storedHashes } from './store.ts'
import { BLOCK_WIDTH, type HashReader } from './tree.ts'

function fold(hashes: readonly Buffer[]): Buffer {
  let row = hashes
  while (row.length > 1) {
    const up: Buffer[] = []
    for (let i = 0; i < row.length; i += 2) up.push(nodeHash(row[i]!, row[i + 1]!))
    row = up
  }
  return row[0]!
}

/** Reads hashes of the tree; a block that is not there (or not to be trusted) is folded from the level below it. */
export function hashReader(sql: Sql, options: { leavesOnly?: boolean } = {}): HashReader {
  const read: HashReader = async (level, first, count) => {
    const rows = level > 0 && options.leavesOnly ? [] : await storedHashes(sql, level, first, count)
    const byIndex = new Map(rows.map((r) => [r.i, r.hash]))
    const out: Buffer[] = []
    for (let i = first; i < first + count; i++) {
      const hash = byIndex.get(i) ?? (level > 0 ? fold(await read(level - 1, i * BLOCK_WIDTH, BLOCK_WIDTH)) : undefined)
      if (hash === undefined) throw new MissingLeaf(i)
      out.push(hash)
    }
    return out
  }
  return read
}

/** The tree cannot be computed because this leaf is not in the database. */
export class MissingLeaf extends Error {
  readonly leaf: number

  constructor(leaf: number) {
    super('a leaf of the ledger is missing')
    this.name = 'MissingLeaf'
    this.leaf = leaf
  }
}
