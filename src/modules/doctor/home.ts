import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding } from '../../kernel/vault/index.ts'

/** Enough to name the trouble; a home with a million blobs must not take a minute. */
const MOST_ENTRIES = 50_000

interface Seen {
  entries: number
  open: string[]
  links: string[]
}

/** Folders 0700, files 0600, no links that lead out. PostgreSQL keeps its own folder, which is only looked at from outside. */
export function checkHome(home: string): Finding[] {
  const seen: Seen = { entries: 0, open: [], links: [] }
  look(home, '', seen)
  const findings: Finding[] = []
  const [first] = seen.open
  if (first !== undefined) {
    findings.push({ code: 'home-readable', level: 'red', what: `Other users of this machine may open ${seen.open.length} files or folders of the home, e.g. ${first}.`, fix: `chmod -R go-rwx ${home}` })
  }
  const [link] = seen.links
  if (link !== undefined) findings.push({ code: 'home-link', level: 'amber', what: `${link} is a link; what it leads to is not watched.`, fix: 'Put the files themselves into the home.' })
  return findings
}

function look(folder: string, below: string, seen: Seen): void {
  for (const name of ['', ...namesIn(join(folder, below))]) {
    if (++seen.entries > MOST_ENTRIES) return
    const inside = join(below, name)
    const stat = lstatSync(join(folder, inside), { throwIfNoEntry: false })
    if (!stat) continue
    if (stat.isSymbolicLink()) seen.links.push(inside)
    else if ((stat.mode & 0o077) !== 0 && !stat.isSocket()) seen.open.push(inside || '.')
    if (name !== '' && stat.isDirectory() && inside !== 'postgres') look(folder, inside, seen)
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // of another user (PostgreSQL's), or gone meanwhile
  }
}
