import type { MakeId } from './ids.ts'
import { phrases } from './phrases.ts'
import type { Staff } from './staff.ts'
import type { Planned } from './types.ts'

const COLOURS = ['red', 'orange', 'gold', 'green', 'cyan', 'blue', 'purple', 'magenta']

/** The organisation's own: its tags, and a pool of leads for all of Sales. */
export function wordsOf(id: MakeId, at: number, founderId: string, staff: Staff): { poolId: string; records: Planned[] } {
  const names = [...new Set([...phrases.tags.zh.entries, ...phrases.tags.en.entries].map((e) => e.value))]
  const tags = names.map((name, i): Planned => ({ noun: 'tag', id: id(at), at, ownerId: founderId, input: { name, colour: COLOURS[i % COLOURS.length]! }, moves: [] }))
  const input = { name: '线索公海 Lead pool', kind: 'lead', departments: [staff.departments[0]!.id], claimLimitPerPerson: 20, returnAfterDays: 30 }
  const pool: Planned = { noun: 'pool', id: id(at), at, ownerId: founderId, input, moves: [] }
  return { poolId: pool.id, records: [...tags, pool] }
}
