import { z } from 'zod'
import { Problem, Refusal, uuidv7 } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { CustomFieldWords } from '../../kernel/entity/index.ts'
import type { Ledger } from '../../kernel/ledger/types.ts'
import { endpoint, route } from '../../kernel/http/index.ts'
import type { Module } from '../../kernel/module.ts'
import type { Vault } from '../../kernel/vault/index.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'

const label = z.object({ en: z.string().trim().min(1).max(80), zh: z.string().trim().min(1).max(80) })
const classes = ['confidential', 'personal', 'sensitive'] as const

const declaration = z.strictObject({
  entity: z.string().max(40),
  key: z.string().regex(/^[a-z][a-zA-Z0-9_]{0,39}$/),
  label,
  type: z.enum(['text', 'number', 'date', 'flag']).default('text'),
  class: z.enum(classes).default('personal'),
  find: z.array(z.enum(['text', 'exact'])).max(2).default([]),
})
const view = declaration.extend({ id: z.uuid(), version: z.int(), retired: z.boolean() })

export type CustomFieldDeclaration = z.output<typeof declaration>
type Declared = CustomFieldDeclaration & { id: string; version: number; retired: boolean }

const contracts = {
  create: endpoint({ method: 'POST', path: '/custom-fields', permission: 'custom-fields:manage', summary: 'Declare a custom field.', body: declaration, response: view, status: 201, idempotent: true }),
  list: endpoint({ method: 'GET', path: '/custom-fields', permission: 'custom-fields:read', summary: 'The declared custom fields.', response: z.object({ items: z.array(view) }) }),
  patch: endpoint({
    method: 'PATCH',
    path: '/custom-fields/:id',
    permission: 'custom-fields:manage',
    summary: 'Rename a custom field, or protect it more; protecting it less is refused.',
    params: z.object({ id: z.uuid().toLowerCase() }),
    body: z.strictObject({ label: label.optional(), class: z.enum(classes).optional() }),
    response: view,
    ifMatch: true,
  }),
  remove: endpoint({ method: 'DELETE', path: '/custom-fields/:id', permission: 'custom-fields:manage', summary: 'Retire a custom field: it is hidden everywhere, its values stay sealed.', params: z.object({ id: z.uuid().toLowerCase() }), response: view, ifMatch: true }),
}

const labelOf = (id: string, version: number): string => `custom-field ${id} ${version}`

/** The declared custom fields, opened once and kept; an entity's list keeps its identity until a declaration changes. */
export class CustomFields {
  #all: readonly Declared[] = []
  #perEntity = new Map<string, readonly CustomFieldWords[]>()

  of(entity: string): readonly CustomFieldWords[] {
    return this.#perEntity.get(entity) ?? NONE
  }

  get all(): readonly Declared[] {
    return this.#all
  }

  /**
   * Reads every declaration. Throws Refusal custom-field-tampered when one was changed in the database, or put back as it was before it
   * was protected more: a start then stops, since a loosened class would show values.
   */
  async load(sql: Sql, vault: Vault, ledger: Pick<Ledger, 'happened'>): Promise<void> {
    const rows = await sql.query<{ id: string; version: number; words: Buffer }>('SELECT id, version, words FROM custom_field ORDER BY created_at, id')
    const past = await ledger.happened(rows.map((r) => r.id), CHANGES)
    for (const { id, version } of rows) if (past.filter((e) => e.objectId === id).length !== version) throw tampered(id)
    this.#all = rows.map((r) => ({ ...openWords(vault, r), id: r.id, version: r.version }))
    const grouped = Map.groupBy(this.#all.filter((d) => !d.retired), (d) => d.entity)
    this.#perEntity = new Map([...grouped].map(([entity, list]) => [entity, list.map(({ key, type, class: cls, find }) => ({ key, type, class: cls, find }))]))
  }
}

function openWords(vault: Vault, row: { id: string; version: number; words: Buffer }): Omit<Declared, 'id' | 'version'> {
  try {
    return JSON.parse(vault.openInstance(labelOf(row.id, row.version), row.words).toString()) as Omit<Declared, 'id' | 'version'> // our own bytes, authenticated
  } catch (error) {
    throw tampered(row.id, error)
  }
}

/** Each makes one version. */
const CHANGES = ['custom-field.created', 'custom-field.updated', 'custom-field.retired']

const tampered = (id: string, cause?: unknown): Refusal =>
  new Refusal('custom-field-tampered', `The custom field ${id} was changed in the database: put the table custom_field back from a backup; nothing was served.`, 4, cause)

const NONE: readonly CustomFieldWords[] = []

async function save(work: Work, declared: Declared, event: string): Promise<void> {
  const { id, version, ...words } = declared
  const sealed = work.vault.sealInstance(labelOf(id, version), Buffer.from(JSON.stringify(words)))
  if (version === 1) await work.sql.query('INSERT INTO custom_field (id, version, created_at, words) VALUES ($1, $2, $3, $4)', [id, version, work.at.toISOString(), sealed])
  else {
    const done = await work.sql.query('UPDATE custom_field SET version = $2, words = $3 WHERE id = $1 AND version = $4 RETURNING 1 AS done', [id, version, sealed, version - 1])
    if (done.length === 0) throw new Problem('version-stale')
  }
  work.record({ action: event, object: { kind: 'custom-field', id }, detail: { entity: words.entity, class: words.class, version } })
  work.answers(declared, version)
  await work.bumpAuthority()
}

function checkDeclaration(fields: CustomFields, body: CustomFieldDeclaration, entities: readonly string[]): void {
  const fault = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })
  if (!entities.includes(body.entity)) throw fault('entity', 'unknown-entity')
  // A record without a value of its own would answer with what every object has.
  if (body.key in Object.prototype) throw fault('key', 'reserved')
  if (fields.all.some((d) => d.entity === body.entity && d.key === body.key)) throw fault('key', 'taken')
  if (body.class === 'sensitive' && body.find.length > 0) throw fault('find', 'sensitive-not-found')
}

/** Declares fields in one transaction; also used by imports that bring columns of their own. */
export async function declareFields(desk: Desk, fields: CustomFields, bodies: readonly CustomFieldDeclaration[], entities: readonly string[]): Promise<Declared[]> {
  for (const body of bodies) checkDeclaration(fields, body, entities)
  const declared = bodies.map((body): Declared => ({ ...body, id: uuidv7(), version: 1, retired: false }))
  await desk.write(async (work) => {
    for (const d of declared) await save(work, d, 'custom-field.created')
  })
  await fields.load(desk.sql, desk.vault, desk.ledger)
  return declared
}

async function change(desk: Desk, fields: CustomFields, id: string, version: number, patch: Partial<Declared>): Promise<Declared> {
  const current = fields.all.find((d) => d.id === id && !d.retired)
  if (!current) throw new Problem('not-found')
  if (current.version !== version) throw new Problem('version-stale', { extra: { version: current.version } })
  // Loosening would open values that were given under a stricter promise; an administrator must not be able to. A new field is made instead.
  if (patch.class && classes.indexOf(patch.class) < classes.indexOf(current.class)) throw new Problem('permission-missing', { errors: [{ path: 'class', code: 'never-loosened' }] })
  const next = { ...current, ...patch, version: version + 1, ...(patch.class === 'sensitive' ? { find: [] } : {}) }
  await desk.write((work) => save(work, next, patch.retired ? 'custom-field.retired' : 'custom-field.updated'))
  await fields.load(desk.sql, desk.vault, desk.ledger)
  return next
}

export function customFieldsModule(fields: CustomFields, entities: () => readonly string[]): Module {
  return {
    name: 'custom-fields',
    permissions: { 'custom-fields:read': 'see which custom fields exist', 'custom-fields:manage': 'declare, rename, protect more and retire custom fields' },
    routes: [
      route(contracts.create, async (desk, { body }) => {
        const [made] = await declareFields(desk, fields, [body], entities())
        return { body: made, version: 1 }
      }),
      route(contracts.list, async (desk) => {
        desk.record({ action: 'custom-field.listed', object: { kind: 'custom-field', id: null }, purpose: 'list' })
        return { body: { items: fields.all.filter((d) => !d.retired) } }
      }),
      route(contracts.patch, async (desk, { params, body, version }) => {
        const next = await change(desk, fields, params.id, version, { ...(body.label ? { label: body.label } : {}), ...(body.class ? { class: body.class } : {}) })
        return { body: next, version: next.version }
      }),
      route(contracts.remove, async (desk, { params, version }) => {
        const next = await change(desk, fields, params.id, version, { retired: true })
        return { body: next, version: next.version }
      }),
    ],
  }
}
