import { createHash } from 'node:crypto'

/** Two characters that name a field inside a sealed compartment, made from its name, so that nothing has to be numbered by hand. */
export const tagOf = (name: string): string => createHash('sha256').update(name).digest('base64url').slice(0, 2)

/** Throws when two fields of an entity get the same tag: one would be opened as the other. */
export function checkTags(names: readonly string[]): void {
  const seen = new Map<string, string>()
  for (const name of names) {
    const other = seen.get(tagOf(name))
    if (other !== undefined) throw new Error(`fields ${other} and ${name} share a tag: rename one of them`)
    seen.set(tagOf(name), name)
  }
}
