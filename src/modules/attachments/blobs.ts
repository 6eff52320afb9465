import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isUuid, Problem } from '../../kernel/base/index.ts'
import { fsyncFolder } from '../../kernel/vault/index.ts'

/** Under this name a file is written; under its own it is whole. */
const INCOMING = 'incoming'

/**
 * HOME/blobs: sealed files under random names, in 256 folders. A file that a request is working on is held, so that the sweep leaves it alone. The
 * home has one process (its lock says so), so what nobody here holds and no row names belongs to nobody.
 */
export class Blobs {
  readonly #folder: string
  readonly #held = new Set<string>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** A name for a new file; held until `release`. */
  hold(): string {
    const id = randomUUID()
    this.#held.add(id)
    return id
  }

  release(id: string): void {
    this.#held.delete(id)
  }

  path(id: string): string {
    return join(this.#folder, id.slice(-2), id)
  }

  incoming(id: string): string {
    return join(this.#folder, INCOMING, id)
  }

  /** Gives a file that is whole, and durable, its name, durably. Throws Problem storage-unavailable. */
  async place(id: string): Promise<void> {
    const folder = join(this.#folder, id.slice(-2))
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await rename(this.incoming(id), this.path(id))
      fsyncFolder(folder)
      fsyncFolder(this.#folder)
    } catch (error) {
      throw new Problem('storage-unavailable', { cause: error })
    }
  }

  async remove(id: string): Promise<void> {
    await rm(this.incoming(id), { force: true })
    await rm(this.path(id), { force: true })
  }

  /** Removes files that nobody holds and that `known` does not know: what a killed process left, and whose row is gone. Resolves with how many. */
  async sweep(known: (ids: readonly string[]) => Promise<ReadonlySet<string>>): Promise<number> {
    let removed = 0
    for (const folder of await foldersIn(this.#folder)) {
      const found = await filesIn(join(this.#folder, folder))
      // In this order: a file is held until its row is committed, so one of those found is held now, or has a row, or is nobody's.
      const held = new Set(this.#held)
      const orphans = found.filter((name) => !held.has(name))
      const kept = folder === INCOMING ? new Set<string>() : await known(orphans.filter(isUuid))
      for (const name of orphans) {
        if (kept.has(name)) continue
        await rm(join(this.#folder, folder, name), { force: true, recursive: true })
        removed++
      }
    }
    return removed
  }
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries.filter((e) => e.isDirectory() && (e.name === INCOMING || /^[0-9a-f]{2}$/.test(e.name))).map((e) => e.name)
}

async function filesIn(folder: string): Promise<string[]> {
  // Only what we could have written: somebody's own notes in there are not ours to take away.
  return (await readdir(folder)).filter(isUuid)
}
