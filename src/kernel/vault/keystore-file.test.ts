import { chmodSync, existsSync, readFileSync, renameSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { Problem, uuidv7 } from '../base/index.ts'
import { folder, ids, rawBytes, storePath, traces, vaultIn } from './fixture.ts'
import { openVault } from './instance.ts'
import { createKeyStore, KeyStore } from './keystore.ts'

describe('the file itself', () => {
  it('is readable by its owner only, whatever the umask', () => {
    const before = process.umask(0)
    const path = `${folder()}/k.sqlite`
    try {
      createKeyStore(path, uuidv7())
    } finally {
      process.umask(before)
    }
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('has a log and an index as closed as itself', async () => {
    const { config, vault } = await vaultIn()
    await vault.createOwnerKeys(ids(1))
    for (const tail of ['', '-wal', '-shm']) expect(statSync(storePath(config) + tail).mode & 0o777, tail).toBe(0o600)
  })

  it('holds no key in the clear', async () => {
    const { config, vault } = await vaultIn()
    const [key] = await vault.createOwnerKeys(ids(1))
    const secrets = [vault.rootForThreads().export(), key!.handle, key!.use('x').export()]
    const keyFile = readFileSync(config.rootKeyFile!, 'utf8').trim().split(' ')[1]!
    for (const secret of [...secrets, Buffer.from(keyFile, 'base64url'), Buffer.from(keyFile)]) expect(traces(rawBytes(config), secret)).toBe(0)
  })

  it('is not made over one that is there', () => {
    const path = `${folder()}/k.sqlite`
    createKeyStore(path, uuidv7())
    const before = readFileSync(path)
    expect(() => createKeyStore(path, uuidv7())).toThrow('already has a key store')
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it('takes no writer to be read', async () => {
    const { config, vault } = await vaultIn()
    const [id] = (await vault.createOwnerKeys(ids(1))).map((k) => k.ownerId)
    await vault.close()
    chmodSync(storePath(config), 0o400)
    const store = new KeyStore(storePath(config))
    expect(store.ownerKey(id!)?.keyVersion).toBe(1)
    await store.close()
  })
})

describe('closing', () => {
  it('writes what was asked first, may be asked twice, and leaves one file', async () => {
    const { config, vault } = await vaultIn()
    const asked = ids(100).map((id) => vault.createOwnerKeys([id]))
    const closed = Promise.all([vault.close(), vault.close()])
    expect((await Promise.allSettled(asked)).every((r) => r.status === 'fulfilled')).toBe(true)
    await closed
    await vault.close()
    expect(existsSync(`${storePath(config)}-wal`)).toBe(false)
    await expect(vault.createOwnerKeys(ids(1))).rejects.toThrow(new Problem('key-unavailable'))
    expect(() => vault.ownerKey(uuidv7())).toThrow(new Problem('key-unavailable'))
    const again = await openVault(config)
    expect(again.status().subjectKeys).toBe(100)
    await again.close()
  })

  it('after its writer died ends, and the next write starts another', async () => {
    const { config, vault } = await vaultIn()
    await vault.close()
    const again = await openVault(config)
    renameSync(storePath(config), `${storePath(config)}.away`)
    await expect(again.createOwnerKeys(ids(1))).rejects.toThrow(new Problem('key-unavailable'))
    expect(existsSync(storePath(config))).toBe(false)
    renameSync(`${storePath(config)}.away`, storePath(config))
    const [key] = await again.createOwnerKeys(ids(1))
    expect(again.ownerKey(key!.ownerId)).toBe(key)
    await again.close()
    const broken = await openVault(config)
    renameSync(storePath(config), `${storePath(config)}.away`)
    await expect(broken.destroyOwnerKey(key!.ownerId)).rejects.toThrow(new Problem('key-unavailable'))
    await broken.close()
  })

  it('of another process that holds the lock is waited for, then told; nothing is written twice', async () => {
    const { config, vault } = await vaultIn()
    const locker = new DatabaseSync(storePath(config))
    locker.exec('BEGIN IMMEDIATE')
    const [a, b] = ids(2)
    await expect(Promise.all([vault.createOwnerKeys([a!]), vault.createOwnerKeys([b!])])).rejects.toThrow(new Problem('key-unavailable'))
    expect(vault.hasOwnerKey(a!)).toBe(false)
    locker.exec('ROLLBACK')
    locker.close()
    await vault.createOwnerKeys([a!])
    expect(vault.status().subjectKeys).toBe(1)
  })
})
