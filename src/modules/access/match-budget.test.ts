import { expect, it } from 'vitest'
import { MatchBudget } from './match-budget.ts'

it('questions to masked fields are counted per person and hour', () => {
  let now = 0
  const budget = new MatchBudget(20, () => now)
  for (let i = 0; i < 2; i++) budget.spend('a', 10)
  expect(() => budget.spend('a', 1)).toThrow('rate')
  budget.spend('a', 0)
  budget.spend('b', 20)
  now += 3_600_000
  budget.spend('a', 20)
})

it('who can do without an answer is not refused, and is not answered either', () => {
  const budget = new MatchBudget(2, () => 0)
  expect([budget.take('a', 1), budget.take('a', 1), budget.take('a', 1), budget.take('a', 0)]).toEqual([true, true, false, true])
  expect(() => budget.spend('a', 1)).toThrow('rate')
})
