import { spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Problem, uuidv7 } from '../base/index.ts'
import { configIn, ids, rawBytes, storePath, traces, vaultIn } from './fixture.ts'
import { openVault } from './instance.ts'
import { KeyStore } from './keystore.ts'

const CHILD = new URL('./keystore-child.ts', import.meta.url).pathname
const cell = { table: 't', compartment: 'main', rowId: uuidv7(), rowVersion: 1, bound: new Uint8Array(0) }

const wrappedOf = (store: KeyStore, id: string): Buffer => store.ownerKey(id)!.wrapped

describe('owner keys', () => {
  it('are there after a restart, and open what they sealed', async () => {
    const { config, vault } = await vaultIn()
    const owners = ids(50)
    const keys = await vault.createOwnerKeys(owners)
    const sealed = keys.map((k) => vault.seal(k, cell, Buffer.from(k.ownerId)))
    await vault.close()
    const again = await openVault(config)
    for (const [i, id] of owners.entries()) {
      expect(again.open(again.ownerKey(id), cell, sealed[i]!).toString()).toBe(id)
      expect(again.ownerKey(id).handle.equals(keys[i]!.handle)).toBe(true)
    }
    expect(again.status().subjectKeys).toBe(50)
    await again.close()
  })

  it('are each their own, with a handle of their own', async () => {
    const { vault } = await vaultIn()
    const keys = await vault.createOwnerKeys(ids(300))
    expect(new Set(keys.map((k) => k.use('x').export().toString('hex'))).size).toBe(300)
    expect(new Set(keys.map((k) => k.handle.toString('hex'))).size).toBe(300)
    expect(keys[0]!.use('x').export().equals(keys[0]!.use('y').export())).toBe(false)
  })

  it('are never made because one is missing', async () => {
    const { vault } = await vaultIn()
    const id = uuidv7()
    expect(() => vault.ownerKey(id)).toThrow(new Problem('key-unavailable'))
    expect(vault.hasOwnerKey(id)).toBe(false)
    expect(vault.findOwnerKey(id)).toBeNull()
    expect(vault.status().subjectKeys).toBe(0)
  })

  it('are never replaced: a second one for the same owner is refused whole', async () => {
    const { vault } = await vaultIn()
    const [a, b] = ids(2)
    const [first] = await vault.createOwnerKeys([a!])
    const sealed = vault.seal(first!, cell, Buffer.from('x'))
    await expect(vault.createOwnerKeys([b!, a!])).rejects.toThrow(new Problem('key-unavailable'))
    expect(vault.hasOwnerKey(b!)).toBe(false)
    expect([vault.findOwnerKey(a!), vault.findOwnerKey(b!)]).toEqual([vault.ownerKey(a!), null])
    expect(vault.open(vault.ownerKey(a!), cell, sealed).toString()).toBe('x')
  })

  it('have ids in one spelling only', async () => {
    const { vault } = await vaultIn()
    const id = uuidv7()
    await vault.createOwnerKeys([id])
    await expect(vault.createOwnerKeys([uuidv7().toUpperCase()])).rejects.toThrow(TypeError)
    expect(() => vault.ownerKey(id.toUpperCase())).toThrow(TypeError)
    expect(() => vault.ownerKey('no id')).toThrow(TypeError)
  })

  it('asked for by many at once are committed in groups, and one that fails does not fail its neighbours', async () => {
    const { config, vault } = await vaultIn()
    const taken = uuidv7()
    await vault.createOwnerKeys([taken])
    const before = statSync(`${storePath(config)}-wal`).size
    const asked = ids(400)
    const results = await Promise.allSettled([...asked.slice(0, 200), taken, ...asked.slice(200)].map((id) => vault.createOwnerKeys([id])))
    expect(results.filter((r) => r.status === 'rejected').length).toBe(1)
    expect(results[200]!.status).toBe('rejected')
    expect(vault.status().subjectKeys).toBe(401)
    // Were each committed by itself, each would have written its page again.
    expect(statSync(`${storePath(config)}-wal`).size - before).toBeLessThan(400 * 4096 + 401 * 24)
    await vault.close()
    const store = new KeyStore(storePath(config))
    expect([...store.scan()].length).toBe(401)
    await store.close()
  })

  it('can all be scanned, newest first, more than one page of them', async () => {
    const { config, vault } = await vaultIn()
    const owners = ids(2500)
    await vault.createOwnerKeys(owners)
    const store = new KeyStore(storePath(config))
    expect([...store.scan()].map((k) => k.ownerId)).toEqual([...owners].reverse())
    await store.close()
  })
})

describe('a destroyed key', () => {
  it('is gone: from memory, from the store, and from every byte of its files', async () => {
    const { config, vault } = await vaultIn()
    const owners = ids(300)
    await vault.createOwnerKeys(owners)
    const reader = new KeyStore(storePath(config))
    const gone = owners.filter((_id, i) => i % 5 === 0)
    const wrapped = gone.map((id) => wrappedOf(reader, id))
    const kept = wrappedOf(reader, owners[1]!)
    await reader.close()
    const sealed = vault.seal(vault.ownerKey(gone[0]!), cell, Buffer.from('x'))
    expect(traces(rawBytes(config), wrapped[0]!)).toBeGreaterThan(20) // the search finds what is there
    for (const id of gone) await vault.destroyOwnerKey(id)
    for (const w of wrapped) expect(traces(rawBytes(config), w)).toBe(0)
    expect(traces(rawBytes(config), kept)).toBeGreaterThan(20)
    for (const id of gone) expect(() => vault.ownerKey(id)).toThrow(new Problem('key-unavailable'))
    expect(vault.hasOwnerKey(gone[0]!)).toBe(false)
    expect([vault.isDestroyed(gone[0]!), vault.isDestroyed(owners[1]!), vault.isDestroyed(uuidv7())]).toEqual([true, false, false])
    await vault.close()
    const again = await openVault(config)
    expect(() => again.open(again.ownerKey(gone[0]!), cell, sealed)).toThrow(Problem)
    expect(again.hasOwnerKey(owners[1]!)).toBe(true)
    for (const w of wrapped) expect(traces(rawBytes(config), w)).toBe(0)
    await again.close()
  })

  it('can never be created again, not before a restart nor after', async () => {
    const { config, vault } = await vaultIn()
    const id = uuidv7()
    await vault.createOwnerKeys([id])
    await vault.destroyOwnerKey(id)
    await expect(vault.createOwnerKeys([id])).rejects.toThrow(new Problem('key-unavailable'))
    await vault.close()
    const again = await openVault(config)
    await expect(again.createOwnerKeys([id])).rejects.toThrow(new Problem('key-unavailable'))
    expect(again.hasOwnerKey(id)).toBe(false)
    await again.close()
  })

  it('cannot be created again in the very commit that destroys it', async () => {
    const { vault } = await vaultIn()
    const id = uuidv7()
    await vault.createOwnerKeys([id])
    const results = await Promise.allSettled([vault.destroyOwnerKey(id), vault.createOwnerKeys([id]), vault.destroyOwnerKey(id)])
    expect(results.map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(vault.hasOwnerKey(id)).toBe(false)
  })

  it('may be one that never was; that owner gets none later', async () => {
    const { vault } = await vaultIn()
    const id = uuidv7()
    await vault.destroyOwnerKey(id)
    await vault.destroyOwnerKey(id)
    await expect(vault.createOwnerKeys([id])).rejects.toThrow(new Problem('key-unavailable'))
  })

  it('is not reported gone while somebody reads an older state, and goes when they end; others are written meanwhile', async () => {
    const { config, vault } = await vaultIn()
    const id = uuidv7()
    await vault.createOwnerKeys([id])
    const store = new KeyStore(storePath(config))
    const wrapped = wrappedOf(store, id)
    await store.close()
    const reader = new DatabaseSync(storePath(config), { readOnly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM owner_key').get()
    let told = false
    const destroyed = vault.destroyOwnerKey(id).then(() => (told = true))
    await vault.createOwnerKeys(ids(3))
    await sleep(600)
    expect(told).toBe(false)
    expect(traces(rawBytes(config), wrapped)).toBeGreaterThan(0)
    reader.exec('COMMIT')
    await destroyed
    expect(traces(rawBytes(config), wrapped)).toBe(0)
    expect(vault.status().subjectKeys).toBe(3)
    reader.close()
  })

  it('does not wait for a scan that is under way', async () => {
    const { config, vault } = await vaultIn()
    const owners = ids(1500)
    await vault.createOwnerKeys(owners)
    const store = new KeyStore(storePath(config))
    const scan = store.scan()[Symbol.iterator]()
    scan.next()
    await vault.destroyOwnerKey(owners[0]!)
    let n = 1
    while (!scan.next().done) n++
    expect(n).toBe(1499)
    await store.close()
  })
})

describe('kill -9 in the middle of writing', () => {
  /** Runs the writer of keystore-child.ts and kills it after `ms`; answers the ids it was told were durable. */
  async function killed(config: ReturnType<typeof configIn>, ms: number): Promise<string[]> {
    const child = spawn(process.execPath, [CHILD, config.home, config.rootKeyFile!], { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    const ended = new Promise((resolve) => child.on('close', resolve))
    while (!out.includes('\n')) await sleep(5)
    await sleep(ms)
    child.kill('SIGKILL')
    await ended
    return out.split('\n').slice(0, -1)
  }

  it('loses no key that was acknowledged, nor brings back one that was destroyed', async () => {
    const { config, vault } = await vaultIn()
    await vault.close()
    let all = 0
    for (const ms of [1, 15, 40, 90, 160]) {
      const lines = await killed(config, ms)
      const made = lines.filter((l) => l.startsWith('+')).map((l) => l.slice(1))
      const gone = new Set(lines.filter((l) => l.startsWith('-')).map((l) => l.slice(1)))
      const again = await openVault(config)
      expect(statSync(`${storePath(config)}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0) // it may hold keys erased, not answered for
      const asked = new Set(lines.filter((l) => l.startsWith('~')).map((l) => l.slice(1))) // destroyed perhaps, and not told any more
      for (const id of made) if (!asked.has(id)) expect(again.open(again.ownerKey(id), cell, again.seal(again.ownerKey(id), cell, Buffer.from(id))).toString()).toBe(id)
      for (const id of gone) expect(again.hasOwnerKey(id)).toBe(false)
      all += made.length
      await again.close()
    }
    expect(all).toBeGreaterThan(100)
  })
})
