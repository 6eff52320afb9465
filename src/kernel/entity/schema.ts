import { z, type ZodType } from 'zod'
import type { Entity } from './entity.ts'
import type { Field } from './fields.ts'

const customValue = z.union([z.string().max(10_000), z.number(), z.boolean(), z.null()])
const custom = z.record(z.string().regex(/^[a-z][a-zA-Z0-9_]{0,59}$/), customValue)

function editable(entity: Entity): [string, Field][] {
  return Object.entries(entity.fields).filter(([, f]) => f.edit)
}

/** What POST accepts: editable fields only, anything else is refused by name. */
export function createSchema(entity: Entity): z.ZodObject {
  const shape: Record<string, ZodType> = { ownerId: z.uuid().toLowerCase().optional(), custom: custom.optional() }
  for (const [name, f] of editable(entity)) {
    shape[name] = f.optional && !f.many ? f.input.nullish() : f.optional || f.initial !== null ? f.input.optional() : f.input
  }
  return z.strictObject(shape)
}

/** What PATCH accepts: every editable field optional, null clears an optional one; at least one. */
export function patchSchema(entity: Entity): ZodType {
  const shape: Record<string, ZodType> = { ownerId: z.uuid().toLowerCase().optional(), custom: custom.optional() }
  for (const [name, f] of editable(entity)) if (!f.fixed) shape[name] = f.optional && !f.many ? f.input.nullish() : f.input.optional()
  return z.strictObject(shape).refine((o) => Object.keys(o).length > 0, { message: 'empty' })
}

/** What the API shows of one record. A hidden field's key is absent, a masked one is null with an entry in `masks`. */
export function viewSchema(entity: Entity): ZodType {
  const shape: Record<string, ZodType> = {
    id: z.uuid(),
    version: z.int(),
    createdAt: z.string(),
    updatedAt: z.string(),
    deletedAt: z.string().nullable(),
    ownerId: z.uuid(),
    departmentId: z.uuid(),
  }
  for (const [name, f] of Object.entries(entity.fields)) if (f.class !== 'secret') shape[name] = f.view.nullable().optional()
  shape['custom'] = custom.optional()
  shape['masks'] = z.record(z.string(), z.array(z.string()))
  shape['can'] = z.object({ edit: z.array(z.string()), reveal: z.array(z.string()), delete: z.boolean() })
  return z.object(shape)
}
