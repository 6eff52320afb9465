import { z } from 'zod'
import { currencyCode } from '../../kernel/entity/index.ts'
import { endpoint } from '../../kernel/http/index.ts'
import { isDayOfYear, isTimeZone } from './settings.ts'

const name = z.string().trim().min(1).max(200)
const locale = z.enum(['zh-CN', 'en'])
const workingDays = z
  .array(z.int().min(1).max(7))
  .min(1)
  .max(7)
  .refine((days) => new Set(days).size === days.length, { message: 'duplicate' })
  .transform((days) => [...days].sort((a, b) => a - b))

const view = z.object({
  id: z.uuid(),
  version: z.int(),
  name: z.string(),
  country: z.string(),
  locale,
  timeZone: z.string(),
  workingDays: z.array(z.int()),
  fiscalYearStart: z.string(),
  baseCurrency: z.string(),
})

const patch = z
  .strictObject({
    name: name.optional(),
    locale: locale.optional(),
    timeZone: z.string().max(60).refine(isTimeZone, { message: 'time-zone-unknown' }).optional(),
    workingDays: workingDays.optional(),
    fiscalYearStart: z.string().max(5).refine(isDayOfYear, { message: 'day-unknown' }).optional(),
    baseCurrency: currencyCode.optional(),
  })
  .refine((o) => Object.keys(o).length > 0, { message: 'empty' })

export type OrganisationPatch = z.output<typeof patch>

export const organisationContracts = {
  get: endpoint({ method: 'GET', path: '/organisation', permission: 'signed-in', summary: 'How the organisation counts days, years and money.', response: view }),
  patch: endpoint({ method: 'PATCH', path: '/organisation', permission: 'organisation:manage', summary: 'Change language, time zone, working days, fiscal year or base currency.', body: patch, response: view, ifMatch: true }),
}
