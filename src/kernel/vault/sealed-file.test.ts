import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Problem, uuidv7 } from '../base/index.ts'
import { codeOf, folder, vaultIn } from './fixture.ts'
import { createSealedFile, openSealedFile } from './sealed-file.ts'
import type { OwnerKey, Vault } from './types.ts'

async function written(vault: Vault, content: Uint8Array, label = 'import 1', owner: OwnerKey | null = null): Promise<string> {
  const path = join(folder(), 'staging', 'x.sealed')
  await pipeline(Readable.from([content]), createSealedFile(vault, path, label, owner))
  return path
}

async function all(vault: Vault, path: string, label = 'import 1', owner: OwnerKey | null = null): Promise<Buffer> {
  const file = await openSealedFile(vault, path, label, owner)
  try {
    return await buffer(file.stream())
  } finally {
    await file.close()
  }
}

describe('a sealed file', () => {
  it.each([0, 1, 16_383, 16_384, 300_000])('of %i bytes opens whole and in any part', async (length) => {
    const { vault } = await vaultIn()
    const content = randomBytes(length)
    const path = await written(vault, content)
    expect((await all(vault, path)).equals(content)).toBe(true)
    const file = await openSealedFile(vault, path, 'import 1')
    expect(file.size).toBe(length)
    const [from, to] = [Math.floor(length / 3), Math.ceil(length / 2)]
    expect((await file.range(from, to)).equals(content.subarray(from, to))).toBe(true)
    expect((await buffer(file.stream(from, to))).equals(content.subarray(from, to))).toBe(true)
    await expect(file.range(0, length + 1)).rejects.toThrow(RangeError)
    await file.close()
  })

  it('shows nothing of what is in it, what it is for, or its key, and belongs to its owner alone', async () => {
    const { vault } = await vaultIn()
    const path = await written(vault, Buffer.from('王小明,13812345678\n'.repeat(1000)), 'import customers.csv')
    const raw = readFileSync(path)
    for (const text of ['王小明', '13812345678', 'customers.csv']) expect(raw.includes(text)).toBe(false)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700)
  })

  it('does not open under another label, in another instance, or for an owner', async () => {
    const [a, b] = [await vaultIn(folder()), await vaultIn(folder())]
    const path = await written(a.vault, Buffer.from('text'))
    const [key] = await a.vault.createOwnerKeys([uuidv7()])
    expect(await codeOf(() => openSealedFile(a.vault, path, 'import 2'))).toBe('seal-broken')
    expect(await codeOf(() => openSealedFile(b.vault, path, 'import 1'))).toBe('seal-broken')
    expect(await codeOf(() => openSealedFile(a.vault, path, 'import 1', key))).toBe('seal-broken')
  })

  it('under an owner opens with that owner only, and never again once their key is destroyed', async () => {
    const { vault } = await vaultIn()
    const [owner, other] = await vault.createOwnerKeys([uuidv7(), uuidv7()])
    const path = await written(vault, Buffer.from('passport'), 'attachment 1', owner)
    expect((await all(vault, path, 'attachment 1', owner)).toString()).toBe('passport')
    for (const [label, key] of [['attachment 2', owner], ['attachment 1', other], ['attachment 1', null]] as const) expect(await codeOf(() => openSealedFile(vault, path, label, key))).toBe('seal-broken')
    await vault.destroyOwnerKey(owner!.ownerId)
    expect(await codeOf(() => openSealedFile(vault, path, 'attachment 1', vault.ownerKey(owner!.ownerId)))).toBe('key-unavailable')
  })

  it('refuses any byte of its head changed, and a changed chunk when it is read', async () => {
    const { vault } = await vaultIn()
    const content = randomBytes(40_000)
    const path = await written(vault, content)
    const raw = readFileSync(path)
    const headLength = raw.length - (40_000 + 56 + 3 * 16)
    for (let i = 0; i < headLength + 56; i++) {
      const fd = openSync(path, 'r+')
      writeSync(fd, Buffer.from([raw[i]! ^ 1]), 0, 1, i)
      expect(await codeOf(() => all(vault, path)), `byte ${i}`).toBe('seal-broken')
      writeSync(fd, raw.subarray(i, i + 1), 0, 1, i)
      closeSync(fd)
    }
    const altered = Buffer.from(raw)
    altered[headLength + 56 + 20_000]! ^= 1
    writeFileSync(path, altered)
    const file = await openSealedFile(vault, path, 'import 1')
    expect((await file.range(0, 16_384)).equals(content.subarray(0, 16_384))).toBe(true)
    expect(await codeOf(() => file.range(16_000, 17_000))).toBe('seal-broken')
    expect(await codeOf(() => buffer(file.stream()))).toBe('seal-broken')
    await file.close()
  })

  it('refuses every shorter length and a longer one', async () => {
    const { vault } = await vaultIn()
    const path = await written(vault, randomBytes(20_000))
    const size = statSync(path).size
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(1)]))
    expect(await codeOf(() => openSealedFile(vault, path, 'import 1'))).toBe('seal-broken')
    for (let n = size - 1; n >= 0; n = n > 300 ? n - 97 : n - 1) {
      truncateSync(path, n)
      expect(await codeOf(() => openSealedFile(vault, path, 'import 1')), `${n} bytes`).toBe('seal-broken')
    }
  })

  it('refuses the chunks of another file under the same label', async () => {
    const { vault } = await vaultIn()
    const [a, b] = [await written(vault, randomBytes(40_000)), await written(vault, randomBytes(40_000))]
    const [one, two] = [readFileSync(a), readFileSync(b)]
    const body = one.length - (40_000 + 56 + 3 * 16)
    for (const mixed of [Buffer.concat([one.subarray(0, body), two.subarray(body)]), Buffer.concat([two.subarray(0, 10), one.subarray(10)]), Buffer.concat([one.subarray(0, body + 56), two.subarray(body + 56)])]) {
      writeFileSync(a, mixed)
      if (!mixed.equals(one)) expect(await codeOf(() => all(vault, a))).toBe('seal-broken')
    }
  })

  it('that is missing is not found; a folder or a text is refused', async () => {
    const { vault } = await vaultIn()
    const path = folder()
    expect(await codeOf(() => openSealedFile(vault, join(path, 'none'), 'x'))).toBe('not-found')
    expect(await codeOf(() => openSealedFile(vault, path, 'x'))).toBe('storage-unavailable')
    writeFileSync(join(path, 'text'), 'name,phone\n')
    expect(await codeOf(() => openSealedFile(vault, join(path, 'text'), 'x'))).toBe('seal-broken')
  })

  it('takes the place of no other file', async () => {
    const { vault } = await vaultIn()
    const path = await written(vault, Buffer.from('first'))
    expect(await codeOf(() => pipeline(Readable.from([Buffer.from('second')]), createSealedFile(vault, path, 'import 1')))).toBe('storage-unavailable')
    expect((await all(vault, path)).toString()).toBe('first')
  })

  it('is gone when its writing ends before its end', async () => {
    const { vault } = await vaultIn()
    const path = join(folder(), 'x.sealed')
    const stopped = createSealedFile(vault, path, 'x')
    stopped.write(randomBytes(100_000))
    await sleep(50)
    expect(existsSync(path)).toBe(true)
    stopped.destroy()
    await new Promise((resolve) => stopped.once('close', resolve))
    expect(existsSync(path)).toBe(false)
    async function* source(): AsyncGenerator<Buffer> {
      yield randomBytes(100_000)
      throw new Problem('rate')
    }
    const failed = createSealedFile(vault, path, 'x')
    const closed = new Promise((resolve) => failed.once('close', resolve))
    expect(await codeOf(() => pipeline(source, failed))).toBe('rate')
    await closed // pipeline answers as soon as the source fails
    expect(readdirSync(join(path, '..'))).toEqual([])
  })

  it('of 200 MiB is written and read in little memory', async () => {
    const { vault, config } = await vaultIn()
    await vault.close()
    const script = new URL('./sealed-file-child.ts', import.meta.url).pathname
    const out = execFileSync(process.execPath, ['--max-old-space-size=64', script, config.home, config.rootKeyFile!, join(folder(), 'big.sealed')], { encoding: 'utf8' })
    const { size, same, grownMiB } = JSON.parse(out) as { size: number; same: boolean; grownMiB: number }
    expect([size, same]).toEqual([200 * 1024 * 1024, true])
    expect(grownMiB).toBeLessThan(100)
  })
})
