import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/harness/postgres.ts'
import { silent } from '../../../test/harness/ledger.ts'
import { uuidv7 } from '../base/index.ts'
import { startRound } from './rounds.ts'

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10)
}

describe('what comes round', () => {
  let test: TestDatabase
  beforeAll(async () => {
    test = await createTestDatabase()
  })
  afterAll(() => test.drop())

  it('is done by one node at a time, and by another when that one stops', async () => {
    const done: string[] = []
    const start = (node: string) => startRound({ db: test.db, log: silent, node }, { name: 'one-at-a-time', everyMs: 40, run: async () => void done.push(node) })
    const [a, b] = [uuidv7(), uuidv7()]
    const first = start(a)
    await until(() => done.length > 0)
    const second = start(b)
    await until(() => done.length >= 5)
    expect(new Set(done)).toEqual(new Set([a]))
    await first.stop()
    const before = done.length
    await until(() => done.includes(b))
    expect(new Set(done.slice(before))).toEqual(new Set([b]))
    await second.stop()
    const after = done.length
    await sleep(100)
    expect(done.length).toBe(after)
  })

  it('tells one that was overtaken while it worked, so that it stops before the next part', async () => {
    const answers: boolean[] = []
    const [a, b] = [uuidv7(), uuidv7()]
    const slow = startRound({ db: test.db, log: silent, node: a }, {
      name: 'overtaken',
      everyMs: 50,
      run: async (renew) => {
        if (answers.length > 0) return
        answers.push(await renew())
        // As if this node had hung for longer than its turn: another takes it.
        await test.db.query("UPDATE round SET node = $1, until = now() + interval '1 minute' WHERE name = 'overtaken'", [b])
        answers.push(await renew())
      },
    })
    await until(() => answers.length === 2)
    expect(answers).toEqual([true, false])
    await slow.stop()
  })

  it('goes on after it failed', async () => {
    let runs = 0
    const round = startRound({ db: test.db, log: silent, node: uuidv7() }, {
      name: 'failing',
      everyMs: 10,
      run: async () => {
        if (++runs < 3) throw new Error('not yet')
      },
    })
    await until(() => runs >= 4)
    await round.stop()
    expect(runs).toBeGreaterThanOrEqual(4)
  })
})
