import { defineEntity, id, many, number, oneOf, text } from '../../kernel/entity/index.ts'

/** Nouns that can lie in a pool; each declares `poolId`, `pooledAt`, `claimedPoolId`, `claimedAt` and what is concealed meanwhile. */
export const POOLED = ['lead', 'company'] as const

/** 公海: leads or companies that are nobody's, for certain departments to claim. */
export const Pool = defineEntity('pool', {
  plural: 'pools',
  table: 'pools',
  about: 'organisation',
  keep: { years: 10, since: 'updatedAt' },
  fields: {
    name: text(100, { class: 'confidential', edit: true, find: ['text', 'sort'] }),
    kind: oneOf(POOLED, { class: 'internal', edit: true, fixed: true }),
    /** Open to the people of these departments, and of those below them. */
    departments: many(id({ class: 'confidential', edit: true, find: ['link'] }), 50),
    /** How many records of it one person may hold at once; null: any number. */
    claimLimitPerPerson: number(1, 100_000, { class: 'confidential', edit: true }),
    /** A claimed record comes back after so many days without an activity; null: never. */
    returnAfterDays: number(1, 3650, { class: 'confidential', edit: true }),
  },
})
