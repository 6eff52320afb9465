import { expect, test } from 'vitest'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { RecordCache } from './cache.ts'

const record = (id: string): AnyRecord => ({ id }) as AnyRecord

test('keeps at most so many, and those asked for last', () => {
  const cache = new RecordCache(100)
  for (let n = 0; n < 100; n++) cache.put(record(`r${n}`), 's')
  for (let n = 0; n < 10; n++) expect(cache.get(`r${n}`, 's')).toEqual(record(`r${n}`))
  cache.put(record('new'), 's')
  const kept = [...Array.from({ length: 100 }, (_, n) => `r${n}`), 'new'].filter((id) => cache.stamp(id) !== '')
  expect(kept.length).toBeLessThanOrEqual(100)
  for (let n = 0; n < 10; n++) expect(kept).toContain(`r${n}`)
  expect(kept).toContain('new')
  expect(kept).not.toContain('r10')
})

test('gives a record out under the stamp it was opened from, and under no other', () => {
  const cache = new RecordCache(10)
  cache.put(record('a'), '1')
  expect([cache.get('a', '2'), cache.get('a', '1')]).toEqual([null, record('a')])
  cache.put(record('a'), '2')
  expect([cache.get('a', '1'), cache.stamp('a')]).toEqual([null, '2'])
  cache.drop('a')
  expect([cache.get('a', '2'), cache.stamp('a')]).toEqual([null, ''])
})
