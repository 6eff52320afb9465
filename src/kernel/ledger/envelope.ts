import { isUuid, lengthPrefixed, uuidBytes, uuidText, type Json } from '../base/index.ts'
import type { OwnerKey, Vault } from '../vault/types.ts'
import { leafHash, sha256 } from './hash.ts'
import type { LedgerEvent } from './types.ts'

/** What the leaf is a hash of: everything of an event but its ciphertext, whose hash is in it, and the owner of the key that sealed it. */
export interface Envelope {
  id: string
  /** Unix milliseconds. */
  at: number
  node: string
  action: string
  actor: Buffer | null
  objectKind: string | null
  objectId: string | null
  /** 16-byte handles, one after the other. */
  subjects: Buffer | null
  purpose: string | null
  payloadHash: Buffer | null
}

export interface EventRow extends Envelope {
  sealOwner: string | null
  payload: Buffer | null
  mac: Buffer
}

export interface PreparedEvent extends EventRow {
  leaf: Buffer
}

const VERSION = 'sealbook/event/v1'
const HANDLE_BYTES = 16
const SUBJECTS_LIMIT = 1000
const DETAIL_LIMIT = 256 * 1024
const ACTION = /^[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*$/
const WORD = /^[a-z][a-z0-9-]*$/
export const EVENT_CELL = { table: 'ledger_event', compartment: 'detail', rowVersion: 1, bound: new Uint8Array(0) } as const

const uuidOrNull = (id: string | null): Buffer | null => (id === null ? null : uuidBytes(id))

/** The last second written out: events come in the order of time, and a date costs more than the hash over it. */
let second = { of: Number.NaN, text: '' }

/** ISO 8601 with milliseconds; a time no calendar holds (a tampered row) is written as it is and so matches no leaf. */
function timeText(at: number): string {
  if (!Number.isInteger(at) || Math.abs(at) > 8.64e15) return String(at)
  const of = Math.floor(at / 1000)
  if (of !== second.of) second = { of, text: new Date(of * 1000).toISOString().slice(0, -4) }
  return `${second.text}${String(at - of * 1000).padStart(3, '0')}Z`
}

/** One node writes most of a log. */
let node: { id: string; bytes: Buffer } = { id: '', bytes: Buffer.alloc(16) }

function nodeBytes(id: string): Buffer {
  if (id !== node.id) node = { id, bytes: uuidBytes(id) }
  return node.bytes
}

function envelopeParts(e: Envelope): (string | Buffer | null)[] {
  return [VERSION, uuidBytes(e.id), timeText(e.at), nodeBytes(e.node), e.action, e.actor, e.objectKind, uuidOrNull(e.objectId), e.subjects, e.purpose, e.payloadHash]
}

/** The canonical bytes of an event, each part length-prefixed. Throws a TypeError when an id is no UUID. */
export function envelopeBytes(e: Envelope): Buffer {
  return lengthPrefixed(envelopeParts(e))
}

/**
 * Envelope and, after it, the owner of the sealing key. The MAC covers both; the tree only the first:
 * an owner id in an exported bundle would name a person who was erased.
 */
export function eventBytes(e: EventRow): { envelope: Buffer; authenticated: Buffer } {
  const authenticated = lengthPrefixed([...envelopeParts(e), uuidOrNull(e.sealOwner)])
  const tail = e.sealOwner === null ? 4 : 20
  return { envelope: authenticated.subarray(0, authenticated.length - tail), authenticated }
}

/** Packed handles back into one Buffer each. */
export function unpackHandles(packed: Buffer | null): Buffer[] {
  const out: Buffer[] = []
  for (let i = 0; packed !== null && i + HANDLE_BYTES <= packed.length; i += HANDLE_BYTES) out.push(packed.subarray(i, i + HANDLE_BYTES))
  return out
}

export function packIds(ids: readonly string[]): Buffer {
  return Buffer.concat(ids.map(uuidBytes))
}

export function unpackIds(packed: Buffer): string[] {
  return unpackHandles(packed).map((b) => uuidText(b))
}

/** The words of an event are closed and its ids are ids: a value that slipped in here could never be erased. Throws a TypeError. */
function check(event: LedgerEvent): void {
  if (!ACTION.test(event.action)) throw new TypeError('a ledger action is noun.past-tense')
  if (event.purpose !== undefined && !WORD.test(event.purpose)) throw new TypeError('a ledger purpose is one closed word')
  const { object, subjects } = event
  if (object && (!WORD.test(object.kind) || (object.id !== null && !isUuid(object.id)))) throw new TypeError('a ledger object is a kind and a row id')
  if (subjects && subjects.length > SUBJECTS_LIMIT) throw new TypeError(`a ledger event has at most ${SUBJECTS_LIMIT} subjects`)
}

function seal(vault: Vault, id: string, event: LedgerEvent): { sealOwner: string | null; payload: Buffer | null } {
  if (event.detail === undefined) return { sealOwner: null, payload: null }
  const plain = Buffer.from(JSON.stringify(event.detail))
  if (plain.length > DETAIL_LIMIT) throw new TypeError('the detail of a ledger event is too large')
  const owner: OwnerKey | null = event.sealTo ?? event.subjects?.[0] ?? event.actor
  if (owner === null) return { sealOwner: null, payload: vault.sealInstance(`ledger-event ${id}`, plain) }
  return { sealOwner: owner.ownerId, payload: vault.seal(owner, { ...EVENT_CELL, rowId: id }, plain) }
}

export interface EventContext {
  vault: Vault
  nodeId: string
  id: string
  at: number
}

/** Seals, encloses and authenticates an event, ready to be inserted. Throws a TypeError for an event that says more than ids and closed words. */
export function prepareEvent(event: LedgerEvent, { vault, nodeId, id, at }: EventContext): PreparedEvent {
  check(event)
  const sealed = seal(vault, id, event)
  const row = {
    id,
    at,
    node: nodeId,
    action: event.action,
    actor: event.actor?.handle ?? null,
    objectKind: event.object?.kind ?? null,
    objectId: event.object?.id ?? null,
    subjects: event.subjects?.length ? Buffer.concat(event.subjects.map((s) => s.handle)) : null,
    purpose: event.purpose ?? null,
    payloadHash: sealed.payload && sha256(sealed.payload),
    ...sealed,
    mac: EMPTY,
  }
  const { envelope, authenticated } = eventBytes(row)
  return { ...row, mac: vault.mac('ledger-event', authenticated), leaf: leafHash(envelope) }
}

const EMPTY = Buffer.alloc(0)

/** The detail of an event, or null when there is none, its key is destroyed, or it no longer opens. */
export function openDetail(vault: Vault, row: { id: string; sealOwner: string | null; payload: Buffer | null }): Json {
  if (row.payload === null) return null
  if (row.sealOwner !== null && !vault.hasOwnerKey(row.sealOwner)) return null
  try {
    return JSON.parse(openPayload(vault, row.id, row.sealOwner, row.payload).toString()) as Json
  } catch {
    return null
  }
}

/** Throws Problem seal-broken or key-unavailable. */
export function openPayload(vault: Vault, id: string, sealOwner: string | null, payload: Buffer): Buffer {
  if (sealOwner === null) return vault.openInstance(`ledger-event ${id}`, payload)
  return vault.open(vault.ownerKey(sealOwner), { ...EVENT_CELL, rowId: id }, payload)
}
