import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { HASH_BYTES, sha256 } from './hash.ts'

/** A tree head, C2SP tlog-checkpoint. */
export interface Checkpoint {
  origin: string
  size: number
  root: Buffer
}

/** A public key that signs notes, C2SP signed-note type 0x01 (Ed25519). */
export interface NoteKey {
  name: string
  id: Buffer
  publicKey: KeyObject
}

const ED25519 = 0x01
const SIGNATURE_BYTES = 64
const NOTE_LIMIT = 64 * 1024
/** DER of SubjectPublicKeyInfo for Ed25519 (RFC 8410) up to the 32 key bytes. */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex')
const KEY_NAME = /^[^\s+\u0000-\u001f]+$/u
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Strict: Node's decoder skips what it does not know, so one signature would have many spellings. */
function fromBase64(text: string): Buffer | null {
  if (!BASE64.test(text)) return null
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : null
}

function rawPublicKey(key: KeyObject): Buffer {
  const spki = (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' })
  if (spki.length !== SPKI_HEAD.length + 32 || !spki.subarray(0, SPKI_HEAD.length).equals(SPKI_HEAD)) {
    throw new TypeError('not an Ed25519 key')
  }
  return spki.subarray(SPKI_HEAD.length)
}

function keyId(name: string, raw: Uint8Array): Buffer {
  return sha256(Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([ED25519]), raw])).subarray(0, 4)
}

/** The verifier key an auditor pins: `name+hex8+base64(0x01 ‖ public key)`. */
export function verifierKey(name: string, key: KeyObject): string {
  const raw = rawPublicKey(key)
  return `${name}+${keyId(name, raw).toString('hex')}+${Buffer.concat([Buffer.from([ED25519]), raw]).toString('base64')}`
}

/** Null when the text is no Ed25519 verifier key or its id does not match its bytes. */
export function parseVerifierKey(text: string): NoteKey | null {
  const match = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/su.exec(text.trim())
  if (!match) return null
  const [, name = '', id = '', encoded = ''] = match
  const bytes = fromBase64(encoded)
  if (!KEY_NAME.test(name) || bytes === null || bytes.length !== 33 || bytes[0] !== ED25519) return null
  const raw = bytes.subarray(1)
  if (keyId(name, raw).toString('hex') !== id) return null
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: 'der', type: 'spki' })
  return { name, id: Buffer.from(id, 'hex'), publicKey }
}

/** The signed note of a tree head. The key's name is the origin. */
export function signCheckpoint(checkpoint: Checkpoint, key: KeyObject): string {
  if (!KEY_NAME.test(checkpoint.origin)) throw new TypeError('the origin cannot name a key')
  const text = `${checkpoint.origin}\n${checkpoint.size}\n${checkpoint.root.toString('base64')}\n`
  const id = keyId(checkpoint.origin, rawPublicKey(key))
  const signature = Buffer.concat([id, sign(null, Buffer.from(text), key)])
  return `${text}\n\u2014 ${checkpoint.origin} ${signature.toString('base64')}\n`
}

function splitNote(note: string): { text: string; lines: string[] } | null {
  if (note.length > NOTE_LIMIT || !note.endsWith('\n') || /[\u0000-\u0009\u000b-\u001f]/u.test(note)) return null
  const at = note.lastIndexOf('\n\n')
  if (at < 0) return null
  const lines = note.slice(at + 2, -1).split('\n')
  return lines.length > 64 ? null : { text: note.slice(0, at + 1), lines }
}

/** Whether the note carries a valid signature of this key. Signatures of other keys are ignored, as the specification asks; a second, invalid one of this key spoils the note. */
function signedBy(text: string, lines: readonly string[], key: NoteKey): boolean {
  let found = false
  for (const line of lines) {
    const match = /^\u2014 (\S+) (\S+)$/u.exec(line)
    const bytes = match ? fromBase64(match[2]!) : null
    if (!match || bytes === null || bytes.length < 5) return false
    if (match[1] !== key.name || !bytes.subarray(0, 4).equals(key.id)) continue
    if (bytes.length !== 4 + SIGNATURE_BYTES || !verify(null, Buffer.from(text), key.publicKey, bytes.subarray(4))) return false
    found = true
  }
  return found
}

/** The tree head of a note that this key signed for its own origin; null for anything else. Never throws. */
export function openCheckpoint(note: string, key: NoteKey): Checkpoint | null {
  const parts = splitNote(note)
  if (!parts || !signedBy(parts.text, parts.lines, key)) return null
  const [origin = '', sizeText = '', rootText = '', ...rest] = parts.text.slice(0, -1).split('\n')
  const root = fromBase64(rootText)
  if (origin !== key.name || !/^(?:0|[1-9][0-9]{0,15})$/.test(sizeText) || root?.length !== HASH_BYTES) return null
  const size = Number(sizeText)
  if (!Number.isSafeInteger(size) || rest.includes('')) return null
  return { origin, size, root }
}
