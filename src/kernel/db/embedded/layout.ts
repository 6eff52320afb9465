import { createHash } from 'node:crypto'
import { chmod, chown, lstat, mkdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Refusal } from '../../base/index.ts'
import { own, type Account } from './account.ts'

export interface Layout {
  /** HOME/postgres: belongs to the server's account, 0700. */
  base: string
  /** The cluster. */
  data: string
  /** Where clients find the socket. */
  sockets: string
  /** The same directory as the server is told: relative to the cluster when it lies beside it, so that no parent need be readable. */
  socketsForServer: string
  /** HOME/log/postgres.log, opened by Node and inherited. */
  logFile: string
}

/** How the name of a cluster begins that initdb has not finished; never started. */
export const UNFINISHED = 'data.unfinished'

// sun_path holds 108 bytes on Linux, 104 on macOS, with `/.s.PGSQL.5432` and its end in it.
const LONGEST = 88

/** The cluster of a home. */
export const dataOf = (home: string): string => join(home, 'postgres', 'data')

export async function prepareLayout(home: string, account: Account): Promise<Layout> {
  const base = join(home, 'postgres')
  await ownedDirectory(base, account)
  const beside = join(base, 'run')
  await ownedDirectory(beside, account)
  const near = Buffer.byteLength(beside) <= LONGEST && (await holdsSockets(beside))
  const sockets = near ? beside : await privateDirectory(home, account)
  await mkdir(join(home, 'log'), { recursive: true, mode: 0o700 })
  return {
    base,
    data: dataOf(home),
    sockets,
    socketsForServer: near ? '../run' : sockets,
    logFile: join(home, 'log', 'postgres.log'),
  }
}

export async function ownedDirectory(path: string, account: Account): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  await own(path, account)
  await chmod(path, 0o700)
}

/** Shared folders of virtual machines and some network file systems refuse sockets. */
async function holdsSockets(directory: string): Promise<boolean> {
  const path = join(directory, `.try-${process.pid}`)
  const server = createServer()
  const works = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(path, () => resolve(true))
  })
  if (works) await new Promise<void>((resolve) => server.close(() => resolve()))
  await rm(path, { force: true })
  return works
}

/** Named after the home, so that a server left behind is found again; refused when somebody else made it first. */
async function privateDirectory(home: string, account: Account): Promise<string> {
  const path = join(tmpdir(), `sealbook-${createHash('sha256').update(home).digest('hex').slice(0, 16)}`)
  try {
    await mkdir(path, { mode: 0o700 })
    if (account.drop) await chown(path, account.drop.uid, account.drop.gid)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    await refuseForeign(path, account)
  }
  return path
}

/** Removes the directory under /tmp, if there is one, after a stop. */
export async function forgetSockets(layout: Layout): Promise<void> {
  if (layout.socketsForServer === layout.sockets) await rm(layout.sockets, { recursive: true, force: true })
}

async function refuseForeign(path: string, account: Account): Promise<void> {
  const info = await lstat(path)
  const wanted = account.drop?.uid ?? process.getuid!()
  const ours = info.isDirectory() && (info.uid === wanted || info.uid === process.getuid!())
  if (!ours || (info.mode & 0o077) !== 0) throw new Refusal('database-socket', `${path} was made by somebody else; remove it, or choose a SEALBOOK_HOME with a shorter path.`)
  if (account.drop) await chown(path, account.drop.uid, account.drop.gid)
}
