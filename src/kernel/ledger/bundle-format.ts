import { isUuid } from '../base/index.ts'
import { unpackHandles, type Envelope } from './envelope.ts'
import { HASH_BYTES } from './hash.ts'

/**
 * The first line of a bundle. The events are leaves [first, end) of a tree of `checkpoint.size` leaves; `left` and `right` are the
 * subtree hashes before and after them, so that a part of the log still leads to the signed root.
 */
export interface BundleHeader {
  format: 'sealbook-ledger-bundle'
  version: 1
  origin: string
  verifierKey: string
  hash: 'RFC6962-SHA256'
  checkpoint: string
  first: number
  end: number
  left: string[]
  right: string[]
}

/** One line for each leaf. Handles in hex, everything else in the clear; `hash` is the leaf hash, repeated so that a changed event is found by its number. */
export interface BundleEvent {
  leaf: number
  envelope: Envelope
  payload: Buffer | null
  hash: Buffer
}

const KEYS = new Set(['leaf', 'id', 'at', 'node', 'action', 'actor', 'object', 'subjects', 'purpose', 'payloadHash', 'payload', 'hash'])

export function eventLine(leaf: number, e: Envelope, hash: Buffer, payload: Buffer | null): string {
  return JSON.stringify({
    leaf,
    id: e.id,
    at: new Date(e.at).toISOString(),
    node: e.node,
    action: e.action,
    ...(e.actor && { actor: e.actor.toString('hex') }),
    ...(e.objectKind !== null && { object: { kind: e.objectKind, id: e.objectId } }),
    ...(e.subjects && { subjects: unpackHandles(e.subjects).map((h) => h.toString('hex')) }),
    ...(e.purpose !== null && { purpose: e.purpose }),
    ...(e.payloadHash && { payloadHash: e.payloadHash.toString('base64') }),
    ...(payload && { payload: payload.toString('base64') }),
    hash: hash.toString('base64'),
  })
}

class Malformed extends Error {}

type Members = Readonly<Record<string, unknown>>

function members(value: unknown): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Malformed()
  return value as Members
}

/** One spelling for each value: what the hash covers is what a reader sees. */
function bytes(value: unknown, encoding: 'hex' | 'base64', length?: number): Buffer {
  if (typeof value !== 'string') throw new Malformed()
  const out = Buffer.from(value, encoding)
  if (out.toString(encoding) !== value || (length !== undefined && out.length !== length)) throw new Malformed()
  return out
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new Malformed()
  return value
}

function uuid(value: unknown): string {
  if (!isUuid(value)) throw new Malformed()
  return value
}

function count(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Malformed()
  return value
}

function time(value: unknown): number {
  const at = Date.parse(text(value))
  if (Number.isNaN(at) || new Date(at).toISOString() !== value) throw new Malformed()
  return at
}

const optional = <T>(value: unknown, read: (value: unknown) => T): T | null => (value === undefined ? null : read(value))

function subjects(value: unknown): Buffer {
  if (!Array.isArray(value) || value.length === 0) throw new Malformed()
  return Buffer.concat(value.map((v) => bytes(v, 'hex', 16)))
}

function object(value: unknown): { kind: string; id: string | null } {
  const { kind, id } = members(value)
  return { kind: text(kind), id: id === null ? null : uuid(id) }
}

function envelope(m: Members): Envelope {
  const about = optional(m['object'], object)
  return {
    id: uuid(m['id']),
    at: time(m['at']),
    node: uuid(m['node']),
    action: text(m['action']),
    actor: optional(m['actor'], (v) => bytes(v, 'hex', 16)),
    objectKind: about?.kind ?? null,
    objectId: about?.id ?? null,
    subjects: optional(m['subjects'], subjects),
    purpose: optional(m['purpose'], text),
    payloadHash: optional(m['payloadHash'], (v) => bytes(v, 'base64', HASH_BYTES)),
  }
}

/** Null for a line that is not an event of a bundle, to the letter. A line with members nobody knows is refused: they would be shown without being proven. */
export function parseEvent(line: string): BundleEvent | null {
  try {
    const m = members(JSON.parse(line))
    if (Object.keys(m).some((k) => !KEYS.has(k))) return null
    return {
      leaf: count(m['leaf']),
      envelope: envelope(m),
      payload: optional(m['payload'], (v) => bytes(v, 'base64')),
      hash: bytes(m['hash'], 'base64', HASH_BYTES),
    }
  } catch {
    return null
  }
}

function hashes(value: unknown): string[] {
  if (!Array.isArray(value) || value.length > 64) throw new Malformed()
  return value.map((v) => bytes(v, 'base64', HASH_BYTES).toString('base64'))
}

export function parseHeader(line: string): BundleHeader | null {
  try {
    const m = members(JSON.parse(line))
    if (m['format'] !== 'sealbook-ledger-bundle' || m['version'] !== 1 || m['hash'] !== 'RFC6962-SHA256') return null
    return {
      format: 'sealbook-ledger-bundle', version: 1, hash: 'RFC6962-SHA256',
      origin: text(m['origin']), verifierKey: text(m['verifierKey']), checkpoint: text(m['checkpoint']),
      first: count(m['first']), end: count(m['end']), left: hashes(m['left']), right: hashes(m['right']),
    }
  } catch {
    return null
  }
}

