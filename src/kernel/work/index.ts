export { AuthorityMoved, openDesk, type OpenDesk, type WorkDeps, type KeepAnswer } from './desk.ts'
export { EpochMoves, EpochWatch, type AuthorityCounter } from './epoch.ts'
export { systemActor } from './system.ts'
export type { Actor, Desk, FieldRight, Grants, NewEvent, Reading, Work } from './types.ts'
