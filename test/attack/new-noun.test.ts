import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { loadConfig } from '../../src/kernel/config/index.ts'
import { openVault } from '../../src/kernel/vault/index.ts'
import type { Json, TestServer } from '../harness/server.ts'
import { CUSTOMERS, POLICIES, type Policy } from './matrix/model.ts'
import { Matrix } from './matrix/run.ts'
import { makeWorld, type Description, type World } from './matrix/world.ts'
import { catalogueText, Scanner, settle, superuser } from './scan.ts'

// A copy of this tree gets a field and a noun as docs/architecture.md says (declaration, migration, the lines in the lists), and a role that hides and masks
// whole classes. Nothing else is written, and all of it is sealed, found, taken out and under the matrix.

vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 })

const root = join(import.meta.dirname, '..', '..')
const copy = mkdtempSync(join(realpathSync(tmpdir()), 'sealbook-noun-'))

const VEHICLE = `import { defineEntity, lastDigits, many, oneOf, ref, text } from '../../kernel/entity/index.ts'

export const Vehicle = defineEntity('vehicle', {
  plural: 'vehicles',
  table: 'vehicles',
  about: 'container',
  keep: { years: 3, since: 'updatedAt' },
  fields: {
    plate: text(40, { class: 'confidential', edit: true, find: ['text', 'pinyin', 'sort'] }),
    driver: text(100, { class: 'personal', edit: true, find: ['text'], optional: true }),
    chassis: text(40, { class: 'sensitive', edit: true, find: ['exact'], mask: lastDigits(4), optional: true }),
    kind: oneOf(['car', 'van'], { class: 'internal', edit: true, initial: 'car' }),
    remarks: many(text(100, { class: 'confidential', edit: true, find: ['text'] }), 10),
    contactId: ref('contact', { class: 'internal', edit: true, optional: true, show: 'fullName' }),
  },
})
`
const INDEX = `import type { Module } from '../../kernel/module.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Vehicle } from './vehicles.entity.ts'

export const vehicleSlice = (): Slice => sliceOf({ entity: Vehicle })
export const vehiclesModule = (deps: RecordsDeps, slice: Slice): Module => ({ name: 'vehicles', entities: [Vehicle], routes: recordRoutes(deps, slice) })
`
const TABLE = `CREATE TABLE vehicles (
  id uuid PRIMARY KEY, version integer NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, deleted_at timestamptz,
  owner_id uuid NOT NULL, department_id uuid NOT NULL, kind text, contact_id uuid, main bytea, sensitive bytea, custom bytea
);
CREATE INDEX vehicles_contact_id ON vehicles (contact_id);
GRANT SELECT, INSERT, UPDATE ON vehicles TO {{app}};
`

/** Writes after a piece of a file of the copy, which must be there. */
function after(file: string, piece: string, more: string): void {
  const path = join(copy, file)
  const text = readFileSync(path, 'utf8')
  if (!text.includes(piece)) throw new Error(`${file} has no ${piece}`)
  writeFileSync(path, text.replace(piece, `${piece}${more}`))
}

function write(file: string, text: string): void {
  mkdirSync(join(copy, file, '..'), { recursive: true })
  writeFileSync(join(copy, file), text)
}

function grow(): void {
  for (const part of ['src', 'package.json', join('test', 'harness')]) cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(realpathSync(join(root, 'node_modules')), join(copy, 'node_modules'))
  // A field: one line; being plain, the second one has a column.
  after('src/modules/contacts/contacts.entity.ts', '  fields: {\n', "    bloodGroup: text(40, { class: 'personal', edit: true, find: ['text'], optional: true }),\n    habitat: oneOf(['town', 'country'], { class: 'internal', edit: true, initial: 'town' }),\n")
  write('src/modules/contacts/migrations/202612310000_contacts_habitat.sql', 'ALTER TABLE contacts ADD COLUMN habitat text;\n')
  // A noun: declaration, table, the usual routes.
  write('src/modules/vehicles/vehicles.entity.ts', VEHICLE)
  write('src/modules/vehicles/index.ts', INDEX)
  write('src/modules/vehicles/migrations/202612310001_vehicles.sql', TABLE)
  // The lists it stands in.
  after('src/entities.ts', "import type { Entity } from './kernel/entity/index.ts'\n", "import { Vehicle } from './modules/vehicles/vehicles.entity.ts'\n")
  after('src/entities.ts', 'export const ENTITIES: readonly Entity[] = [', 'Vehicle, ')
  after('src/product.ts', "import { trail } from './modules/trail/index.ts'\n", "import { vehicleSlice, vehiclesModule } from './modules/vehicles/index.ts'\n")
  after('src/product.ts', '  return { company: companySlice(country),', ' vehicle: vehicleSlice(),')
  after('src/product.ts', '    companiesModule(p.records, p.slices.company),\n', '    vehiclesModule(p.records, p.slices.vehicle),\n')
  // Who may: those who work with customers, and a clerk to whom classes are hidden and masked.
  after('src/modules/access/roles.ts', 'const CUSTOMERS = [', "'vehicle', ")
  after('src/modules/access/roles.ts', 'export const BUILT_IN_ROLES: readonly Role[] = [\n', CLERK)
}

const CLERK = `  {
    name: 'clerk',
    title: { en: 'Clerk', zh: '文员' },
    entities: nouns({ rows: { read: 'department-and-below', export: 'own' }, classes: { public: 'read', internal: 'read', personal: 'masked' } }, CUSTOMERS),
    permissions: [...EVERYONE],
  },
`
const clerk: Policy = {
  read: Object.fromEntries([...CUSTOMERS, 'vehicle'].map((n) => [n, 'team'])),
  export: Object.fromEntries([...CUSTOMERS, 'vehicle'].map((n) => [n, 'own'])),
  classes: { public: 'shown', internal: 'shown', confidential: 'hidden', personal: 'masked', sensitive: 'hidden' },
  reveals: [],
  claims: [],
}
const withVehicle = (p: Policy): Policy => ({ ...p, read: { ...p.read, ...(p.read['contact'] ? { vehicle: p.read['contact'] } : {}) }, export: { ...p.export, ...(p.export['contact'] ? { vehicle: p.export['contact'] } : {}) } })
const policies = { ...Object.fromEntries(Object.entries(POLICIES).map(([name, p]) => [name, withVehicle(p)])), clerk }

const NOUNS = ['vehicle', 'contact', 'company', 'activity']

let server: TestServer
let world: World
let matrix: Matrix
beforeAll(async () => {
  grow()
  const { startServer } = (await import(join(copy, 'test', 'harness', 'server.ts'))) as typeof import('../harness/server.ts')
  const { describeApp } = (await import(join(copy, 'src', 'app.ts'))) as typeof import('../../src/app.ts')
  const whole = describeApp() as unknown as Description
  const entities = whole.entities.filter((e) => NOUNS.includes(e.name))
  const description = { ...whole, entities, routes: whole.routes.filter(({ contract }) => entities.some((e) => contract.path.startsWith(`/${e.plural}`))) }
  server = await startServer({ env: { SEALBOOK_REQUESTS_PER_MINUTE: '1000000' } })
  world = await makeWorld(server, description, policies)
  matrix = new Matrix(world)
})
afterAll(async () => {
  const { calls, cells } = matrix?.outcome ?? { calls: 0, cells: 0 }
  console.log(`matrix with a new field, noun and role: ${world?.principals.length} principals, ${world?.records.length} records; ${calls} calls, ${cells} cells`)
  await server?.close()
  rmSync(copy, { recursive: true, force: true })
})

function expectNothing(): void {
  const clean = (list: string[]): string[] => [...new Set(list.splice(0).map((l) => l.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')))].slice(0, 40)
  expect({ leaks: clean(matrix.outcome.leaks), wrong: clean(matrix.outcome.wrong) }).toEqual({ leaks: [], wrong: [] })
}
const rep = () => world.principals.find((p) => p.name === 'rep')!
const own = (noun: string) => world.records.find((r) => r.noun === noun && r.ownerId === rep().id)!

describe('a field and a noun that were only declared', () => {
  test('are in the matrix by themselves, with a canary in each of their fields', () => {
    const fields = new Set([...world.canaries.planted.values()].map((at) => `${at.noun}.${at.field}`))
    for (const field of ['contact.bloodGroup', 'vehicle.plate', 'vehicle.driver', 'vehicle.chassis', 'vehicle.remarks', 'vehicle.custom.oddity', 'vehicle.custom.illness']) expect(fields).toContain(field)
    expect(world.principals.map((p) => p.name)).toContain('clerk')
  })

  test('are shown, masked and hidden, found and counted as the model says, also to a role that hides and masks whole classes', async () => {
    await matrix.fields()
    await matrix.searches()
    expectNothing()
    expect(matrix.outcome.cells).toBeGreaterThan(1_500)
  })

  test('are found by a part of a name and by a full sensitive value, inside one’s own rows', async () => {
    const { kept, values, id } = own('vehicle')
    const search = (body: object): Promise<Json> => server.call('POST', '/vehicles/search', body, rep().call).then((a) => a.body.items.map((i: Json) => i.id))
    expect(await search({ text: String(kept.plate).slice(2, 9) })).toEqual([id])
    expect(await search({ where: { field: 'chassis', op: 'eq', value: values['chassis'] } })).toEqual([id])
    const foreign = world.records.find((r) => r.noun === 'vehicle' && r.departmentId === world.far)!
    expect(await search({ where: { field: 'chassis', op: 'eq', value: foreign.values['chassis'] } })).toEqual([])
  })

  test('are on every route that takes an id, in the export and in the change feed', async () => {
    await matrix.routes(false)
    await matrix.exports()
    await matrix.changes()
    await matrix.routes(true)
    expectNothing()
  })

  test('lie sealed on the disk: no canary in a file, a table or a catalogue, and one planted in a plain column is found', async () => {
    const db = superuser(server)
    try {
      const words = [...world.canaries.planted].filter(([word, at]) => word.startsWith('cnry') && (at.noun === 'vehicle' || at.field === 'bloodGroup'))
      expect(words.length).toBeGreaterThan(20)
      await db.query('CREATE TABLE decoy (plain text)')
      await db.query("INSERT INTO decoy VALUES ('cnrydecoydecoy')")
      await settle(db)
      const scanner = new Scanner([...words.map(([value, at]) => ({ name: `${at.noun}.${at.field}`, value })), { name: 'decoy', value: 'cnrydecoydecoy' }])
      const hits = [...scanner.folder(server.place.home).hits, ...scanner.bytes('catalogue', await catalogueText(db))]
      expect([...new Set(hits.map((h) => h.canary))]).toEqual(['decoy'])
    } finally {
      await db.close()
    }
  })

  test('are erased with the key of the row: nothing of it opens any more by any path, and its neighbours stay', async () => {
    const { id, kept, values } = own('vehicle')
    const neighbour = world.records.find((r) => r.noun === 'vehicle' && r.id !== id)!
    expect(await server.end('SIGTERM')).toBe(0)
    const vault = await openVault(loadConfig(server.place.env))
    await vault.destroyOwnerKey(id)
    await vault.close()
    await server.start()
    await expect.poll(async () => (await server.call('GET', '/api/health')).body.status, { timeout: 30_000 }).toBe('ready')
    const answers = [
      await server.call('GET', `/vehicles/${id}`),
      await server.call('GET', `/vehicles/${id}/timeline`),
      await server.call('POST', '/vehicles/search', { text: String(kept.plate).slice(2, 9) }),
      await server.call('POST', '/vehicles/search', { where: { field: 'chassis', op: 'eq', value: values['chassis'] } }),
      await server.call('POST', '/vehicles/search', { limit: 200 }),
    ]
    expect(answers[0]).toMatchObject({ status: 503, body: { code: 'key-unavailable' } })
    for (const answer of answers) for (const value of Object.values(values)) if (typeof value === 'string' && value.startsWith('cnry')) expect(answer.text).not.toContain(value)
    expect(answers[2]!.body.items).toEqual([])
    expect(answers[3]!.body.items).toEqual([])
    expect(answers[4]!.body.items.map((r: Json) => r.id)).not.toContain(id)
    expect((await server.call('GET', `/vehicles/${neighbour.id}`)).status).toBe(200)
    // The ledger has lost its detail and none of its proof.
    expect((await server.call('POST', '/ledger/verify', {})).body).toMatchObject({ ok: true, failures: [] })
  })
})
