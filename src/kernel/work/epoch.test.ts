import { describe, expect, it } from 'vitest'
import { EpochMoves, EpochWatch } from './epoch.ts'

/** A counter whose readings are answered by hand, as a database would answer: with the value at the time the query began. */
function counter() {
  let value = 1
  const open: (() => void)[] = []
  let queries = 0
  return {
    bump: () => value++,
    queries: () => queries,
    answer: () => open.shift()?.(),
    read: () => {
      queries++
      const seen = value
      return new Promise<number>((resolve) => open.push(() => resolve(seen)))
    },
  }
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('the epoch watch', () => {
  it('never answers with a query that began before the question', async () => {
    const c = counter()
    const watch = new EpochWatch(c.read)
    const first = watch.current()
    c.bump()
    const second = watch.current()
    c.answer()
    expect(await first).toBe(1)
    await tick()
    c.answer()
    expect(await second).toBe(2)
  })

  it('shares one query among all who ask while one is under way', async () => {
    const c = counter()
    const watch = new EpochWatch(c.read)
    const asked = [watch.current(), ...Array.from({ length: 50 }, () => watch.current())]
    c.answer()
    await tick()
    c.answer()
    await Promise.all(asked)
    expect(c.queries()).toBe(2)
  })

  it('goes on after a query failed, and tells those who waited for it', async () => {
    let fail = true
    const watch = new EpochWatch(() => (fail ? Promise.reject(new Error('gone')) : Promise.resolve(7)))
    await expect(watch.current()).rejects.toThrow('gone')
    fail = false
    expect(await watch.current()).toBe(7)
  })
})

describe('moving the epoch', () => {
  it('is counted per person and minute: nobody keeps the others from their work', () => {
    let now = 0
    const moves = new EpochMoves(() => now)
    for (let i = 0; i < 300; i++) moves.count('a')
    expect(() => moves.count('a')).toThrow('rate')
    moves.count('b')
    now += 60_000
    moves.count('a')
  })
})
