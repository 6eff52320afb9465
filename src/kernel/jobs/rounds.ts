import type { Db } from '../db/index.ts'
import { errorFields } from '../log/index.ts'

export interface RoundWords {
  /** Same on every node. */
  name: string
  everyMs: number
  /** Does what is due. `renew` before each part that must not be done twice: false when another node has taken the round over, and this one must stop. */
  run(renew: () => Promise<boolean>): Promise<void>
}

export interface Round {
  /** Resolves once what runs has ended. */
  stop(): Promise<void>
}

/** A node that does not come back within this many rounds has lost its turn. */
const ROUNDS_HELD = 4

/** Takes or keeps the turn. The database's clock decides, which all nodes share. */
async function takeTurn(db: Db, name: string, node: string, holdMs: number): Promise<boolean> {
  const rows = await db.query(
    `INSERT INTO round (name, node, until) VALUES ($1, $2, now() + $3 * interval '1 millisecond')
     ON CONFLICT (name) DO UPDATE SET node = EXCLUDED.node, until = EXCLUDED.until WHERE round.node = EXCLUDED.node OR round.until < now() RETURNING 1 AS taken`,
    [name, node, holdMs],
  )
  return rows.length === 1
}

/** Does something again and again, on one node at a time. What goes wrong is told and tried again the next time round. */
export function startRound(deps: { db: Db; log: { warn(fields: object, message: string): void }; node: string }, words: RoundWords): Round {
  const { db, log, node } = deps
  const renew = (): Promise<boolean> => takeTurn(db, words.name, node, ROUNDS_HELD * words.everyMs)
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const once = async (): Promise<void> => {
    try {
      if (await renew()) await words.run(async () => !stopped && (await renew()))
    } catch (error) {
      if (!stopped) log.warn({ component: words.name, ...errorFields(error) }, 'what comes round is tried again the next time')
    }
  }
  const loop = async (): Promise<void> => {
    await once()
    if (stopped) return
    timer = setTimeout(() => (running = loop()), words.everyMs)
    timer.unref()
  }
  let running = loop()
  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
