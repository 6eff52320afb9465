import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stopLeftBehind } from '../src/kernel/db/index.ts'

const PREFIX = 'bench-'
const HOMES = ['bare', join('sealed', 'home')]

/** A folder of this run in `parent`; what a killed run left there, its PostgreSQL too, is cleared away first. */
export async function makeFolder(parent: string): Promise<string> {
  mkdirSync(parent, { recursive: true })
  for (const name of readdirSync(parent)) if (name.startsWith(PREFIX)) await sweep(join(parent, name))
  const folder = mkdtempSync(join(parent, PREFIX))
  writeFileSync(ownerFile(folder), String(process.pid))
  return folder
}

/** After the run: nobody's any more, so that the next run does not take it for a killed one's. */
export function keepFolder(folder: string): void {
  rmSync(ownerFile(folder), { force: true })
}

const ownerFile = (folder: string): string => join(folder, 'owner')

async function sweep(folder: string): Promise<void> {
  if (!existsSync(ownerFile(folder)) || alive(Number(readFileSync(ownerFile(folder), 'utf8')))) return
  for (const home of HOMES) if (existsSync(join(folder, home))) await stopLeftBehind(join(folder, home))
  rmSync(folder, { recursive: true, force: true })
}

function alive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
