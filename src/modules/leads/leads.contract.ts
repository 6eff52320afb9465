import { z, type ZodObject, type ZodType } from 'zod'
import { createSchema, viewSchema, type Entity } from '../../kernel/entity/index.ts'
import { endpoint } from '../../kernel/http/index.ts'
import { Lead } from './leads.entity.ts'

const params = z.object({ id: z.uuid().toLowerCase() })
const link = z.strictObject({ id: z.uuid().toLowerCase() })

/** An existing record by id, the fields of a new one, or null for none. */
const target = (fields: ZodType) => z.union([link, fields, z.null()]).optional()

export const scoreContract = endpoint({
  method: 'GET',
  path: '/leads/:id/score',
  permission: 'leads:read',
  summary: 'The score of a lead and the rules that gave it points.',
  params,
  response: z.object({ score: z.int().nullable(), rules: z.array(z.object({ id: z.uuid(), name: z.string(), points: z.int() })) }),
})

/** `targets`: what a lead becomes; of a new record any field may be left out that the lead fills. */
export function convertContract(targets: { company: Entity; contact: Entity; deal: Entity }) {
  const partial = (e: Entity): ZodObject => createSchema(e).partial().strict()
  return endpoint({
    method: 'POST',
    path: '/leads/:id/convert',
    permission: 'leads:edit',
    summary: 'Make a company, a contact and a deal of a lead, or link it with ones that are there.',
    params,
    body: z.strictObject({ company: target(partial(targets.company)), contact: target(partial(targets.contact)), deal: target(partial(targets.deal)) }),
    response: viewSchema(Lead),
    idempotent: true,
  })
}
