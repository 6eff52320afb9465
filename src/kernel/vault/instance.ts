import { createHash, createSecretKey, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Problem, Refusal, uuidv7 } from '../base/index.ts'
import { rootKeyPath, type Config } from '../config/index.ts'
import { formatRecoveryCode, fsyncFolder, isKeyFile, keyFile, parseRecoveryCode, passphrase, recoveryKit, unfinished, unwrapRoot, wrapRoot, type Custodian, type CustodianKind } from './custodian.ts'
import { createKeyStore, KeyStore, removeKeyStore, type KeyWrite } from './keystore.ts'
import { FOUNDING, newPurposes, Purposes } from './purposes.ts'
import type { Vault } from './types.ts'
import { vaultOver } from './vault.ts'

export interface OpenedVault extends Vault {
  /** Adds (or replaces) the printed kit as a custodian and returns its text. */
  makeRecoveryKit(): Promise<string>
  /** True when the text opens this instance's root key. Throws a Refusal on a slip in typing. */
  verifyRecoveryKit(text: string): boolean
  /** Exports the root key's unwrapping for the lens's filling threads; never leaves the process. */
  rootForThreads(): KeyObject
  /** Where its keys lie, for threads that read them. */
  readonly keyStore: string
}

const keyStorePath = (config: Config): string => join(config.home, 'keys', 'keystore.sqlite')
const foundingPath = (config: Config): string => join(config.home, 'keys', 'founding')

export function hasInstance(config: Config): boolean {
  return existsSync(keyStorePath(config))
}

/** Traces of an instance whose key store is gone: its database, or the name its process has in the ledger. */
export function hasLostKeys(config: Config): boolean {
  return !hasInstance(config) && [join('postgres', 'data', 'PG_VERSION'), join('keys', 'node-id')].some((trace) => existsSync(join(config.home, trace)))
}

function custodianOf(kind: CustodianKind, config: Config, instanceId: string): Custodian {
  if (kind === 'key-file') return keyFile(rootKeyPath(config, instanceId))
  if (kind === 'passphrase') {
    if (!config.passphraseFile) throw new Refusal('passphrase-missing', 'Set SEALBOOK_PASSPHRASE_FILE to a file whose first line is the passphrase; nothing was changed.')
    return passphrase(config.passphraseFile)
  }
  throw new Refusal('custodian-unusable', 'The recovery kit opens an instance only through `sealbook keys recover`.', 2)
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** A creation notes the key file it is about to write, so that the next one may take away what a killed one left. The digest of 256 random bits tells nothing of them. */
function noteFounding(config: Config, instanceId: string, text: string): void {
  mkdirSync(dirname(foundingPath(config)), { recursive: true, mode: 0o700 })
  writeFileSync(foundingPath(config), `${instanceId} ${digestOf(text)}\n`, { mode: 0o600, flush: true })
}

/** The key file of a creation that was killed before its key store had a name: nothing was ever sealed with it. */
function forgetFounding(config: Config): void {
  if (!existsSync(foundingPath(config))) return
  const [instanceId = '', digest] = readFileSync(foundingPath(config), 'utf8').trim().split(' ')
  const path = rootKeyPath(config, instanceId)
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  if (isKeyFile(text) && digestOf(text) === digest) rmSync(path)
  rmSync(unfinished(path), { force: true })
  rmSync(foundingPath(config))
}

/** Makes a new instance: root key under its custodian, key store, purpose keys. Throws a Refusal and leaves nothing behind when a part is refused. */
export async function createInstance(config: Config): Promise<{ instanceId: string }> {
  const path = keyStorePath(config)
  if (existsSync(path)) throw new Refusal('key-store-exists', 'This home already has a key store; nothing was changed.')
  if (hasLostKeys(config)) {
    throw new Refusal('key-store-missing', `The instance in ${config.home} has lost its key store: mount it again, or put keys/keystore.sqlite back from its own backup; nothing was changed.`)
  }
  forgetFounding(config)
  const instanceId = uuidv7()
  const custodian = config.custodian === 'key-file' ? keyFile(rootKeyPath(config, instanceId), (text) => noteFounding(config, instanceId, text)) : custodianOf(config.custodian, config, instanceId)
  const root = createSecretKey(randomBytes(32))
  let wrapped = false
  try {
    const kept = wrapRoot(custodian, instanceId, root)
    wrapped = true
    await foundKeyStore(path, instanceId, [{ op: 'custodian', ...kept, at: new Date().toISOString() }, ...newPurposes(instanceId, root, new Set())])
  } catch (error) {
    // Not one that was there before.
    if (wrapped && custodian.kind === 'key-file') rmSync(rootKeyPath(config, instanceId), { force: true })
    throw error instanceof Refusal ? error : new Refusal('key-store-not-written', `Cannot write in ${config.home}: free some space or correct the rights of the folder; nothing was changed.`, 4, error)
  } finally {
    if (existsSync(foundingPath(config))) rmSync(foundingPath(config))
    if (!hasInstance(config)) removeIfEmpty(dirname(path))
  }
  return { instanceId }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // Not there, or something of somebody else's is in it.
  }
}

/** The key store gets its name only when it is whole: a creation that is killed leaves no store without a root key. */
async function foundKeyStore(path: string, instanceId: string, writes: readonly KeyWrite[]): Promise<void> {
  const draft = `${path}.new`
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  removeKeyStore(draft)
  try {
    createKeyStore(draft, instanceId)
    const store = new KeyStore(draft)
    try {
      await store.write(writes)
    } finally {
      await store.close()
    }
    renameSync(draft, path)
    fsyncFolder(dirname(path))
  } catch (error) {
    removeKeyStore(draft)
    throw error
  }
}

function unlock(config: Config, store: KeyStore): KeyObject {
  const kept = store.custodians().filter((c) => c.kind !== 'recovery-kit')
  const wanted = kept.find((c) => c.kind === config.custodian) ?? kept[0]
  if (!wanted) throw new Refusal('custodian-none', 'No custodian holds the root key: recover with `sealbook keys recover` and the printed kit.')
  return unwrapRoot(custodianOf(wanted.kind as CustodianKind, config, store.instanceId), store.instanceId, wanted)
}

/** Opens the vault of this home. Throws a Refusal with one sentence when the key store or the root key cannot be used. */
export async function openVault(config: Config): Promise<OpenedVault> {
  const store = new KeyStore(keyStorePath(config))
  try {
    const root = unlock(config, store)
    const have = new Set(store.purposes().map((p) => p.purpose))
    // A purpose that was always there and is gone was lost. A fresh key in its place would seal new rows apart from the old ones.
    const lost = FOUNDING.filter((p) => !have.has(p))
    if (lost.length > 0) throw new Refusal('key-store-damaged', `The key store has lost its keys for ${lost.join(', ')}: put it back from its own backup; nothing was changed.`)
    const missing = newPurposes(store.instanceId, root, have)
    if (missing.length > 0) await store.write(missing)
    await store.tidy()
    return withKit(store, root, vaultOver(store, new Purposes(store.instanceId, root, store.purposes())))
  } catch (error) {
    await store.close()
    // At start-up a store that cannot be read or written is the operator's to mend, with a sentence.
    if (error instanceof Problem) throw new Refusal('key-store-damaged', `The key store in ${config.home} cannot be used: put it back from its own backup; nothing was changed.`, 4, error)
    throw error
  }
}

function withKit(store: KeyStore, root: KeyObject, vault: Vault): OpenedVault {
  return {
    ...vault,
    async makeRecoveryKit() {
      const secret = randomBytes(32)
      const kept = wrapRoot(recoveryKit(secret), store.instanceId, root)
      await store.write([{ op: 'custodian', ...kept, at: new Date().toISOString() }])
      return kitText(store.instanceId, formatRecoveryCode(secret))
    },
    verifyRecoveryKit(text) {
      const kept = store.custodians().find((c) => c.kind === 'recovery-kit')
      if (!kept) return false
      try {
        return timingSafeEqual(unwrapRoot(recoveryKit(parseRecoveryCode(text)), store.instanceId, kept).export(), root.export())
      } catch (error) {
        if (error instanceof Refusal && error.code === 'key-wrong') return false
        throw error
      }
    },
    rootForThreads: () => root,
    keyStore: store.path,
  }
}

/** Opens the root key with the printed kit and puts it under a fresh key file, in the place of the custodian that was lost, which opens nothing any more. Throws a Refusal; then no key file is left and the store is as before. */
export async function recoverInstance(config: Config, kit: string): Promise<{ instanceId: string; keyFile: string }> {
  const store = new KeyStore(keyStorePath(config))
  try {
    const kept = store.custodians().find((c) => c.kind === 'recovery-kit')
    if (!kept) throw new Refusal('recovery-kit-none', 'No recovery kit was ever made for this instance.')
    const root = unwrapRoot(recoveryKit(parseRecoveryCode(kit)), store.instanceId, kept)
    const path = rootKeyPath(config, store.instanceId)
    const fresh = wrapRoot(keyFile(path), store.instanceId, root)
    try {
      const lost = store.custodians().filter((c) => c.kind !== fresh.kind && c.kind !== 'recovery-kit')
      await store.write([{ op: 'custodian', ...fresh, at: new Date().toISOString() }, ...lost.map(({ kind }) => ({ op: 'custodian-remove' as const, kind }))])
    } catch (error) {
      rmSync(path, { force: true })
      throw new Refusal('key-store-not-written', `The key store of ${config.home} cannot be written: free some space or correct its rights; nothing was changed.`, 4, error)
    }
    return { instanceId: store.instanceId, keyFile: path }
  } finally {
    await store.close()
  }
}

function kitText(instanceId: string, code: string): string {
  return [
    'SEALBOOK RECOVERY KIT / 密客恢复套件',
    '',
    `instance   ${instanceId}`,
    `made       ${new Date().toISOString()}`,
    '',
    `code       ${code}`,
    '',
    'Whoever holds this code and a copy of the key store reads everything. Print it, keep it in a safe, delete the file.',
    '持有此代码及密钥库副本者可读取全部数据。请打印后存入保险柜，并删除此文件。',
    'To use it: npx --no-install sealbook keys recover --recovery-kit FILE',
    '',
  ].join('\n')
}
