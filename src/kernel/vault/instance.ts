import { createSecretKey, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Refusal, uuidv7 } from '../base/index.ts'
import { rootKeyPath, type Config } from '../config/index.ts'
import { formatRecoveryCode, keyFile, parseRecoveryCode, passphrase, recoveryKit, unwrapRoot, wrapRoot, type Custodian, type CustodianKind } from './custodian.ts'
import { createKeyStore, KeyStore } from './keystore.ts'
import { newPurposes, Purposes } from './purposes.ts'
import type { Vault } from './types.ts'
import { vaultOver } from './vault.ts'

export interface OpenedVault extends Vault {
  /** Adds (or replaces) the printed kit as a custodian and returns its text. */
  makeRecoveryKit(): Promise<string>
  /** True when the text opens this instance's root key. Throws a Refusal on a slip in typing. */
  verifyRecoveryKit(text: string): boolean
  /** Exports the root key's unwrapping for the lens's filling threads; never leaves the process. */
  rootForThreads(): KeyObject
}

const keyStorePath = (config: Config): string => join(config.home, 'keys', 'keystore.sqlite')

export function hasInstance(config: Config): boolean {
  return existsSync(keyStorePath(config))
}

function custodianOf(kind: CustodianKind, config: Config, instanceId: string): Custodian {
  if (kind === 'key-file') return keyFile(rootKeyPath(config, instanceId))
  if (kind === 'passphrase') {
    if (!config.passphraseFile) throw new Refusal('passphrase-missing', 'Set SEALBOOK_PASSPHRASE_FILE to a file whose first line is the passphrase; nothing was changed.')
    return passphrase(config.passphraseFile)
  }
  throw new Refusal('custodian-unusable', 'The recovery kit opens an instance only through `sealbook keys recover`.', 2)
}

/** Makes a new instance: root key under its custodian, key store, purpose keys. Throws a Refusal and leaves nothing behind when a part is refused. */
export async function createInstance(config: Config): Promise<{ instanceId: string }> {
  if (existsSync(join(config.home, 'postgres', 'PG_VERSION'))) {
    throw new Refusal('key-store-missing', `The database in ${config.home} has no key store beside it: put keys/keystore.sqlite back from its own backup; nothing was changed.`)
  }
  const instanceId = uuidv7()
  const root = createSecretKey(randomBytes(32))
  const kept = wrapRoot(custodianOf(config.custodian, config, instanceId), instanceId, root)
  mkdirSync(join(config.home, 'keys'), { recursive: true, mode: 0o700 })
  createKeyStore(keyStorePath(config), instanceId)
  const store = new KeyStore(keyStorePath(config))
  await store.write([{ op: 'custodian', ...kept, at: new Date().toISOString() }, ...newPurposes(instanceId, root, new Set())])
  await store.close()
  return { instanceId }
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
    const missing = newPurposes(store.instanceId, root, new Set(store.purposes().map((p) => p.purpose)))
    if (missing.length > 0) await store.write(missing)
    return withKit(store, root, vaultOver(store, new Purposes(store.instanceId, root, store.purposes())))
  } catch (error) {
    await store.close()
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
  }
}

/** Opens the root key with the printed kit and puts it under a fresh key file. The lost custodian's wrap is replaced. */
export async function recoverInstance(config: Config, kit: string): Promise<{ instanceId: string; keyFile: string }> {
  const store = new KeyStore(keyStorePath(config))
  try {
    const kept = store.custodians().find((c) => c.kind === 'recovery-kit')
    if (!kept) throw new Refusal('recovery-kit-none', 'No recovery kit was ever made for this instance.')
    const root = unwrapRoot(recoveryKit(parseRecoveryCode(kit)), store.instanceId, kept)
    const path = rootKeyPath(config, store.instanceId)
    const fresh = wrapRoot(keyFile(path), store.instanceId, root)
    await store.write([{ op: 'custodian', ...fresh, at: new Date().toISOString() }])
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
