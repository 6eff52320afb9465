import { pipeline } from 'node:stream/promises'
import { Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { createSealedFile, openSealedFile, type OwnerKey } from '../../kernel/vault/index.ts'
import { AuthorityMoved } from '../../kernel/work/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { checkEdit, plainColumn, rowCondition } from '../access/index.ts'
import { insertRecord, openOne, sliceFor, type Deriving, type RecordsDeps, type Slice, type Written } from '../records/index.ts'
import { Attachment } from './attachments.entity.ts'
import { findFile, insertFile, type FilePart } from './attachments.store.ts'
import type { Blobs } from './blobs.ts'
import { cfbType, zipType } from './containers.ts'
import { Infected, Intake, type Taken } from './intake.ts'
import { cleanName } from './names.ts'
import { Scan, type ScannerAddress } from './scanner.ts'
import { hasPreview } from './types.ts'

export interface AttachmentsDeps {
  records: RecordsDeps
  slice: Slice
  blobs: Blobs
  /** The largest file, in bytes. */
  most: number
  /** Null: files are kept unscanned, and say so. */
  scanner: ScannerAddress | null
}

export const PREVIEW_QUEUE = 'attachment-preview'

/** Says which attachment and which part a sealed file is: under another one it does not open. */
export const fileLabel = (attachmentId: string, part: FilePart): string => `attachment ${attachmentId} ${part}`

/** The record a file is put on. */
export interface Target {
  recordKind: string
  recordId: string
}

/** Asked before the first byte is taken, and once more in the transaction. Throws Problem invalid for a record that is not there for the actor, permission-missing. */
export async function checkTarget(desk: Desk, deps: AttachmentsDeps, target: Target): Promise<OwnerKey> {
  checkEdit(Attachment, { ...target }, null, desk.actor)
  const slice = sliceFor(deps.records, target.recordKind)
  const row = await slice.store.find(desk.sql, target.recordId, rowCondition(desk.actor, slice.entity, 'read'))
  if (!row) throw new Problem('invalid', { errors: [{ path: 'recordId', code: 'not-found' }] })
  // What lies in a pool shows no files, so nobody puts one there that they would not see.
  const pooled = slice.entity.conceal && plainColumn(slice.entity, slice.entity.conceal.while)
  if (pooled && row[pooled.column] !== null) throw new Problem('permission-missing')
  return desk.vault.ownerKey(row.key_id)
}

interface Arriving {
  id: string
  blob: string
  name: string
  target: Target
  key: OwnerKey
  source: AsyncIterable<Buffer>
  /** Resolves when nothing but the file was sent. */
  whole(): Promise<void>
}

/** Seals a file while it arrives. Until it is whole, known and clean it has no name of its own. */
async function receive(desk: Desk, deps: AttachmentsDeps, file: Arriving): Promise<Taken & { type: string }> {
  const scan = deps.scanner ? await Scan.begin(deps.scanner) : null
  const path = deps.blobs.incoming(file.blob)
  const label = fileLabel(file.id, 'content')
  const intake = new Intake(file.name, deps.most, scan)
  try {
    await pipeline(file.source, (s: AsyncIterable<Buffer>) => intake.through(s), createSealedFile(desk.vault, path, label, file.key))
  } finally {
    scan?.close()
  }
  const taken = intake.taken()
  const sealed = await openSealedFile(desk.vault, path, label, file.key)
  try {
    const { sniffed } = taken
    const type = 'type' in sniffed ? sniffed.type : 'text' in sniffed ? sniffed.text : await (sniffed.container === 'zip' ? zipType(sealed) : cfbType(sealed))
    if (type === null) throw new Problem('attachment-type-refused')
    return { ...taken, type }
  } finally {
    await sealed.close()
  }
}

/** What was found is kept where an auditor looks; the transaction that would say so is never begun. */
async function refuseInfected(desk: Desk, file: Arriving, infected: Infected): Promise<never> {
  const { recordKind, recordId } = file.target
  await desk.ledger.append({ action: 'attachment.infected', actor: desk.actor.key, object: { kind: recordKind, id: recordId }, subjects: [file.key], detail: { found: infected.found } })
  throw new Problem('attachment-infected')
}

/** A transaction whose end is not known may have kept the row: its file is left to the sweep, which asks the database. */
const rolledBack = (error: unknown): boolean => error instanceof AuthorityMoved || (error instanceof Problem && error.status < 500)

/** Takes in one file: bytes first, and when they are whole and durable the row and its event in one transaction. Nothing is left of a file that is refused. */
export async function upload(desk: Desk, deps: AttachmentsDeps, given: Omit<Arriving, 'id' | 'blob'>): Promise<Written> {
  const file: Arriving = { ...given, name: cleanName(given.name), id: uuidv7(), blob: deps.blobs.hold() }
  let begun = false
  try {
    const taken = await receive(desk, deps, file)
    await file.whole()
    await deps.blobs.place(file.blob)
    begun = true
    return await keep(desk, deps, file, taken)
  } catch (error) {
    if (!begun || rolledBack(error)) await deps.blobs.remove(file.blob).catch(() => undefined) // the sweep comes by again
    if (error instanceof Infected) return await refuseInfected(desk, file, error)
    throw error
  } finally {
    deps.blobs.release(file.blob)
  }
}

async function keep(desk: Desk, deps: AttachmentsDeps, file: Arriving, taken: Taken & { type: string }): Promise<Written> {
  const { size, sha256, type } = taken
  return desk.write(async (work) => {
    const input = { ...file.target, name: file.name, mediaType: type, size, sha256, scan: deps.scanner ? 'clean' : 'none' }
    const written = await insertRecord(work, deps.records, deps.slice, { id: file.id, input })
    await insertFile(work.sql, { id: file.blob, attachmentId: file.id, part: 'content' }, work.at.toISOString())
    if (hasPreview(type)) await work.enqueue(PREVIEW_QUEUE, { id: file.id })
    return written
  })
}

/** One part of an attachment that the actor may see, and where its bytes are. */
export interface Found {
  record: AnyRecord
  key: OwnerKey
  path: string
  label: string
}

/**
 * Whoever sees the record sees its files, and a file is at least as telling as its name: to somebody its name is hidden from or masked, it
 * is not shown. Throws Problem not-found, permission-missing, attachment-gone, preview-none.
 */
export async function findPart(desk: Desk, deps: AttachmentsDeps, id: string, part: FilePart): Promise<Found> {
  const { record, key } = await openOne(desk, deps.slice, id, rowCondition(desk.actor, Attachment, 'read'))
  if (!['read', 'edit'].includes(desk.actor.grants.field('attachment', 'name'))) throw new Problem('permission-missing')
  const blob = await findFile(desk.sql, id, part)
  if (!blob) throw new Problem(part === 'content' ? 'attachment-gone' : 'preview-none')
  return { record, key, path: deps.blobs.path(blob), label: fileLabel(id, part) }
}

/** A deleted attachment is brought back with its content or not at all. Throws Problem attachment-gone. */
export async function derive(before: AnyRecord | null, next: AnyRecord, { work }: Deriving): Promise<AnyRecord> {
  const back = before !== null && before.deletedAt !== null && next.deletedAt === null
  if (back && !(await findFile(work.sql, next.id, 'content'))) throw new Problem('attachment-gone')
  return next
}
