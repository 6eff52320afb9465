import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Refusal, uuidv7 } from '../base/index.ts'
import { formatRecoveryCode, parseRecoveryCode } from './custodian.ts'
import { codeOf, configIn, folder, ids, rawBytes, snapshot, storePath, traces, vaultIn } from './fixture.ts'
import { createInstance, hasInstance, openVault, recoverInstance } from './instance.ts'
import { PURPOSES } from './purposes.ts'

const cell = { table: 't', compartment: 'main', rowId: uuidv7(), rowVersion: 1, bound: new Uint8Array(0) }

describe('a new instance', () => {
  it('has one custodian, the first epoch of every purpose, and files of its owner alone', async () => {
    const { config, vault } = await vaultIn()
    expect(hasInstance(config)).toBe(true)
    const { custodians, purposes, subjectKeys } = vault.status()
    expect([custodians, purposes.map((p) => p.purpose).sort(), subjectKeys]).toEqual([['key-file'], [...PURPOSES].sort(), 0])
    expect(purposes.every((p) => p.epoch === 1)).toBe(true)
    for (const [path, mode] of [[config.rootKeyFile!, 0o600], [storePath(config), 0o600], [dirname(storePath(config)), 0o700], [dirname(config.rootKeyFile!), 0o700]] as const) {
      expect(statSync(path).mode & 0o777, path).toBe(mode)
    }
  })

  it('is not made twice: the second time nothing changes, and no second key file appears', async () => {
    const path = folder()
    const config = configIn(path)
    await createInstance(config)
    const before = snapshot(path)
    expect(await codeOf(() => createInstance(config))).toBe('key-store-exists')
    expect(await codeOf(() => createInstance(configIn(path, { SEALBOOK_ROOT_KEY_FILE: join(path, 'other.key') })))).toBe('key-store-exists')
    expect(snapshot(path)).toEqual(before)
  })

  it.each(['postgres/data/PG_VERSION', 'keys/node-id'])('is not made beside what is left of one that lost its key store: %s', async (trace) => {
    const path = folder()
    mkdirSync(dirname(join(path, 'home', trace)), { recursive: true })
    writeFileSync(join(path, 'home', trace), '18')
    const before = snapshot(path)
    expect(await codeOf(() => createInstance(configIn(path)))).toBe('key-store-missing')
    expect(snapshot(path)).toEqual(before)
  })

  it('is not made over a key file that is there, whatever is in it', async () => {
    const path = folder()
    const config = configIn(path)
    mkdirSync(dirname(config.rootKeyFile!))
    writeFileSync(config.rootKeyFile!, 'precious')
    expect(await codeOf(() => createInstance(config))).toBe('key-file-exists')
    expect([readFileSync(config.rootKeyFile!, 'utf8'), hasInstance(config)]).toEqual(['precious', false])
  })

  it('does not follow a link in the key file\'s place', async () => {
    const path = folder()
    const config = configIn(path)
    mkdirSync(dirname(config.rootKeyFile!))
    symlinkSync(join(path, 'elsewhere'), config.rootKeyFile!)
    expect(await codeOf(() => createInstance(config))).toBe('secret-not-written')
    expect([existsSync(join(path, 'elsewhere')), hasInstance(config)]).toEqual([false, false])
  })

  it.each([
    ['a file where the key file\'s folder should be', (path: string) => writeFileSync(join(path, 'outside'), ''), 'secret-not-written'],
    ['a file where the home should be', (path: string) => writeFileSync(join(path, 'home'), ''), 'key-store-not-written'],
    ['a file where the keys should be', (path: string) => (mkdirSync(join(path, 'home')), writeFileSync(join(path, 'home', 'keys'), '')), 'key-store-not-written'],
  ])('that cannot be finished leaves neither key store nor key file: %s', async (_name, obstruct, code) => {
    const path = folder()
    const config = configIn(path)
    obstruct(path)
    const before = snapshot(path)
    expect(await codeOf(() => createInstance(config))).toBe(code)
    expect(snapshot(path)).toEqual(before)
  })

  it('may be made after a creation was killed half-way', async () => {
    const path = folder()
    const config = configIn(path)
    mkdirSync(dirname(storePath(config)), { recursive: true })
    for (const tail of ['', '-wal', '-shm']) writeFileSync(`${storePath(config)}.new${tail}`, randomBytes(5000))
    expect(hasInstance(config)).toBe(false)
    await createInstance(config)
    expect(existsSync(`${storePath(config)}.new`)).toBe(false)
    await (await openVault(config)).close()
  })
})

describe('the key file', () => {
  it.each([
    ['missing', (file: string) => rmSync(file), 'key-unreadable'],
    ['a folder', (file: string) => (rmSync(file), mkdirSync(file)), 'key-unreadable'],
    ['empty', (file: string) => writeFileSync(file, ''), 'key-file-invalid'],
    ['garbage', (file: string) => writeFileSync(file, randomBytes(70)), 'key-file-invalid'],
    ['far too large', (file: string) => writeFileSync(file, Buffer.alloc(1 << 20)), 'key-unreadable'],
    ['cut short', (file: string) => writeFileSync(file, readFileSync(file, 'utf8').slice(0, 40)), 'key-file-invalid'],
    ['of another instance', (file: string) => writeFileSync(file, `sealbook-root-key-v1 ${randomBytes(32).toString('base64url')}\n`), 'key-wrong'],
  ])('%s is refused with a sentence of its own, and nothing changes', async (_name, damage, code) => {
    const { config, vault } = await vaultIn()
    await vault.close()
    damage(config.rootKeyFile!)
    const before = snapshot(dirname(config.home))
    expect(await codeOf(() => openVault(config))).toBe(code)
    expect(snapshot(dirname(config.home))).toEqual(before)
  })

  it('opens when an editor gave it another line end', async () => {
    const { config, vault } = await vaultIn()
    await vault.close()
    writeFileSync(config.rootKeyFile!, readFileSync(config.rootKeyFile!, 'utf8').replace('\n', '\r\n'))
    await (await openVault(config)).close()
  })

  it('is exit code 4 and one sentence to whoever starts the server', async () => {
    const { config, vault } = await vaultIn()
    await vault.close()
    rmSync(config.rootKeyFile!)
    const error: unknown = await openVault(config).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(Refusal)
    expect([(error as Refusal).exitCode, (error as Refusal).message.split('\n').length]).toEqual([4, 1])
  })
})

describe('a passphrase', () => {
  const words = 'correct horse battery staple'
  async function sealed(): Promise<{ config: ReturnType<typeof configIn>; file: string }> {
    const path = folder()
    const file = join(path, 'words')
    writeFileSync(file, `${words}\nsecond line\n`)
    const config = configIn(path, { SEALBOOK_CUSTODIAN: 'passphrase', SEALBOOK_PASSPHRASE_FILE: file })
    await createInstance(config)
    return { config, file }
  }

  it('opens what it sealed, from the first line alone, in any normal form', async () => {
    const { config, file } = await sealed()
    expect(existsSync(config.rootKeyFile!)).toBe(false)
    for (const text of [words, `\ufeff${words}\r\n`, `  ${words.replace('horse', 'ｈｏｒｓｅ')} \nother`]) {
      writeFileSync(file, text)
      await (await openVault(config)).close()
    }
    expect(traces(rawBytes(config), Buffer.from(words))).toBe(0)
  })

  it('that is wrong, short, missing or unreadable is refused, each with its code', async () => {
    const { config, file } = await sealed()
    const before = snapshot(config.home)
    for (const [text, code] of [['correct horse battery stable', 'key-wrong'], ['short', 'passphrase-short'], ['', 'passphrase-short']] as const) {
      writeFileSync(file, text)
      expect(await codeOf(() => openVault(config)), text).toBe(code)
    }
    rmSync(file)
    expect(await codeOf(() => openVault(config))).toBe('key-unreadable')
    expect(await codeOf(() => openVault({ ...config, passphraseFile: null }))).toBe('passphrase-missing')
    expect(snapshot(config.home)).toEqual(before)
  })

  it('of too few characters makes no instance', async () => {
    const path = folder()
    writeFileSync(join(path, 'words'), 'eleven char')
    const config = configIn(path, { SEALBOOK_CUSTODIAN: 'passphrase', SEALBOOK_PASSPHRASE_FILE: join(path, 'words') })
    expect(await codeOf(() => createInstance(config))).toBe('passphrase-short')
    expect(hasInstance(config)).toBe(false)
  })
})

describe('the recovery kit', () => {
  it('is read back, however it is typed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (secret) => {
        const code = formatRecoveryCode(secret)
        expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){13}[0-9A-HJKMNP-TV-Z]{3}$/)
        const ways = [code, code.toLowerCase(), code.replaceAll('-', ' '), code.replaceAll('-', ''), code.replaceAll('0', 'o').replaceAll('1', 'l'), code.replaceAll('-', '-\r\n'), `code  ${code}`, `  Code: ${code}\n\nrest`, code.replace(/[0-9A-Z]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0))]
        for (const typed of ways) expect(parseRecoveryCode(typed).equals(secret), typed).toBe(true)
      }),
    )
  })

  it('tells a slip of the pen: any one character, any two exchanged, one missing, one too many', () => {
    const code = formatRecoveryCode(randomBytes(32))
    const chars = code.replaceAll('-', '')
    const wrong: string[] = ['', 'code', 'x', chars.slice(1), chars.slice(0, -1), `${chars}0`, `0${chars}`]
    for (let i = 0; i < chars.length; i++) {
      for (const c of '0123456789ABCDEFGHJKMNPQRSTVWXYZU*') if (c !== chars[i]) wrong.push(chars.slice(0, i) + c + chars.slice(i + 1))
      if (i > 0 && chars[i] !== chars[i - 1]) wrong.push(chars.slice(0, i - 1) + chars[i] + chars[i - 1] + chars.slice(i + 1))
    }
    const passed = wrong.filter((w) => {
      try {
        parseRecoveryCode(w)
        return true
      } catch (error) {
        expect((error as Refusal).code).toBe('recovery-code-mistyped')
        return false
      }
    })
    // 16 bits of checksum let one in 65,536 pass; it then fails as the kit of another instance.
    expect(passed.length).toBeLessThanOrEqual(2)
  })

  it('verifies: its own text, not that of another instance, and a slip is a Refusal', async () => {
    const [a, b] = [await vaultIn(folder()), await vaultIn(folder())]
    expect(a.vault.verifyRecoveryKit(formatRecoveryCode(randomBytes(32)))).toBe(false)
    const kit = await a.vault.makeRecoveryKit()
    expect(kit).toContain(a.vault.instanceId)
    expect(a.vault.verifyRecoveryKit(kit)).toBe(true)
    expect(a.vault.verifyRecoveryKit(await b.vault.makeRecoveryKit())).toBe(false)
    expect(await codeOf(() => a.vault.verifyRecoveryKit(kit.replace(/(code +)(.)/, (_m, c: string, first: string) => c + (first === '2' ? '3' : '2'))))).toBe('recovery-code-mistyped')
    expect(a.vault.status().custodians.sort()).toEqual(['key-file', 'recovery-kit'])
  })

  it('brings back everything after the key file is lost', async () => {
    const { config, vault } = await vaultIn()
    const kit = await vault.makeRecoveryKit()
    const [key] = await vault.createOwnerKeys(ids(1))
    const sealed = vault.seal(key!, cell, Buffer.from('kept'))
    const signer = vault.ledgerSigner.export({ format: 'jwk' })
    await vault.close()
    const lost = readFileSync(config.rootKeyFile!, 'utf8')
    rmSync(config.rootKeyFile!)
    const done = await recoverInstance(config, kit)
    expect(done).toEqual({ instanceId: vault.instanceId, keyFile: config.rootKeyFile })
    expect(readFileSync(config.rootKeyFile!, 'utf8')).not.toBe(lost)
    const again = await openVault(config)
    expect(again.open(again.ownerKey(key!.ownerId), cell, sealed).toString()).toBe('kept')
    expect(again.ledgerSigner.export({ format: 'jwk' })).toEqual(signer)
    expect(again.verifyRecoveryKit(kit)).toBe(true)
    await again.close()
    // The lost file is worth nothing any more with this key store.
    writeFileSync(config.rootKeyFile!, lost)
    expect(await codeOf(() => openVault(config))).toBe('key-wrong')
  })

  it('takes the place of a passphrase that was forgotten, which opens nothing from then on', async () => {
    const path = folder()
    const file = join(path, 'words')
    writeFileSync(file, 'correct horse battery staple')
    const config = configIn(path, { SEALBOOK_CUSTODIAN: 'passphrase', SEALBOOK_PASSPHRASE_FILE: file })
    await createInstance(config)
    const vault = await openVault(config)
    const kit = await vault.makeRecoveryKit()
    await vault.close()
    rmSync(file)
    await recoverInstance(config, kit)
    const again = await openVault(config) // although the settings still say passphrase
    expect(again.status().custodians.sort()).toEqual(['key-file', 'recovery-kit'])
    await again.close()
    rmSync(config.rootKeyFile!)
    writeFileSync(file, 'correct horse battery staple')
    expect(await codeOf(() => openVault(config))).toBe('key-unreadable')
  })

  it('leaves no trace of the kit it replaces', async () => {
    const { config, vault } = await vaultIn()
    const old = await vault.makeRecoveryKit()
    const fresh = await vault.makeRecoveryKit()
    expect([vault.verifyRecoveryKit(old), vault.verifyRecoveryKit(fresh)]).toEqual([false, true])
    expect(existsSync(`${storePath(config)}-wal`) ? statSync(`${storePath(config)}-wal`).size : 0).toBe(0)
  })

  it('refuses, and changes nothing: a slip, another kit, none ever made, a key file in the way, a place that cannot be written', async () => {
    const { config, vault } = await vaultIn()
    await vault.close()
    const other = await vaultIn(folder())
    const foreign = await other.vault.makeRecoveryKit()
    rmSync(config.rootKeyFile!)
    const bare = snapshot(dirname(config.home))
    expect(await codeOf(() => recoverInstance(config, foreign))).toBe('recovery-kit-none')
    expect(snapshot(dirname(config.home))).toEqual(bare)
    const kept = snapshot(dirname(other.config.home))
    await other.vault.close()
    expect(await codeOf(() => recoverInstance(other.config, 'ABCD-EFGH'))).toBe('recovery-code-mistyped')
    expect(await codeOf(() => recoverInstance(other.config, formatRecoveryCode(randomBytes(32))))).toBe('key-wrong')
    expect(await codeOf(() => recoverInstance(other.config, foreign))).toBe('key-file-exists')
    expect(await codeOf(() => recoverInstance({ ...other.config, rootKeyFile: join(other.config.rootKeyFile!, 'below', 'a file') }, foreign))).toBe('secret-not-written')
    expect(snapshot(dirname(other.config.home))).toEqual(kept)
  })
})
