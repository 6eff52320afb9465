import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lengthPrefixed, uuidBytes, uuidv7 } from '../base/index.ts'
import { envelopeBytes, eventBytes, packIds, unpackHandles, unpackIds, type Envelope } from './envelope.ts'

const uuid = fc.uuid()
const handle = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => Buffer.from(b))
const nullable = <T>(a: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(a, { nil: null })
const envelopes: fc.Arbitrary<Envelope> = fc.record({
  id: uuid, at: fc.integer({ min: -62_000_000_000_000, max: 250_000_000_000_000 }), node: uuid, action: fc.string(), actor: nullable(handle), objectKind: nullable(fc.string()),
  objectId: nullable(uuid), subjects: nullable(fc.array(handle, { minLength: 1, maxLength: 4 }).map((h) => Buffer.concat(h))), purpose: nullable(fc.string()),
  payloadHash: nullable(fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => Buffer.from(b))),
})

describe('the canonical envelope', () => {
  it('is the documented bytes', () => {
    fc.assert(fc.property(envelopes, (e) => {
      const expected = lengthPrefixed([
        'sealbook/event/v1', uuidBytes(e.id), new Date(e.at).toISOString(), uuidBytes(e.node), e.action, e.actor, e.objectKind, e.objectId && uuidBytes(e.objectId), e.subjects, e.purpose, e.payloadHash,
      ])
      return envelopeBytes(e).equals(expected)
    }))
  })

  it('differs whenever the event does', () => {
    fc.assert(fc.property(envelopes, envelopes, (a, b) => {
      const same = JSON.stringify(a) === JSON.stringify(b)
      return envelopeBytes(a).equals(envelopeBytes(b)) === same
    }))
  })

  it('is a prefix of what the MAC covers, which adds the owner of the sealing key', () => {
    fc.assert(fc.property(envelopes, nullable(uuid), (e, sealOwner) => {
      const { envelope, authenticated } = eventBytes({ ...e, sealOwner, payload: null, mac: Buffer.alloc(32) })
      expect(envelope).toEqual(envelopeBytes(e))
      expect(authenticated.length).toBe(envelope.length + (sealOwner === null ? 4 : 20))
    }))
  })

  it('of a time no calendar holds is still bytes', () => {
    const e = { id: uuidv7(), node: uuidv7(), action: 'a.b', actor: null, objectKind: null, objectId: null, subjects: null, purpose: null, payloadHash: null }
    for (const at of [Number.NaN, Infinity, -Infinity, 1e17, 1.5]) expect(envelopeBytes({ ...e, at }).length).toBeGreaterThan(50)
  })

  it('handles and ids come out of their packing as they went in', () => {
    fc.assert(fc.property(fc.array(uuid), (ids) => {
      expect(unpackIds(packIds(ids))).toEqual(ids)
      expect(unpackHandles(packIds(ids)).length).toBe(ids.length)
    }))
    expect(unpackHandles(null)).toEqual([])
  })
})
