import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { Problem, uuidBytes, uuidv7 } from '../base/index.ts'
import { codeOf, configIn, folder, ids, snapshot, storePath, vaultIn } from './fixture.ts'
import { openVault } from './instance.ts'
import { KeyStore } from './keystore.ts'

describe('a store tampered with', () => {
  async function alter(sql: string, ...params: (string | Buffer | number)[]): Promise<{ config: ReturnType<typeof configIn>; id: string }> {
    const { config, vault } = await vaultIn()
    const [id] = (await vault.createOwnerKeys(ids(2))).map((k) => k.ownerId)
    await vault.close()
    const db = new DatabaseSync(storePath(config))
    db.prepare(sql).run(...params.map((p) => (p === '$id' ? uuidBytes(id!) : p)))
    db.close()
    return { config, id: id! }
  }

  it.each([
    ['the key commitment', 'UPDATE owner_key SET wrapped = CAST(substr(wrapped, 1, 76) || zeroblob(32) AS BLOB) WHERE id = ?'],
    ['the key commitment cut off', 'UPDATE owner_key SET wrapped = substr(wrapped, 1, 76) WHERE id = ?'],
    ['a byte more', `UPDATE owner_key SET wrapped = CAST(wrapped || x'00' AS BLOB) WHERE id = ?`],
    ['the wrapped key', 'UPDATE owner_key SET wrapped = CAST(substr(wrapped, 1, 20) || zeroblob(10) || substr(wrapped, 31) AS BLOB) WHERE id = ?'],
    ['the nonce', 'UPDATE owner_key SET wrapped = CAST(zeroblob(12) || substr(wrapped, 13) AS BLOB) WHERE id = ?'],
    ['the key of another owner', 'UPDATE owner_key SET wrapped = (SELECT wrapped FROM owner_key o WHERE o.id <> ?1) WHERE id = ?1'],
    ['the epoch', 'UPDATE owner_key SET epoch = 2 WHERE id = ?'],
    ['the key version', 'UPDATE owner_key SET version = 2 WHERE id = ?'],
    ['nothing', 'UPDATE owner_key SET wrapped = zeroblob(0) WHERE id = ?'],
  ])('gives no key: %s', async (_name, sql) => {
    const { config, id } = await alter(sql, '$id')
    const vault = await openVault(config)
    expect(() => vault.ownerKey(id)).toThrow(new Problem('key-unavailable'))
    await vault.close()
  })

  it('refuses every single byte of a wrapped key flipped', async () => {
    const { config, vault } = await vaultIn()
    const [id] = (await vault.createOwnerKeys(ids(1))).map((k) => k.ownerId)
    const db = new DatabaseSync(storePath(config))
    const { wrapped } = db.prepare('SELECT wrapped FROM owner_key').get() as { wrapped: Uint8Array }
    expect(wrapped.length).toBe(108)
    await vault.close()
    const put = db.prepare('UPDATE owner_key SET wrapped = ?')
    const again = await openVault(config)
    for (let i = 0; i < wrapped.length; i++) {
      const altered = Buffer.from(wrapped)
      altered[i]! ^= 1
      put.run(altered)
      expect(() => again.ownerKey(id!), `byte ${i}`).toThrow(new Problem('key-unavailable'))
    }
    put.run(wrapped)
    expect(again.ownerKey(id!).ownerId).toBe(id)
    await again.close()
    db.close()
  })

  it.each(['owner-wrap', 'blind', 'authority', 'ledger-sign', 'instance'])('does not open without its %s key, and makes no new one', async (purpose) => {
    const { config } = await alter('DELETE FROM purpose WHERE name = ?', purpose)
    const before = snapshot(config.home)
    expect(await codeOf(() => openVault(config))).toBe('key-store-damaged')
    expect(snapshot(config.home)).toEqual(before)
  })

  it.each([
    ['purposes exchanged', `UPDATE purpose SET name = 'x' || name`, 'key-store-damaged'],
    ['a purpose under another epoch', `UPDATE purpose SET epoch = 7 WHERE name = 'blind'`, 'key-store-damaged'],
    ['a purpose garbled', `UPDATE purpose SET wrapped = zeroblob(60) WHERE name = 'blind'`, 'key-store-damaged'],
    ['a purpose of no bytes', `UPDATE purpose SET wrapped = zeroblob(0) WHERE name = 'blind'`, 'key-store-damaged'],
    ['another instance', `UPDATE meta SET value = '${uuidv7()}' WHERE name = 'instance'`, 'key-wrong'],
    ['another format', `UPDATE meta SET value = '2' WHERE name = 'format'`, 'key-store-format'],
    ['no instance', `DELETE FROM meta WHERE name = 'instance'`, 'key-store-damaged'],
    ['no custodian', 'DELETE FROM custodian', 'custodian-none'],
    ['a custodian garbled', 'UPDATE custodian SET wrapped = zeroblob(60)', 'key-wrong'],
    ['no table', 'DROP TABLE purpose', 'key-store-damaged'],
  ])('is told with one sentence: %s', async (_name, sql, code) => {
    const { config } = await alter(sql)
    const before = snapshot(config.home)
    expect(await codeOf(() => openVault(config))).toBe(code)
    expect(snapshot(config.home)).toEqual(before)
  })
})

describe('a damaged file', () => {
  async function store(): Promise<{ config: ReturnType<typeof configIn>; owners: string[]; path: string }> {
    const { config, vault } = await vaultIn()
    const owners = ids(2000)
    await vault.createOwnerKeys(owners)
    await vault.close()
    return { config, owners, path: storePath(config) }
  }

  it.each([
    ['empty', (path: string) => truncateSync(path, 0)],
    ['a few bytes', (path: string) => truncateSync(path, 10)],
    ['its head alone', (path: string) => truncateSync(path, 100)],
    ['one page', (path: string) => truncateSync(path, 4096)],
    ['random bytes', (path: string) => writeFileSync(path, randomBytes(50_000))],
    ['a text', (path: string) => writeFileSync(path, 'key store')],
  ])('is refused and left as it is: %s', async (_name, damage) => {
    const { config, path } = await store()
    damage(path)
    const before = snapshot(config.home)
    expect(await codeOf(() => openVault(config))).toBe('key-store-damaged')
    expect(snapshot(config.home)).toEqual(before)
  })

  function overwritePages(path: string): void {
    const fd = openSync(path, 'r+')
    for (let page = 12; page < statSync(path).size / 4096; page += 3) writeSync(fd, randomBytes(4096), 0, 4096, page * 4096)
    fsyncSync(fd)
    closeSync(fd)
  }

  it('with pages overwritten in the middle is refused at the start', async () => {
    const { config, path } = await store()
    overwritePages(path)
    expect(await codeOf(() => openVault(config))).toBe('key-store-damaged')
  })

  it('with pages overwritten gives Problems to its readers, never something wrong, never a raw error', async () => {
    const { config, owners, path } = await store()
    const whole = new KeyStore(storePath(config))
    const wrapped = new Map(owners.map((id) => [id, whole.ownerKey(id)!.wrapped.toString('hex')]))
    await whole.close()
    overwritePages(path)
    const damaged = new KeyStore(storePath(config))
    const codes = new Map<string, number>()
    for (const id of owners) {
      const code = await codeOf(() => expect(damaged.ownerKey(id)?.wrapped.toString('hex')).toBe(wrapped.get(id)))
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    expect([...codes.keys()].sort()).toEqual(['key-unavailable', 'no error'])
    expect(await codeOf(() => [...damaged.scan()])).toBe('key-unavailable')
    await damaged.close()
  })

  it('that is missing is refused, and none is made in its place', async () => {
    const config = configIn(folder())
    expect(await codeOf(() => openVault(config))).toBe('key-store-missing')
    expect(existsSync(config.home)).toBe(false)
  })
})

