import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Problem, uuidv7 } from '../base/index.ts'
import { codeOf, folder, vaultIn } from './fixture.ts'
import { bucketOf, pad, unpad } from './padding.ts'
import type { Cell, OwnerKey } from './types.ts'
import { openCell, sealCell } from './vault.ts'

const cellOf = (over: Partial<Cell> = {}): Cell => ({ table: 'contacts', compartment: 'main', rowId: uuidv7(), rowVersion: 3, bound: Buffer.from('owner'), ...over })
const OVERHEAD = 34

describe('padding', () => {
  const ladder = [32, 64, 128, 192, 256, 384, 512, 768, 1024]
  while (ladder.at(-1)! < 3_000_000) ladder.push(Math.ceil(ladder.at(-1)! * 1.25))

  it('gives back what it was given, and shows only a bucket', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 3000 }), fc.nat(2_000_000).map((n) => new Uint8Array(n))), (bytes) => {
        const padded = pad(bytes)
        expect(unpad(padded).equals(bytes)).toBe(true)
        expect(ladder).toContain(padded.length)
        expect(padded.length).toBeLessThanOrEqual(Math.max(32, 2 * bytes.length))
      }),
    )
  })

  it('keeps bytes that look like padding', () => {
    for (const bytes of [[], [0x80], [0], [0x80, 0, 0], [1, 0x80, 0x80]]) expect([...unpad(pad(Uint8Array.from(bytes)))]).toEqual(bytes)
  })

  it('gives back what was padded when there were fewer buckets', () => {
    for (const [length, bucket] of [[130, 256], [300, 512], [520, 1024]] as const) {
      const before = Buffer.alloc(bucket)
      before.fill(7, 0, length)[length] = 0x80
      expect(unpad(before)).toEqual(Buffer.alloc(length, 7))
      expect(bucketOf(bucket)).toBe(bucket)
    }
  })

  it('is one bucket for every length in it', () => {
    for (let n = 1; n < 5000; n++) {
      expect(bucketOf(n)).toBeGreaterThanOrEqual(n)
      expect(bucketOf(bucketOf(n))).toBe(bucketOf(n))
    }
  })

  it.each([[[]], [[0, 0, 0]], [[1, 2, 3]], [[0x80, 1]]])('refuses what was never padded: %j', (bytes) => {
    expect(() => unpad(Buffer.from(bytes))).toThrow(RangeError)
  })
})

describe('a sealed cell', () => {
  it('opens to what was sealed, and shows only a bucket of its length', async () => {
    const { vault } = await vaultIn()
    const [key] = await vault.createOwnerKeys([uuidv7()])
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), fc.nat(), fc.uint8Array({ maxLength: 50 }), (plain, table, compartment, rowVersion, bound) => {
        const cell = cellOf({ table, compartment, rowVersion, bound })
        const sealed = vault.seal(key!, cell, plain)
        expect(vault.open(key!, cell, sealed).equals(plain)).toBe(true)
        expect(sealed.length).toBe(bucketOf(plain.length + 1) + OVERHEAD)
      }),
    )
  })

  it('is never sealed twice alike', async () => {
    const { vault } = await vaultIn()
    const [key] = await vault.createOwnerKeys([uuidv7()])
    const cell = cellOf()
    const all = Array.from({ length: 200 }, () => vault.seal(key!, cell, Buffer.from('same')).subarray(6).toString('hex'))
    expect(new Set(all).size).toBe(200)
  })

  it('is refused with any one part of what it is bound to exchanged', async () => {
    const { vault } = await vaultIn()
    const [key, other] = await vault.createOwnerKeys([uuidv7(), uuidv7()])
    const cell = cellOf()
    const sealed = vault.seal(key!, cell, Buffer.from('secret'))
    const as = (over: Partial<OwnerKey>): OwnerKey => ({ ownerId: key!.ownerId, keyVersion: key!.keyVersion, handle: key!.handle, use: (p) => key!.use(p), ...over })
    const instance = vault.instanceId
    const swaps: Record<string, () => Buffer> = {
      instance: () => openCell(uuidv7(), key!, cell, sealed),
      table: () => openCell(instance, key!, { ...cell, table: 'companies' }, sealed),
      compartment: () => openCell(instance, key!, { ...cell, compartment: 'sensitive' }, sealed),
      'table and compartment run together': () => openCell(instance, key!, { ...cell, table: 'contactsm', compartment: 'ain' }, sealed),
      'row id': () => openCell(instance, key!, { ...cell, rowId: uuidv7() }, sealed),
      'row version, one up': () => openCell(instance, key!, { ...cell, rowVersion: 4 }, sealed),
      'row version, one down': () => openCell(instance, key!, { ...cell, rowVersion: 2 }, sealed),
      bound: () => openCell(instance, key!, { ...cell, bound: Buffer.from('ownes') }, sealed),
      'bound left out': () => openCell(instance, key!, { ...cell, bound: Buffer.alloc(0) }, sealed),
      'key of another owner': () => openCell(instance, other!, cell, sealed),
      'owner id alone': () => openCell(instance, as({ ownerId: other!.ownerId }), cell, sealed),
      'key version alone': () => openCell(instance, as({ keyVersion: 2 }), cell, sealed),
      'key bytes alone': () => openCell(instance, as({ use: (p) => other!.use(p) }), cell, sealed),
    }
    for (const [name, swap] of Object.entries(swaps)) expect(swap, name).toThrow(new Problem('seal-broken'))
    // The same with the binding alone, the derived key being right: the AAD holds each part, not only the key.
    const fixed = as({ use: () => key!.use('one') })
    const bySame = sealCell(instance, fixed, cell, Buffer.from('secret'))
    for (const over of [{ table: 'companies' }, { compartment: 'sensitive' }] as const) expect(() => openCell(instance, fixed, { ...cell, ...over }, bySame)).toThrow(Problem)
    expect(openCell(instance, fixed, cell, bySame).toString()).toBe('secret')
  })

  it('is refused with any byte flipped and at any shorter or greater length', async () => {
    const { vault } = await vaultIn()
    const [key] = await vault.createOwnerKeys([uuidv7()])
    const cell = cellOf()
    const sealed = vault.seal(key!, cell, Buffer.from('secret'))
    for (let i = 0; i < sealed.length; i++) {
      for (const mask of [1, 0x80, 0xff]) {
        const altered = Buffer.from(sealed)
        altered[i]! ^= mask
        expect(() => vault.open(key!, cell, altered), `byte ${i}`).toThrow(new Problem('seal-broken'))
      }
    }
    for (let n = 0; n < sealed.length; n++) expect(() => vault.open(key!, cell, sealed.subarray(0, n)), `${n} bytes`).toThrow(new Problem('seal-broken'))
    expect(() => vault.open(key!, cell, Buffer.concat([sealed, Buffer.alloc(1)]))).toThrow(new Problem('seal-broken'))
    expect(() => vault.open(key!, cell, randomBytes(200))).toThrow(new Problem('seal-broken'))
  })

  it('is told from plain text by nothing but its seal: plain bytes are refused, never shown', async () => {
    const { vault } = await vaultIn()
    const [key] = await vault.createOwnerKeys([uuidv7()])
    for (const plain of ['{"fullName":"王小明"}', '', '\u0001\u0001']) expect(() => vault.open(key!, cellOf(), Buffer.from(plain))).toThrow(Problem)
  })

  it('cannot be sealed under a row id or version that is none', async () => {
    const { vault } = await vaultIn()
    const [key] = await vault.createOwnerKeys([uuidv7()])
    for (const over of [{ rowId: 'x' }, { rowId: uuidv7().toUpperCase() }, { rowVersion: -1 }, { rowVersion: 1.5 }, { rowVersion: Number.NaN }]) {
      expect(() => vault.seal(key!, cellOf(over), Buffer.from('x'))).toThrow()
    }
  })
})

describe('what belongs to the instance', () => {
  it('opens under its own label only, and with no byte changed', async () => {
    const { vault } = await vaultIn()
    const sealed = vault.sealInstance('tls-ca', Buffer.from('key'))
    expect(vault.openInstance('tls-ca', sealed).toString()).toBe('key')
    expect(() => vault.openInstance('tls-cb', sealed)).toThrow(new Problem('seal-broken'))
    for (let i = 0; i < sealed.length; i++) {
      const altered = Buffer.from(sealed)
      altered[i]! ^= 1
      expect(() => vault.openInstance('tls-ca', altered), `byte ${i}`).toThrow(new Problem('seal-broken'))
      expect(() => vault.openInstance('tls-ca', sealed.subarray(0, i)), `${i} bytes`).toThrow(new Problem('seal-broken'))
    }
  })

  it('does not open in another instance', async () => {
    const [a, b] = [await vaultIn(folder()), await vaultIn(folder())]
    expect(() => b.vault.openInstance('x', a.vault.sealInstance('x', Buffer.from('key')))).toThrow(Problem)
    expect(a.vault.blind('contacts.emails', 'a@example.com').equals(b.vault.blind('contacts.emails', 'a@example.com'))).toBe(false)
    expect(b.vault.macEquals('session', 'x', a.vault.mac('session', 'x'))).toBe(false)
  })

  it('stays open with more labels than are kept', async () => {
    const { vault } = await vaultIn()
    const sealed = vault.sealInstance('first', Buffer.from('key'))
    for (let i = 0; i < 1200; i++) vault.sealInstance(`file ${i}`, Buffer.alloc(1))
    expect(vault.openInstance('first', sealed).toString()).toBe('key')
  })

  it('has a blind index per name, of 16 bytes, the same again and different for any other value', async () => {
    const { vault } = await vaultIn()
    const digest = vault.blind('contacts.emails', 'a@example.com')
    expect(digest.length).toBe(16)
    expect(vault.blind('contacts.emails', 'a@example.com').equals(digest)).toBe(true)
    for (const [index, value] of [['contacts.phones', 'a@example.com'], ['contacts.emails', 'b@example.com'], ['contacts.email', 'sa@example.com']] as const) {
      expect(vault.blind(index, value).equals(digest)).toBe(false)
    }
  })

  it('has a MAC per purpose, compared whole', async () => {
    const { vault } = await vaultIn()
    const mac = vault.mac('authority', 'row')
    expect(vault.macEquals('authority', 'row', mac)).toBe(true)
    expect(vault.macEquals('session', 'row', mac)).toBe(false)
    expect(vault.macEquals('authority', 'rov', mac)).toBe(false)
    for (let i = 0; i < mac.length; i++) {
      const altered = Buffer.from(mac)
      altered[i]! ^= 1
      expect(vault.macEquals('authority', 'row', altered)).toBe(false)
      expect(vault.macEquals('authority', 'row', mac.subarray(0, i))).toBe(false)
    }
    expect(await codeOf(() => vault.macEquals('authority', 'row', Buffer.concat([mac, mac])))).toBe('no error')
  })

  it('signs with an Ed25519 key that is the same after a restart', async () => {
    const { vault } = await vaultIn()
    expect(vault.ledgerSigner.asymmetricKeyType).toBe('ed25519')
  })
})
