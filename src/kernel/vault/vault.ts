import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto'
import { lengthPrefixed, Problem, uuidBytes } from '../base/index.ts'
import { aesGcmOpen, aesGcmSeal, expandKey, freshNonce } from './aes.ts'
import type { KeyStore } from './keystore.ts'
import { OwnerKeys } from './owner-keys.ts'
import { pad, unpad } from './padding.ts'
import { ed25519FromSeed, type Purposes } from './purposes.ts'
import type { Cell, MacPurpose, OwnerKey, Vault } from './types.ts'

const VERSION = 1
const AES_256_GCM = 1
const HEAD = 6
const NONCE = 12

/** version(1) algorithm(1) key version(4), then nonce(12), ciphertext, tag(16): 34 bytes over the padded plaintext. */
function headOf(keyVersion: number): Buffer {
  const head = Buffer.allocUnsafe(HEAD)
  head[0] = VERSION
  head[1] = AES_256_GCM
  head.writeUInt32BE(keyVersion, 2)
  return head
}

function numbers(keyVersion: number, rowVersion: number): Buffer {
  const b = Buffer.allocUnsafe(12)
  b.writeUInt32BE(keyVersion, 0)
  b.writeBigUInt64BE(BigInt(rowVersion), 4)
  return b
}

function aadOf(instanceId: string, ownerId: string, keyVersion: number, cell: Cell): Buffer {
  return lengthPrefixed(['sealbook/v1', instanceId, cell.table, cell.compartment, uuidBytes(cell.rowId), uuidBytes(ownerId), numbers(keyVersion, cell.rowVersion), cell.bound])
}

export function sealCell(instanceId: string, key: OwnerKey, cell: Cell, plaintext: Uint8Array): Buffer {
  const nonce = freshNonce()
  const use = key.use(`${cell.table}|${cell.compartment}|${key.keyVersion}`)
  const body = aesGcmSeal(use, nonce, aadOf(instanceId, key.ownerId, key.keyVersion, cell), pad(plaintext))
  return Buffer.concat([headOf(key.keyVersion), nonce, body])
}

/** Throws Problem seal-broken. */
export function openCell(instanceId: string, key: OwnerKey, cell: Cell, sealed: Uint8Array): Buffer {
  try {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
    if (bytes[0] !== VERSION || bytes[1] !== AES_256_GCM || bytes.readUInt32BE(2) !== key.keyVersion) throw new Error('head')
    const use = key.use(`${cell.table}|${cell.compartment}|${key.keyVersion}`)
    const aad = aadOf(instanceId, key.ownerId, key.keyVersion, cell)
    return unpad(aesGcmOpen(use, bytes.subarray(HEAD, HEAD + NONCE), aad, bytes.subarray(HEAD + NONCE)))
  } catch (error) {
    throw new Problem('seal-broken', { cause: error })
  }
}

// Labels may name single files, so the derived keys of labels are not kept for ever.
const MOST_LABELS = 1000

/** Derives and keeps the keys under one purpose, by epoch and label. */
function deriver(purposes: Purposes, purpose: 'blind' | 'instance'): (label: string, epoch: number) => KeyObject {
  const kept = new Map<string, KeyObject>()
  return (label, epoch) => {
    const name = `${epoch} ${label}`
    const known = kept.get(name)
    if (known) return known
    if (kept.size >= MOST_LABELS) kept.clear()
    const key = expandKey(purposes.key(purpose, epoch), `sealbook/v1 ${purpose} ${label}`)
    kept.set(name, key)
    return key
  }
}

function instanceSeals(instanceId: string, purposes: Purposes): Pick<Vault, 'sealInstance' | 'openInstance'> {
  const keyOf = deriver(purposes, 'instance')
  const aad = (label: string, epoch: number): Buffer => lengthPrefixed(['sealbook/v1', instanceId, 'instance', label, String(epoch)])
  return {
    sealInstance(label, plaintext) {
      const epoch = purposes.epoch('instance')
      const nonce = freshNonce()
      return Buffer.concat([headOf(epoch), nonce, aesGcmSeal(keyOf(label, epoch), nonce, aad(label, epoch), pad(plaintext))])
    },
    openInstance(label, sealed) {
      try {
        const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
        if (bytes[0] !== VERSION || bytes[1] !== AES_256_GCM) throw new Error('head')
        const epoch = bytes.readUInt32BE(2)
        return unpad(aesGcmOpen(keyOf(label, epoch), bytes.subarray(HEAD, HEAD + NONCE), aad(label, epoch), bytes.subarray(HEAD + NONCE)))
      } catch (error) {
        throw new Problem('seal-broken', { cause: error })
      }
    },
  }
}

/** The vault over an opened key store: bytes in, bytes out. */
export function vaultOver(store: KeyStore, purposes: Purposes): Vault {
  const instanceId = store.instanceId
  const owners = new OwnerKeys(store, purposes)
  const blindKey = deriver(purposes, 'blind')
  const mac = (purpose: MacPurpose, data: Uint8Array | string): Buffer => createHmac('sha256', purposes.key(purpose)).update(data).digest()
  return {
    instanceId,
    createOwnerKeys: (ids) => owners.create(ids),
    ownerKey: (id) => owners.get(id),
    hasOwnerKey: (id) => owners.has(id),
    findOwnerKey: (id) => owners.find(id),
    isDestroyed: (id) => store.isBuried(id),
    destroyOwnerKey: (id) => owners.destroy(id),
    seal: (key, cell, plaintext) => sealCell(instanceId, key, cell, plaintext),
    open: (key, cell, sealed) => openCell(instanceId, key, cell, sealed),
    blind: (index, value) => createHmac('sha256', blindKey(index, purposes.epoch('blind'))).update(value).digest().subarray(0, 16),
    mac,
    macEquals: (purpose, data, expected) => expected.length === 32 && timingSafeEqual(mac(purpose, data), expected),
    ledgerSigner: ed25519FromSeed(purposes.key('ledger-sign')),
    ...instanceSeals(instanceId, purposes),
    status: () => ({
      custodians: store.custodians().map((c) => c.kind),
      purposes: purposes.rows.map(({ purpose, epoch, createdAt }) => ({ purpose, epoch, createdAt })),
      subjectKeys: store.count(),
    }),
    close: () => store.close(),
  }
}
