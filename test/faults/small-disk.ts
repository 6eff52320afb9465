import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, realpathSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MB = 1024 * 1024

/** A disk of its own in memory, small enough to be filled. */
export interface SmallDisk {
  readonly path: string
  /** Takes every byte that is left. */
  fill(): void
  /** Gives the bytes back. */
  free(): void
  resize(mb: number): void
  release(): void
}

/** Mounts one, or says on stderr why it cannot and returns null. */
export function smallDisk(mb: number): SmallDisk | null {
  const path = mkdtempSync(join(realpathSync(tmpdir()), 'sealbook-disk-'))
  const mount = (...options: string[]): string => {
    const done = spawnSync('mount', [...options, path], { encoding: 'utf8' })
    return done.status === 0 ? '' : (done.stderr || String(done.error)).trim()
  }
  const refused = process.getuid?.() === 0 ? mount('-t', 'tmpfs', '-o', `size=${mb}m,mode=0700`, 'tmpfs') : 'only root may mount'
  if (refused) {
    rmSync(path, { recursive: true })
    process.stderr.write(`skipped: a disk that can be filled needs a tmpfs (${refused})\n`)
    return null
  }
  const filler = join(path, 'filler')
  return {
    path,
    fill: () => fillUp(filler),
    free: () => rmSync(filler, { force: true }),
    resize: (to) => void mount('-o', `remount,size=${to}m`),
    release: () => {
      spawnSync('umount', ['--lazy', path])
      rmSync(path, { recursive: true, force: true })
    },
  }
}

function fillUp(path: string): void {
  const file = openSync(path, 'a')
  try {
    for (let size = MB; size >= 512; ) {
      try {
        if (writeSync(file, Buffer.alloc(size, 1)) < size) size /= 2
      } catch {
        size /= 2
      }
    }
  } finally {
    closeSync(file)
  }
}
