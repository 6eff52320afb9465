import type { Entity, Field, PlainColumn } from '../../kernel/entity/index.ts'
import { OTHER_COLUMNS } from './other-columns.ts'
import { markdown, printed } from './tables.ts'

const LEARNS: Readonly<Record<PlainColumn['kind'], string>> = {
  uuid: 'which rows belong together; a random number, no value',
  time: 'when something happened, to the millisecond',
  enumeration: 'one of the words of the list',
  flag: 'yes or no',
}

function atRest(field: Field): string {
  if (field.class === 'public' || field.class === 'internal') return 'plain'
  return field.class === 'sensitive' ? 'sealed, compartment of its own' : 'sealed'
}

const foundBy = (field: Field): string => field.find.map((f) => (f === 'exact' ? 'exact (keyed digest at rest)' : `${f} (memory only)`)).join(', ')

/** What a mask leaves of an example, which says more than its name. */
function maskOf(field: Field): string {
  const example = field.kind === 'phone' ? '+8613800005678' : '110101199003070000'
  return field.mask ? `\`${field.mask(example)}\`` : ''
}

function entityPart(entity: Entity): string[] {
  const { years, since } = entity.keep
  const sealedTo = entity.about === 'person' ? 'the key of the person: destroying it erases the row everywhere' : entity.about === 'record' ? 'the key of the record it hangs on: it is erased with that' : 'a key of the row'
  const rows = Object.entries(entity.fields).map(([name, f]) => [`\`${name}\``, f.many ? `many ${f.kind}` : f.kind, f.class, atRest(f), foundBy(f), maskOf(f), f.edit ? 'yes' : ''])
  return [
    `## ${entity.plural}`,
    '',
    `Table \`${entity.table}\`. Sealed under ${sealedTo}. Kept ${years} years since \`${since}\`.`,
    '',
    ...markdown(['field', 'kind', 'class', 'at rest', 'found by', 'mask', 'editable'], rows),
    '',
    'Declared custom fields live sealed in a compartment of their own.',
    '',
  ]
}

function thiefPart(entities: readonly Entity[]): string[] {
  const rows = entities.flatMap((entity) => [
    [`\`${entity.table}.id\``, 'uuid', 'when the row was made, to the millisecond (UUID version 7); how many rows there are'],
    [`\`${entity.table}.version\``, 'number', 'how often the row was changed'],
    ...entity.plain.map((c) => [`\`${entity.table}.${c.column}\``, c.kind, learnt(entity, c)]),
    [`\`${entity.table}\` sealed columns`, 'bytes', 'the size of the row\'s text to its bucket (32 bytes and up); whether it has sensitive or custom values'],
  ])
  return [
    '## Every plain column, and what a thief of the database learns from it',
    '',
    ...markdown(['column', 'kind', 'a thief learns'], rows),
    '',
    'Beside the nouns (a digest, a MAC or a sealed column is said too, for the sake of the whole list):',
    '',
    ...markdown(['column', 'a thief learns'], Object.entries(OTHER_COLUMNS).flatMap(([table, columns]) => Object.entries(columns).map(([column, learns]) => [`\`${table}.${column}\``, learns]))),
    '',
    'The job queue (`pgboss.job`) holds the id and kind of runs and their times. Outside the database: the key store holds how many owners there are, and keys that open nothing without the root key; file sizes and times of the home.',
    '',
  ]
}

function learnt(entity: Entity, column: PlainColumn): string {
  const field = entity.fields[column.field]
  if (field?.values) return `one of: ${field.values.join(', ')}`
  if (field?.ref) return `which ${field.ref.entity} it belongs to, as a random number`
  return LEARNS[column.kind]
}

/** Every column the data map says something about, as table.column; the sealed compartments of entities included. */
export function mappedColumns(entities: readonly Entity[]): string[] {
  const own = entities.flatMap((e) => ['id', 'version', ...e.plain.map((c) => c.column), 'main', 'sensitive', 'custom'].map((c) => `${e.table}.${c}`))
  return [...own, ...Object.entries(OTHER_COLUMNS).flatMap(([table, columns]) => Object.keys(columns).map((c) => `${table}.${c}`))]
}

/** The data map: per entity and field class, protection, search, mask and retention, and all that stays readable. */
export function dataMap(entities: readonly Entity[]): string {
  return printed('Data map', 'the entities', [...entities.flatMap(entityPart), ...thiefPart(entities)])
}
