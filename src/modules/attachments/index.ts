import './problems.ts'
import type { Jobs } from '../../kernel/jobs/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import type { Module } from '../../kernel/module.ts'
import { sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Attachment } from './attachments.entity.ts'
import { previewJob, purgeRecord, tidy, type JobDeps } from './attachments.jobs.ts'
import { attachmentRoutes } from './attachments.routes.ts'
import { checkTarget, derive, PREVIEW_QUEUE, upload, type Target } from './attachments.service.ts'
import { Blobs } from './blobs.ts'
import { cleanName } from './names.ts'
import { scannerAddress } from './scanner.ts'
import { Senders } from './senders.ts'

export { Attachment } from './attachments.entity.ts'
export { scannerAddress } from './scanner.ts'
export const ATTACHMENT_QUEUES: readonly string[] = [PREVIEW_QUEUE]

export const attachmentSlice = (): Slice =>
  sliceOf({
    entity: Attachment,
    normalise: (input) => (typeof input['name'] === 'string' ? { ...input, name: cleanName(input['name']) } : input),
    derive,
    rehangs: false,
  })

export interface AttachmentWords {
  records: RecordsDeps
  slice: Slice
  work: JobDeps['work']
  jobs: Jobs
  /** HOME/blobs. */
  folder: string
  /** The largest file, in megabytes. */
  megabytes: number
  /** As SEALBOOK_CLAMAV says; null: no scanner. */
  scanner: string | null
}

/** 附件: files on records, sealed on the disk, opened only for whoever sees the record. */
export class Attachments {
  readonly #deps: JobDeps
  readonly #jobs: Jobs

  constructor({ folder, megabytes, scanner, jobs, ...rest }: AttachmentWords) {
    this.#jobs = jobs
    this.#deps = { ...rest, blobs: new Blobs(folder), most: megabytes * 1024 * 1024, scanner: scanner === null ? null : scannerAddress(scanner) }
  }

  module(): Module {
    return { name: 'attachments', entities: [Attachment], routes: attachmentRoutes(this.#deps, new Senders()) }
  }

  /** Works the queue of previews. */
  start(): Promise<void> {
    return this.#jobs.work(PREVIEW_QUEUE, (data) => previewJob(this.#deps, String(data['id'])))
  }

  /** Puts a file of the program's own on a record the person sees, as if they had sent it. Resolves with its id. */
  async put(desk: Desk, { name, content, ...target }: Target & { name: string; content: Buffer }): Promise<string> {
    const key = await checkTarget(desk, this.#deps, target)
    const source = (async function* () {
      yield content
    })()
    return (await upload(desk, this.#deps, { name, target, key, source, whole: () => Promise.resolve() })).record.id
  }

  /** At the start and every hour. */
  tidy(): Promise<void> {
    return tidy(this.#deps)
  }

  /** For whoever destroys a record's key: its files go at once. */
  purgeRecord(recordId: string): Promise<void> {
    return purgeRecord(this.#deps, recordId)
  }
}
