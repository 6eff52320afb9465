import { readFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { openCheckpoint, type Checkpoint, type NoteKey } from './note.ts'

/** The newest head this node signed, kept outside the database: a database put back to an older state no longer leads to it. */
export interface Anchor {
  read(): Checkpoint | null
  write(note: string): void
  /** Resolves when what was written last is on disk. */
  settled(): Promise<void>
}

/**
 * An anchor in a file (0600) of the home. A file that does not carry our signature counts as none: whoever can
 * write there can also delete it. Several heads in a row cost one write: only the newest matters.
 */
export function fileAnchor(path: string, key: NoteKey, failed: (error: unknown) => void): Anchor {
  let next: string | undefined
  let writing: Promise<void> | undefined
  const work = async (): Promise<void> => {
    while (next !== undefined) {
      const note = next
      next = undefined
      // A full disk must not stop the ledger: the older anchor still proves what came before it.
      await replace(path, note).catch(failed)
    }
    writing = undefined
  }
  return {
    read() {
      try {
        return openCheckpoint(readFileSync(path, 'utf8'), key)
      } catch {
        return null
      }
    },
    write(note) {
      next = note
      writing ??= work()
    },
    settled: async () => writing,
  }
}

async function replace(path: string, text: string): Promise<void> {
  const draft = `${path}.new`
  const file = await open(draft, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}
