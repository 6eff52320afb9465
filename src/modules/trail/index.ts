import type { Module } from '../../kernel/module.ts'
import { trailRoutes } from './trail.routes.ts'

/** The ledger as outsiders reach it: checkpoint, key, proofs, verification, bundles. */
export const trail: Module = {
  name: 'trail',
  permissions: { 'ledger:read': 'read checkpoints and proofs, and verify the ledger', 'ledger:export': 'take out a bundle that verifies offline; detail stays sealed' },
  routes: trailRoutes,
}
