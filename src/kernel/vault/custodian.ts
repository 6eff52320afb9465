import { argon2Sync, createSecretKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { lengthPrefixed, Refusal } from '../base/index.ts'
import { aesGcmOpen, aesGcmSeal, freshNonce, OpenFailed } from './aes.ts'

export type CustodianKind = 'key-file' | 'passphrase' | 'recovery-kit'

/** Holds the key that wraps the root key. Several may be active at once, so leaving one needs no re-encryption. A KMS or HSM is one more `Custodian`. */
export interface Custodian {
  readonly kind: CustodianKind
  /** Makes the wrapping key for a new wrap; returns what must be kept to find it again (no secret). */
  prepare(): { params: string; key: KeyObject }
  /** The wrapping key for a kept wrap. Throws a Refusal that says what to do. */
  recall(params: string): KeyObject
}

const aadOf = (instanceId: string, kind: string, params: string): Buffer => lengthPrefixed(['sealbook/v1', instanceId, 'root', kind, params])

export function wrapRoot(custodian: Custodian, instanceId: string, root: KeyObject): { kind: CustodianKind; params: string; wrapped: Buffer } {
  const { params, key } = custodian.prepare()
  const nonce = freshNonce()
  const wrapped = Buffer.concat([nonce, aesGcmSeal(key, nonce, aadOf(instanceId, custodian.kind, params), root.export())])
  return { kind: custodian.kind, params, wrapped }
}

/** Throws a Refusal key-wrong when the custodian's secret is not the one this instance was sealed with. */
export function unwrapRoot(custodian: Custodian, instanceId: string, kept: { params: string; wrapped: Buffer }): KeyObject {
  const key = custodian.recall(kept.params)
  try {
    return createSecretKey(aesGcmOpen(key, kept.wrapped.subarray(0, 12), aadOf(instanceId, custodian.kind, kept.params), kept.wrapped.subarray(12)))
  } catch (error) {
    if (!(error instanceof OpenFailed)) throw error
    const what = { 'key-file': 'The key file is not the one of this instance', passphrase: 'The passphrase is wrong', 'recovery-kit': 'This recovery kit is not the one of this instance' }[custodian.kind]
    throw new Refusal('key-wrong', `${what}: give the right one; nothing was changed.`)
  }
}

const KEY_FILE = /^sealbook-root-key-v1 ([A-Za-z0-9_-]{43})\s*$/

export const isKeyFile = (text: string): boolean => KEY_FILE.test(text)

/** A file with 32 random bytes; 0600, best on another device than HOME. `announce` hears its text before it is written. */
export function keyFile(path: string, announce?: (text: string) => void): Custodian {
  return {
    kind: 'key-file',
    prepare() {
      if (existsSync(path)) throw new Refusal('key-file-exists', `There is already a key file at ${path}: move it away or set SEALBOOK_ROOT_KEY_FILE; nothing was changed.`)
      const bytes = randomBytes(32)
      const text = `sealbook-root-key-v1 ${bytes.toString('base64url')}\n`
      announce?.(text)
      writeSecretFile(path, text)
      return { params: '{}', key: createSecretKey(bytes) }
    },
    recall() {
      const match = KEY_FILE.exec(readSecretFile(path, 'key file'))
      if (!match) throw new Refusal('key-file-invalid', `The key file at ${path} is not a Sealbook key file: put the right one there; nothing was changed.`)
      return createSecretKey(Buffer.from(match[1]!, 'base64url'))
    },
  }
}

const MEMORY_KIB = 256 * 1024

/** Argon2id (RFC 9106), 256 MiB, t=3, over the first line of a file. */
export function passphrase(path: string): Custodian {
  const derive = (salt: Buffer): KeyObject => {
    const words = readSecretFile(path, 'passphrase file').split('\n')[0]!.normalize('NFKC').trim()
    if (words.length < 12) throw new Refusal('passphrase-short', `Write a passphrase of at least 12 characters on the first line of ${path}; nothing was changed.`)
    try {
      return createSecretKey(argon2Sync('argon2id', { message: words, nonce: salt, parallelism: 1, tagLength: 32, memory: MEMORY_KIB, passes: 3 }))
    } catch (error) {
      throw new Refusal('passphrase-memory', 'Stretching the passphrase needs 256 MiB of memory: free some; nothing was changed.', 4, error)
    }
  }
  return {
    kind: 'passphrase',
    prepare() {
      const salt = randomBytes(16)
      return { params: JSON.stringify({ salt: salt.toString('base64url') }), key: derive(salt) }
    },
    recall: (params) => derive(saltOf(params)),
  }
}

function saltOf(params: string): Buffer {
  const salt = Buffer.from(/^\{"salt":"([A-Za-z0-9_-]{22})"\}$/.exec(params)?.[1] ?? '', 'base64url')
  if (salt.length !== 16) throw new Refusal('key-store-damaged', 'The key store does not say how the passphrase was used: put it back from its own backup; nothing was changed.')
  return salt
}

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** 32 secret bytes and a 16-bit checksum as 55 Crockford base-32 characters in groups of four, so a slip in typing is told from a wrong kit. */
export function formatRecoveryCode(secret: Uint8Array): string {
  const sum = Buffer.from(hkdfSync('sha256', secret, '', 'recovery-kit-checksum', 3)).subarray(0, 2)
  const bits = [...secret, ...sum].map((b) => b.toString(2).padStart(8, '0')).join('')
  const chars = (bits.match(/.{1,5}/g) ?? []).map((five) => ALPHABET[Number.parseInt(five.padEnd(5, '0'), 2)]).join('')
  return (chars.match(/.{1,4}/g) ?? []).join('-')
}

/**
 * Reads the code out of a whole kit (what follows `code`, up to an empty line) or out of the code alone, typed in any
 * case, spacing and line breaks, full-width letters too. Throws a Refusal recovery-code-mistyped.
 */
export function parseRecoveryCode(text: string): Buffer {
  const plain = text.normalize('NFKC').replaceAll('\r', '')
  const code = /^[ \t]*code[ \t:]+([^]*?)(?:\n[ \t]*\n|$(?![^]))/im.exec(plain)?.[1] ?? plain
  const chars = code.toUpperCase().replace(/[^0-9A-Z]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1')
  const bits = [...chars].map((c) => ALPHABET.indexOf(c).toString(2).padStart(5, '0')).join('')
  const bytes = Buffer.from((bits.match(/.{8}/g) ?? []).map((b) => Number.parseInt(b, 2)))
  const secret = bytes.subarray(0, 32)
  if (bytes.length !== 34 || formatRecoveryCode(secret).replaceAll('-', '') !== chars) {
    throw new Refusal('recovery-code-mistyped', 'The recovery code has a slip in it: compare it with the printed kit, group by group; nothing was changed.')
  }
  return secret
}

/** The printed kit as a custodian: `secret` is what its code says. */
export function recoveryKit(secret: Buffer): Custodian {
  return { kind: 'recovery-kit', prepare: () => ({ params: '{}', key: createSecretKey(secret) }), recall: () => createSecretKey(secret) }
}

/** What a killed write leaves beside `path`. */
export const unfinished = (path: string): string => `${path}.unfinished`

/** A new file of mode 0600 that is on the disk, whole, when this returns; it has its name only then. Throws a Refusal secret-not-written, also when the name is taken. */
export function writeSecretFile(path: string, text: string): void {
  const draft = unfinished(path)
  let fd: number | null = null
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    rmSync(draft, { force: true })
    fd = openSync(draft, 'wx', 0o600)
    writeFileSync(fd, text)
    fsyncSync(fd)
    takeName(draft, path)
    fsyncFolder(dirname(path))
  } catch (error) {
    throw new Refusal('secret-not-written', `Cannot write ${path}: choose a folder that can be written and a name that is free.`, 4, error)
  } finally {
    if (fd !== null) closeSync(fd)
    if (fd !== null) rmSync(draft, { force: true })
  }
}

/** Never over a file that is there: a link refuses that, a rename would not. */
function takeName(draft: string, path: string): void {
  try {
    linkSync(draft, path)
  } catch (error) {
    // FAT on a stick knows no links.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(String((error as { code?: unknown }).code)) || existsSync(path)) throw error
    renameSync(draft, path)
  }
}

/** Makes a new name in a folder survive a power cut. */
export function fsyncFolder(folder: string): void {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } catch (error) {
    // Some file systems have no such thing for a folder; a broken disk (EIO) is told.
    if ((error as { code?: unknown }).code !== 'EINVAL') throw error
  } finally {
    closeSync(fd)
  }
}

const LARGEST = 4096

/** Reads at most 4 KiB, from a pipe as well: a passphrase may come from another program. */
function readSecretFile(path: string, what: string): string {
  let fd: number | null = null
  try {
    fd = openSync(path, 'r')
    const bytes = Buffer.alloc(LARGEST + 1)
    let size = 0
    for (let n = 1; n > 0 && size < bytes.length; size += n) n = readSync(fd, bytes, size, bytes.length - size, null)
    if (size > LARGEST) throw new Error('too large')
    return bytes.toString('utf8', 0, size)
  } catch (error) {
    throw new Refusal('key-unreadable', `The ${what} at ${path} cannot be read: mount it or correct its path and rights; nothing was changed.`, 4, error)
  } finally {
    if (fd !== null) closeSync(fd)
  }
}
