import { readFileSync } from 'node:fs'
import { chown, lchown, lstat, readdir } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { Refusal } from '../../base/index.ts'

/** The OS account the server runs as, and the one that speaks to it. */
export interface Account {
  /** Name of the account running Node; peer authentication compares with it. */
  client: string
  /** Set when Node is root: PostgreSQL refuses root, so the server runs as this account. */
  drop: { name: string; uid: number; gid: number } | undefined
}

const CANDIDATES = ['sealbook', 'postgres', 'nobody']

export function chooseAccount(): Account {
  const client = ownName()
  if (process.getuid?.() !== 0) return { client, drop: undefined }
  if (process.platform !== 'linux') throw new Refusal('database-account', 'Do not run Sealbook as root on this system; start it as an ordinary user.')
  const accounts = readAccounts()
  for (const name of CANDIDATES) {
    const found = accounts.get(name)
    if (found && found.uid !== 0) return { client, drop: { name, ...found } }
  }
  throw new Refusal('database-account', 'PostgreSQL does not run as root and none of the accounts sealbook, postgres or nobody exists; create one (useradd --system sealbook) and start again.')
}

function ownName(): string {
  try {
    return userInfo().username
  } catch {
    // Containers started with a bare --user number: neither initdb nor peer authentication works without a name.
    throw new Refusal('database-account', `The user id ${process.getuid?.()} has no name on this system, which PostgreSQL needs; add it to /etc/passwd or start as a named user.`)
  }
}

function readAccounts(): Map<string, { uid: number; gid: number }> {
  const accounts = new Map<string, { uid: number; gid: number }>()
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if (name && uid && gid) accounts.set(name, { uid: Number(uid), gid: Number(gid) })
  }
  return accounts
}

/** Makes `directory` and everything in it belong to the server's account, when it does not already (another image may number its accounts differently). */
export async function own(directory: string, account: Account): Promise<void> {
  const info = await lstat(directory)
  const wanted = account.drop?.uid ?? process.getuid!()
  if (info.uid === wanted) return
  if (!account.drop) throw new Refusal('database-account', `${directory} belongs to another user; start Sealbook as the user who made it, or give it to this one with chown -R.`)
  await ownTree(directory, account.drop)
}

async function ownTree(path: string, to: { uid: number; gid: number }): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const inner = join(path, entry.name)
    if (entry.isDirectory()) await ownTree(inner, to)
    else await lchown(inner, to.uid, to.gid)
  }
  // The top last: an interrupted run is done again from the start.
  await chown(path, to.uid, to.gid)
}
