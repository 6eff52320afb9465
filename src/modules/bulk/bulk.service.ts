import { Problem } from '../../kernel/base/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { bulkChange, newUndoToken, parseBulk, searchRecords, sliceOfNoun, undoChange, type BulkAnswer, type BulkBody, type RecordsDeps, type SearchAnswer, type Slice } from '../records/index.ts'
import type { Step } from '../runs/index.ts'

export interface Question {
  noun: string
  where?: unknown
  text?: string | undefined
  action: Exclude<BulkBody['action'], 'restore'>
  patch?: Record<string, unknown> | undefined
}

/** `undoes`: the token of the change that this one takes back; then there is no question. */
export interface BulkWords {
  question?: Question
  undoes?: string
  /** Kept from the first attempt to the last, so that all of it is taken back as one. */
  undoToken: string
}

export interface BulkResult {
  matched: number
  done: number
  /** The first of those that were not changed, with the code of their refusal. */
  failed: { id: string; code: string }[]
  failedCount: number
  undoToken: string | null
}

const MOST_RECORDS = 50_000
const MOST_TOLD = 1_000
const PAGE = 200
/** Records that a change of rights came between are asked again with the rights of then. */
const MOST_ROUNDS = 5

const VERB: Record<Question['action'], readonly string[]> = { patch: ['edit', 'assign'], tag: ['edit'], delete: ['delete'], assign: ['assign'] }

/** Refuses at once what would be refused for every record. Throws Problem invalid, field-unknown or permission-missing. */
export async function wordsFor(desk: Desk, deps: RecordsDeps, question: Question): Promise<BulkWords> {
  const { entity } = sliceOfNoun(deps, question.noun)
  const { permissions } = desk.actor.grants
  if (!permissions.has(`${entity.plural}:read`) || !VERB[question.action].some((verb) => permissions.has(`${entity.plural}:${verb}`))) throw new Problem('permission-missing')
  parseBulk(entity, { ids: ['00000000-0000-4000-8000-000000000000'], action: question.action, patch: question.patch })
  await page(desk, deps, sliceOfNoun(deps, question.noun), question, undefined, 1)
  return { question, undoToken: newUndoToken() }
}

async function page(desk: Desk, deps: RecordsDeps, slice: Slice, { where, text }: Question, cursor: string | undefined, limit = PAGE): Promise<SearchAnswer> {
  const answer = await searchRecords(desk, deps, slice, { ...(where === undefined ? {} : { where }), text, fields: ['id'], limit, cursor })
  return JSON.parse(answer) as SearchAnswer // searchRecords wrote it a moment ago
}

/** Every record the question finds, as the person sees them now, before one of them is changed: a change may take it out of the question. */
async function matching(step: Step, deps: RecordsDeps, slice: Slice, question: Question): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const from = cursor
    const found = await step((desk) => page(desk, deps, slice, question, from))
    if (!found.complete) throw new Problem('lens-warming')
    for (const item of found.items) ids.push(String(item.id))
    if (ids.length > MOST_RECORDS) throw new Problem('invalid', { errors: [{ path: 'where', code: 'too-many' }] })
    cursor = found.nextCursor ?? undefined
  } while (cursor)
  return ids
}

async function changeSome(step: Step, deps: RecordsDeps, slice: Slice, words: BulkWords & { question: Question }, ids: readonly string[]): Promise<Pick<BulkAnswer, 'done' | 'failed'>> {
  let left = ids
  let done = 0
  const failed: BulkAnswer['failed'] = []
  for (let round = 1; left.length > 0; round++) {
    const asking = left
    const { action, patch } = words.question
    const answer = await step((desk) => bulkChange(desk, deps, slice, parseBulk(slice.entity, { ids: asking, action, patch }), words.undoToken))
    done += answer.done
    const again = answer.failed.filter((f) => f.code === 'conflict' && round < MOST_ROUNDS)
    failed.push(...answer.failed.filter((f) => !again.includes(f)))
    left = again.map((f) => f.id)
  }
  return { done, failed }
}

/** Runs the change page by page. Taken up anew after a kill it asks again, and what is done already changes nothing. */
export async function runBulk(step: Step, deps: RecordsDeps, words: BulkWords, progress: (done: number, total: number) => void): Promise<BulkResult> {
  const { question, undoes } = words
  if (undoes !== undefined) return undone(await step((desk) => undoChange(desk, deps, undoes)))
  if (!question) throw new Error('a bulk change without a question')
  const slice = sliceOfNoun(deps, question.noun)
  const ids = await matching(step, deps, slice, question)
  const failed: BulkAnswer['failed'] = []
  let done = 0
  for (let at = 0; at < ids.length; at += PAGE) {
    const part = await changeSome(step, deps, slice, { ...words, question }, ids.slice(at, at + PAGE))
    done += part.done
    failed.push(...part.failed)
    progress(Math.min(at + PAGE, ids.length), ids.length)
  }
  return { matched: ids.length, done, failed: failed.slice(0, MOST_TOLD), failedCount: failed.length, undoToken: done > 0 ? words.undoToken : null }
}

const undone = ({ done, failed }: BulkAnswer): BulkResult => ({ matched: done + failed.length, done, failed: failed.slice(0, MOST_TOLD), failedCount: failed.length, undoToken: null })
