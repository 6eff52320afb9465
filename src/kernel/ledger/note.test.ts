import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sha256 } from './hash.ts'
import { openCheckpoint, parseVerifierKey, signCheckpoint, verifierKey } from './note.ts'

const origin = 'sealbook.local/0190a3c4-0000-7000-8000-000000000000'
const pair = generateKeyPairSync('ed25519')
const other = generateKeyPairSync('ed25519')
const head = { origin, size: 20852163, root: sha256('root') }
const key = parseVerifierKey(verifierKey(origin, pair.privateKey))!
const note = signCheckpoint(head, pair.privateKey)

describe('a signed checkpoint (C2SP signed-note, tlog-checkpoint)', () => {
  it('is written to the byte and read back', () => {
    const [text, signature] = note.split('\n\n')
    expect(text).toBe(`${origin}\n20852163\n${head.root.toString('base64')}`)
    expect(signature).toMatch(/^\u2014 sealbook\.local\/\S+ [A-Za-z0-9+/]{91}=\n$/)
    expect(openCheckpoint(note, key)).toEqual(head)
  })

  it('reads a verifier key published elsewhere', () => {
    // golang.org/x/mod/sumdb/note documents this pair; the same format, made by other hands.
    const peter = parseVerifierKey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW')
    expect(peter?.name).toBe('PeterNeumann')
    expect(peter?.id.toString('hex')).toBe('c74f20a3')
  })

  it('names its key by the first four bytes of SHA-256(name, newline, 0x01, key)', () => {
    const raw = pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)
    const id = sha256(Buffer.concat([Buffer.from(origin), Buffer.from([0x0a, 0x01]), raw])).subarray(0, 4)
    const [name, hex, encoded] = verifierKey(origin, pair.publicKey).split('+', 2).concat(verifierKey(origin, pair.publicKey).split('+').slice(2).join('+'))
    expect([name, hex]).toEqual([origin, id.toString('hex')])
    expect(Buffer.from(encoded!, 'base64')).toEqual(Buffer.concat([Buffer.from([1]), raw]))
  })

  it('is refused under another key, another name, and with any byte changed', () => {
    expect(openCheckpoint(note, parseVerifierKey(verifierKey(origin, other.privateKey))!)).toBeNull()
    expect(openCheckpoint(signCheckpoint(head, other.privateKey), key)).toBeNull()
    expect(openCheckpoint(signCheckpoint({ ...head, origin: 'sealbook.local/x' }, pair.privateKey), key)).toBeNull()
    const bytes = Buffer.from(note)
    for (let i = 0; i < bytes.length; i++) {
      const bad = Buffer.from(bytes)
      bad[i]! ^= 1
      expect(openCheckpoint(bad.toString('utf8'), key)).toBeNull()
    }
  })

  it('keeps a witness signature beside ours, and refuses a broken signature of our own key', () => {
    const [text] = note.split('\n\n')
    const witness = `\u2014 witness.example ${Buffer.concat([Buffer.from('abcd'), randomBytes(72)]).toString('base64')}\n`
    expect(openCheckpoint(note + witness, key)).toEqual(head)
    expect(openCheckpoint(`${text}\n\n${witness}`, key)).toBeNull()
    const forged = `\u2014 ${origin} ${Buffer.concat([key.id, randomBytes(64)]).toString('base64')}\n`
    expect(openCheckpoint(note + forged, key)).toBeNull()
  })

  it('refuses leading zeroes, signs, other bases and what is not a tree head', () => {
    for (const size of ['020', '+1', '1e3', '0x10', '', '99999999999999999', '-1']) {
      const text = `${origin}\n${size}\n${head.root.toString('base64')}\n`
      expect(openCheckpoint(resign(text), key)).toBeNull()
    }
    expect(openCheckpoint(resign(`${origin}\n1\n${head.root.subarray(0, 31).toString('base64')}\n`), key)).toBeNull()
    expect(openCheckpoint(resign(`${origin}\n1\n`), key)).toBeNull()
    expect(openCheckpoint(resign(`${origin}\n1\n${head.root.toString('base64')}\nextension\n`), key)).toEqual({ ...head, size: 1 })
  })

  it('no text at all makes it throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => openCheckpoint(text, key) === null))
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => parseVerifierKey(text) === null))
    const encoded = (raw: Uint8Array): string => Buffer.concat([Buffer.from([1]), raw]).toString('base64')
    fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (raw) => {
      const id = sha256(Buffer.concat([Buffer.from('n\n\u0001'), raw])).subarray(0, 4).toString('hex')
      const parsed = parseVerifierKey(`n+${id}+${encoded(raw)}`)
      return parsed === null || openCheckpoint(note, parsed) === null
    }))
  })

  it('a key whose id does not fit its bytes is no key', () => {
    const good = verifierKey(origin, pair.privateKey)
    expect(parseVerifierKey(good.replace(/\+[0-9a-f]{8}\+/, '+00000000+'))).toBeNull()
    expect(parseVerifierKey(`${good} `)?.name).toBe(origin)
  })
})

/** Our key over a body of the test's choosing, as a thief of the key would sign it. */
function resign(text: string): string {
  const line = signText(text)
  return `${text}\n\u2014 ${origin} ${line}\n`
}

function signText(text: string): string {
  return Buffer.concat([key.id, sign(null, Buffer.from(text), pair.privateKey)]).toString('base64')
}
