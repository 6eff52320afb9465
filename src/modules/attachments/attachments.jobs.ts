import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import { Problem } from '../../kernel/base/index.ts'
import type { Tx } from '../../kernel/db/types.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import type { LedgerEvent } from '../../kernel/ledger/types.ts'
import { createSealedFile, openSealedFile, type OwnerKey } from '../../kernel/vault/index.ts'
import type { WorkDeps } from '../../kernel/work/index.ts'
import { openRow } from '../records/index.ts'
import { fileLabel, type AttachmentsDeps } from './attachments.service.ts'
import { attachmentsOf, deleteFiles, expiredAttachments, findFile, insertFile, knownFiles, recordsWithFiles } from './attachments.store.ts'
import { makePreview } from './preview.ts'
import { hasPreview } from './types.ts'

export interface JobDeps extends AttachmentsDeps {
  work: Pick<WorkDeps, 'db' | 'vault' | 'ledger' | 'log'>
}

/** A deleted file can be brought back for so long. */
export const KEPT_DAYS = 30
const BATCH = 200

/** One transaction of the server's own, with its events last. */
async function recorded(deps: JobDeps, write: (tx: Tx) => Promise<LedgerEvent[]>): Promise<void> {
  const { db, ledger } = deps.work
  const ids = await db.tx(async (tx) => {
    const events = await write(tx)
    return events.length > 0 ? ledger.recordMany(tx, events) : []
  })
  ledger.committed(ids)
}

/** The record and key of an attachment that is there, and has no preview. */
async function waiting(deps: JobDeps, id: string): Promise<{ record: AnyRecord; key: OwnerKey } | null> {
  const { db, vault } = deps.work
  const [row] = await deps.slice.store.full(db, [id])
  if (!row || !vault.hasOwnerKey(row.key_id) || (await findFile(db, id, 'preview'))) return null
  const key = vault.ownerKey(row.key_id)
  const record = openRow(vault, deps.slice, row, key)
  return record.deletedAt === null && hasPreview(String(record['mediaType'])) ? { record, key } : null
}

/** Makes the preview of a picture and keeps it sealed beside it. A picture that does not open has none. */
export async function preview(deps: JobDeps, id: string): Promise<void> {
  const { db, vault, log } = deps.work
  const found = await waiting(deps, id)
  const content = found && (await findFile(db, id, 'content'))
  if (!found || !content) return
  const small = await pictureOf(deps, id, content, found.key)
  if (!small) return log.info({ component: 'attachments', id }, 'a picture does not open and gets no preview')
  const blob = deps.blobs.hold()
  try {
    const out = createSealedFile(vault, deps.blobs.incoming(blob), fileLabel(id, 'preview'), found.key)
    out.on('error', () => undefined) // told by finished
    out.end(small)
    await finished(out)
    if (!out.closed) await once(out, 'close')
    await deps.blobs.place(blob)
    await recorded(deps, async (tx) => {
      await insertFile(tx, { id: blob, attachmentId: id, part: 'preview' }, new Date().toISOString())
      return [{ action: 'attachment.preview-made', actor: null, object: { kind: 'attachment', id }, subjects: [found.key], purpose: 'job' }]
    })
  } finally {
    deps.blobs.release(blob) // one that did not get its row is nobody's, and goes with the next sweep
  }
}

async function pictureOf(deps: JobDeps, id: string, content: string, key: OwnerKey): Promise<Buffer | null> {
  const file = await openSealedFile(deps.work.vault, deps.blobs.path(content), fileLabel(id, 'content'), key)
  try {
    return await makePreview(file.stream())
  } finally {
    await file.close()
  }
}

/** Removes the content of attachments for good: the rows that name the files first, in one transaction with its events, then the files. */
async function purge(deps: JobDeps, ids: readonly string[], recordId: string): Promise<void> {
  const { vault } = deps.work
  const subjects = vault.hasOwnerKey(recordId) ? [vault.ownerKey(recordId)] : []
  const gone: string[] = []
  await recorded(deps, async (tx) => {
    gone.push(...(await deleteFiles(tx, ids)))
    return gone.length === 0 ? [] : ids.map((id): LedgerEvent => ({ action: 'attachment.purged', actor: null, object: { kind: 'attachment', id }, subjects, purpose: 'job' }))
  })
  for (const blob of gone) await deps.blobs.remove(blob)
}

/** Removes the files of a record whose key was destroyed. For whoever destroys it; what could not be done then is done by the next tidying. */
export async function purgeRecord(deps: JobDeps, recordId: string): Promise<void> {
  const ids = await attachmentsOf(deps.work.db, recordId)
  if (ids.length > 0) await purge(deps, ids, recordId)
}

async function purgeExpired(deps: JobDeps): Promise<void> {
  for (;;) {
    const expired = await expiredAttachments(deps.work.db, KEPT_DAYS, BATCH)
    for (const { id, recordId } of expired) await purge(deps, [id], recordId)
    if (expired.length < BATCH) return
  }
}

/** Only a tombstone says that a key was destroyed. One that is merely away may come back, and with it what it seals. */
async function purgeDestroyed(deps: JobDeps): Promise<void> {
  const { db, vault } = deps.work
  let after = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const records = await recordsWithFiles(db, after, BATCH)
    for (const id of records) if (vault.isDestroyed(id)) await purgeRecord(deps, id)
    if (records.length < BATCH) return
    after = records.at(-1)!
  }
}

/** At the start and every hour: content whose time is up, content whose key is gone, and files that are nobody's. */
export async function tidy(deps: JobDeps): Promise<void> {
  await purgeExpired(deps)
  await purgeDestroyed(deps)
  const count = await deps.blobs.sweep((ids) => knownFiles(deps.work.db, ids))
  if (count > 0) deps.work.log.info({ component: 'attachments', count }, 'files that belonged to nobody were removed')
}

/** What cannot be mended by trying again is not tried again. */
export async function previewJob(deps: JobDeps, id: string): Promise<void> {
  try {
    await preview(deps, id)
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'seal-broken') throw error
    await deps.work.ledger.append({ action: 'seal.refused', actor: null, object: { kind: 'attachment', id }, detail: { code: error.code, part: 'file' } })
  }
}
