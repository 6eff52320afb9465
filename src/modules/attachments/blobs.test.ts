import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Blobs } from './blobs.ts'

let folder: string
let blobs: Blobs
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealbook-blobs-'))
  blobs = new Blobs(folder)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, 'x')
}
const nobody = async (): Promise<Set<string>> => new Set()

describe('the sweep', () => {
  test('takes what nobody holds and no row names, and leaves the rest', async () => {
    const [kept, orphan, half] = [blobs.hold(), blobs.hold(), blobs.hold()]
    for (const id of [kept, orphan]) {
      write(blobs.incoming(id))
      await blobs.place(id)
    }
    write(blobs.incoming(half))
    for (const id of [kept, orphan, half]) blobs.release(id)
    write(join(folder, 'notes', 'mine'))
    expect(await blobs.sweep(async (ids) => new Set(ids.filter((id) => id === kept)))).toBe(2)
    expect([kept, orphan].map((id) => existsSync(blobs.path(id)))).toEqual([true, false])
    expect(readdirSync(join(folder, 'incoming'))).toEqual([])
    expect(existsSync(join(folder, 'notes', 'mine'))).toBe(true)
  })

  test('leaves a file alone from its first byte to the commit of its row', async () => {
    const id = blobs.hold()
    write(blobs.incoming(id))
    expect(await blobs.sweep(nobody)).toBe(0)
    await blobs.place(id)
    expect(await blobs.sweep(nobody)).toBe(0)
    expect(existsSync(blobs.path(id))).toBe(true)
  })

  test('a row that is committed while the sweep asks the database counts', async () => {
    const id = blobs.hold()
    write(blobs.incoming(id))
    await blobs.place(id)
    // The request ends between the look into the folder and the answer of the database: as late as it can.
    const removed = await blobs.sweep(async (ids) => {
      blobs.release(id)
      return new Set(ids)
    })
    expect(removed).toBe(0)
    expect(existsSync(blobs.path(id))).toBe(true)
  })

  test('does nothing to the files when the database does not answer', async () => {
    const id = blobs.hold()
    write(blobs.incoming(id))
    await blobs.place(id)
    blobs.release(id)
    await expect(blobs.sweep(() => Promise.reject(new Error('away')))).rejects.toThrow('away')
    expect(existsSync(blobs.path(id))).toBe(true)
  })
})
