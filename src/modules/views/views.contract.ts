import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'

const id = z.object({ id: z.uuid().toLowerCase() })
const uuid = z.uuid().toLowerCase()
const field = z.string().max(80)
const sort = z.array(z.strictObject({ field, direction: z.enum(['asc', 'desc']).default('asc') })).max(5)

export const VIEW_KINDS = ['table', 'board', 'calendar'] as const
export const VIEW_PARTS = ['where', 'sort', 'columns', 'by'] as const

/** What a view says, as its owner gave it. */
export interface ViewWords {
  name: string
  kind: 'table' | 'board' | 'calendar'
  where?: unknown
  sort?: { field: string; direction: 'asc' | 'desc' }[]
  columns?: string[]
  by?: string | null
  /** Its filter was written by somebody else, who gave it: said by no caller. */
  given?: true
}

/** The words of a view. A part left out is empty. */
const words = {
  name: z.string().trim().min(1).max(100),
  kind: z.enum(VIEW_KINDS),
  /** As in a search. */
  where: z.unknown().optional(),
  sort: sort.optional(),
  columns: z.array(field).max(100).optional(),
  /** The field that makes the columns of a board, or the day in a calendar. */
  by: field.nullable().optional(),
  /** Shared with these departments and those below them; none: private. */
  departments: z.array(uuid).max(50).optional(),
}

const view = z.object({
  id: z.uuid(), version: z.int(), ownerId: z.uuid(), mine: z.boolean(), noun: z.string(), createdAt: z.string(), updatedAt: z.string(),
  name: z.string(), kind: z.enum(VIEW_KINDS), departments: z.array(z.uuid()).optional(),
  where: z.unknown().optional(), sort: sort.optional(), columns: z.array(z.string()).optional(), by: z.string().nullable().optional(),
  refused: z.array(z.object({ part: z.enum(VIEW_PARTS), code: z.string() })),
})

export const viewContracts = {
  create: endpoint({ method: 'POST', path: '/views', permission: 'signed-in', summary: 'Keep a view: filter, sort and columns of a noun, as a table, board or calendar.', body: z.strictObject({ noun: z.string().max(40), ...words }), response: view, status: 201 }),
  list: endpoint({ method: 'GET', path: '/views', permission: 'signed-in', summary: 'Views of yours, and those shared with you; each as far as your rights go.', response: z.object({ items: z.array(view), refused: z.int().optional() }) }),
  get: endpoint({ method: 'GET', path: '/views/:id', permission: 'signed-in', summary: 'One view; a part that names what you may not see is refused with a code.', params: id, response: view }),
  patch: endpoint({ method: 'PATCH', path: '/views/:id', permission: 'signed-in', summary: 'Change a view of yours.', params: id, body: z.strictObject(words).partial().refine((o) => Object.keys(o).length > 0, { message: 'empty' }), response: view, ifMatch: true }),
  remove: endpoint({ method: 'DELETE', path: '/views/:id', permission: 'signed-in', summary: 'Remove a view of yours.', params: id, response: z.object({ id: z.uuid() }), ifMatch: true }),
}

const kindAndId = z.object({ kind: z.string().regex(/^[a-z][a-z-]{0,39}$/), id: uuid })

export const favouriteContracts = {
  list: endpoint({ method: 'GET', path: '/favourites', permission: 'signed-in', summary: 'Records and views you keep at hand, as far as you may still see them.', response: z.object({ items: z.array(z.object({ kind: z.string(), id: z.uuid(), at: z.string() })) }) }),
  put: endpoint({ method: 'PUT', path: '/favourites/:kind/:id', permission: 'signed-in', summary: 'Keep a record (kind: contacts …) or a view (kind: views) at hand.', params: kindAndId, response: kindAndId }),
  remove: endpoint({ method: 'DELETE', path: '/favourites/:kind/:id', permission: 'signed-in', summary: 'Keep it at hand no more.', params: kindAndId, response: kindAndId, ifMatch: false }),
}
