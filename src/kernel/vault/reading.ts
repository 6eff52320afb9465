import type { KeyObject } from 'node:crypto'
import { Problem } from '../base/index.ts'
import { KeyStore } from './keystore.ts'
import { unwrapOwnerKey } from './owner-keys.ts'
import { Purposes } from './purposes.ts'
import type { Cell, OwnerKey } from './types.ts'
import { openCell } from './vault.ts'

/** What a thread that fills the lens has of the vault: it opens rows of owners that are there, and nothing else. No key is kept longer than a page. */
export interface ReadingVault {
  /** Throws Problem seal-broken when anything about the cell, key or bytes differs. */
  open(key: OwnerKey, cell: Cell, sealed: Uint8Array): Buffer
  /** The keys of these owners, read at once; each is unwrapped when it is asked for. That throws Problem key-unavailable where there is none. */
  ownerKeys(ownerIds: readonly string[]): (ownerId: string) => OwnerKey
  close(): Promise<void>
}

/** Opens the key store for reading. Throws a Refusal. */
export function openReadingVault(keyStore: string, root: KeyObject): ReadingVault {
  const store = new KeyStore(keyStore)
  const purposes = new Purposes(store.instanceId, root, store.purposes().filter((p) => p.purpose === 'owner-wrap'))
  return {
    open: (key, cell, sealed) => openCell(store.instanceId, key, cell, sealed),
    ownerKeys(ownerIds) {
      const wrapped = store.ownerKeys(ownerIds)
      const opened = new Map<string, OwnerKey>()
      return (ownerId) => {
        const known = opened.get(ownerId)
        if (known) return known
        const row = wrapped.get(ownerId)
        if (!row) throw new Problem('key-unavailable')
        const key = unwrapOwnerKey(store.instanceId, purposes, row)
        opened.set(ownerId, key)
        return key
      }
    },
    close: () => store.close(),
  }
}
