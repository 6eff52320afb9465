import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'
import { isTimeZone } from '../organisation/index.ts'

const day = z.iso.date()
const uuid = z.uuid().toLowerCase()
const timeZone = z.string().max(60).refine(isTimeZone, { message: 'time-zone-unknown' }).optional()
const bucket = z.enum(['day', 'week', 'month', 'quarter', 'year'])

const amount = z.object({ currency: z.string(), minor: z.int() })
const row = z.object({
  key: z.record(z.string(), z.union([z.string(), z.number(), z.null()])).nullable(),
  count: z.int(),
  numbers: z.record(z.string(), z.int().nullable()),
  amounts: z.record(z.string(), z.array(amount)),
  base: z.record(z.string(), z.object({ amount, unconverted: z.array(z.string()) })).optional(),
})
const table = z.object({ rows: z.array(row), total: row.omit({ key: true }).nullable(), withheld: z.int() })

/** [from, to): days in the time zone, the organisation's when none is given. */
const stretch = { from: day, to: day, timeZone }

const report = <const P extends `/reports/${string}`, S extends z.ZodRawShape>(path: P, summary: string, shape: S) =>
  endpoint({ method: 'POST', path, permission: 'reports:read', summary, body: z.strictObject(shape), response: table })

export const funnel = report('/reports/funnel', 'Open deals by stage: number, amount, weighted amount.', { pipelineId: uuid.optional(), ownerId: uuid.optional() })
export const conversion = report('/reports/conversion', 'Of the deals made in a stretch of time, how many reached each stage of a pipeline.', { pipelineId: uuid, ...stretch, by: z.enum(['owner', 'none']).default('none') })
export const sources = report('/reports/sources', 'Where leads or deals come from, and what became of them.', { noun: z.enum(['leads', 'deals']), ...stretch })
export const activity = report('/reports/activity', 'Notes, calls, meetings, mails and tasks by person and period.', { ...stretch, bucket: bucket.default('month'), by: z.enum(['owner', 'none']).default('owner') })
export const forecast = report('/reports/forecast', 'What open deals are expected to bring, by month of their expected close.', { ...stretch, by: z.enum(['owner', 'none']).default('none') })
export const won = report('/reports/won', 'What won deals brought, by month of their close: the actual beside the forecast.', { ...stretch, by: z.enum(['owner', 'none']).default('none') })
export const ageing = report('/reports/ageing', 'Open deals by how long they have been in their stage.', { pipelineId: uuid.optional() })
