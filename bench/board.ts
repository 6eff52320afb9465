/**
 * `node bench/board.ts [DEALS]`: the board of one pipeline through a real server over TLS, as a manager who sees all of it draws it; 400 deals in five currencies unless
 * told otherwise. With cards: counts, sums, weighted and converted sums and the first twenty cards of each column; without: the figures alone; a move is a card dragged and the board drawn again.
 * cpu is processor time of the server for one of them: it hardly moves when the machine is busy with other things.
 */
import { startServer, type Json } from '../test/harness/server.ts'
import { machine } from './machine.ts'
import { printTimed } from './timed.ts'

const DEALS = Number(process.argv[2] ?? 400)
const ROUNDS = 30
const AT_ONCE = 20
const CURRENCIES = ['USD', 'CNY', 'EUR', 'JPY', 'GBP']

const server = await startServer({ env: { SEALBOOK_REQUESTS_PER_MINUTE: '1000000' } })

const timed = (name: string, once: () => Promise<unknown>): Promise<void> => printTimed(name, server.pid, ROUNDS, once)

async function asked(method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Json> {
  const answer = await server.call(method, path, body, { headers })
  if (answer.status >= 300) throw new Error(answer.text)
  return answer.body
}

try {
  const [pipeline] = (await asked('POST', '/pipelines/search', {})).items
  for (const currency of CURRENCIES.slice(1)) await asked('POST', '/exchange-rates', { currency, rate: '0.5' })
  const made: Json[] = []
  for (let n = 0; n < DEALS; n += AT_ONCE) {
    made.push(...(await Promise.all(Array.from({ length: Math.min(AT_ONCE, DEALS - n) }, (_, k) => {
      const stage = pipeline.stages[(n + k) % pipeline.stages.length]
      return asked('POST', '/deals', { title: `Deal ${n + k}`, stageId: stage.id, amount: { minor: 1_000_00 + n + k, currency: CURRENCIES[(n + k) % 5] }, ...(stage.kind === 'lost' ? { lostReason: 'Price' } : {}), note: 'x'.repeat(200) })
    }))))
  }
  process.stdout.write(`${JSON.stringify(machine())}\n${DEALS} deals\n`)
  await timed('board with cards', () => asked('POST', '/deals/board', {}))
  await timed('board, figures alone', () => asked('POST', '/deals/board', { cards: 0 }))
  let deal = made[0]
  let to = 0
  await timed('a move, and the board again', async () => {
    to = to === 0 ? 1 : 0
    deal = await asked('PATCH', `/deals/${deal.id}`, { stageId: pipeline.stages[to].id }, { 'If-Match': `"${deal.version}"` })
    await asked('POST', '/deals/board', {})
  })
} finally {
  await server.close()
}
