import type { Module } from '../../kernel/module.ts'
import { accessRoutes } from './access.routes.ts'
import type { PeopleSource } from './authority.service.ts'
import { createAuthority } from './authority.ts'
import { entityPermissions, type RoleRegistry } from './roles.ts'
import type { Ledger } from '../../kernel/ledger/types.ts'
import type { Vault } from '../../kernel/vault/types.ts'

export interface AccessModuleDeps {
  vault: Vault
  ledger: Ledger
  registry: RoleRegistry
  /** `peopleSource` of the identity module. */
  people: PeopleSource
}

/** The words access adds to the registry of permissions, beside those of each entity. */
export const ACCESS_PERMISSIONS = {
  'departments:read': 'see the tree of departments',
  'departments:manage': 'make, rename and move departments',
  'approvals:decide': 'approve or refuse, as the second person, what gives somebody customers',
} as const

/** Departments, approvals, and the permissions of every entity. */
export function accessModule(deps: AccessModuleDeps): Module {
  const { vault, ledger, registry, people } = deps
  return {
    name: 'access',
    permissions: { ...ACCESS_PERMISSIONS, ...entityPermissions([...registry.entities.values()]) },
    routes: accessRoutes({ vault, registry, people, authority: createAuthority({ vault, ledger }) }),
  }
}
