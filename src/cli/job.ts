import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal } from '../kernel/base/index.ts'
import type { Client } from './client.ts'
import { ServerRefusal } from './output.ts'
import type { Terminal } from './verb.ts'

interface Job<R> {
  state: 'queued' | 'running' | 'done' | 'failed'
  progress: { done: number; total: number | null }
  result?: R
  problem?: Record<string, unknown>
}

/** Waits for an import or export, telling its progress. Throws the ServerRefusal of a failed one. */
export async function finished<R>(terminal: Terminal, client: Client, path: string): Promise<R> {
  let pause = 50
  let told = -1
  for (;;) {
    const job = await client.json<Job<R>>('GET', path)
    if (job.state === 'done' && job.result !== undefined) return job.result
    if (job.state === 'failed' && job.problem) throw new ServerRefusal(job.problem, Number(job.problem['status']))
    if (job.state === 'failed') throw new Refusal('job-failed', terminal.say('The job failed on the server; its log says why.', '任务在服务器上失败；原因见服务器日志。'), 1)
    const { done, total } = job.progress
    // Before the first row is counted there is nothing to tell.
    if (done !== told && done > 0) terminal.progress(`${done} of ${total || '?'} rows`, `已处理 ${done} / ${total || '?'} 行`)
    told = done
    await sleep(pause)
    pause = Math.min(pause * 1.5, 1_000)
  }
}
