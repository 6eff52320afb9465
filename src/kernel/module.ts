import type { Entity } from './entity/index.ts'
import type { PublicRoute, Route } from './http/types.ts'

/** A product slice as app.ts mounts it. */
export interface Module {
  name: string
  entities?: readonly Entity[]
  /** Permissions this module declares: `noun:verb` and what it allows, for the generated documents. */
  permissions?: Readonly<Record<string, string>>
  routes?: readonly Route[]
  publicRoutes?: readonly PublicRoute[]
}
