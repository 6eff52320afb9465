import { z } from 'zod'
import { viewSchema } from '../../kernel/entity/index.ts'
import { endpoint } from '../../kernel/http/index.ts'
import { Contract } from './contracts.entity.ts'

const { number, title, amount, signedOn, startsOn, endsOn, noticeDays } = Contract.fields

/** What the follow-up has of its own; all else is taken over from the contract it renews. */
const renewal = z.strictObject({
  number: number.input,
  title: title.input.optional(),
  amount: amount.input.optional(),
  signedOn: signedOn.input.optional(),
  startsOn: startsOn.input.optional(),
  endsOn: endsOn.input.nullish(),
  noticeDays: noticeDays.input.nullish(),
})

export type Renewal = Record<string, unknown>

export const renewContract = endpoint({
  method: 'POST',
  path: '/contracts/:id/renew',
  permission: 'contracts:create',
  summary: 'Make the contract that follows an active or expired one, as a draft for as long again; the old one is renewed.',
  params: z.object({ id: z.uuid().toLowerCase() }),
  body: renewal,
  response: viewSchema(Contract),
  status: 201,
  ifMatch: true,
})
