import type { Sql } from '../../src/kernel/db/index.ts'

/**
 * The plain product's tables: what a contact of ours holds, in plain columns. One e-mail and one phone stand in columns of
 * their own (that is what is looked up); further ones would go into `more`, as plain products do.
 */
const TABLES = `
CREATE TABLE companies (
  id         uuid PRIMARY KEY,
  name       text NOT NULL,
  owner_id   uuid NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE TABLE contacts (
  id           uuid PRIMARY KEY,
  version      integer NOT NULL,
  created_at   timestamptz NOT NULL,
  updated_at   timestamptz NOT NULL,
  deleted_at   timestamptz,
  owner_id     uuid NOT NULL,
  company_id   uuid REFERENCES companies (id),
  collected_at timestamptz,
  stage        text NOT NULL,
  full_name    text,
  email        text,
  email_label  text,
  phone        text,
  phone_typed  text,
  phone_label  text,
  more         jsonb,
  title        text,
  city         text,
  note         text,
  source       text,
  tags         text[] NOT NULL
);
CREATE TABLE audit (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at        timestamptz NOT NULL,
  actor     uuid NOT NULL,
  object_id uuid,
  action    text NOT NULL,
  ids       bytea
);
`

const INDEXES = [
  'CREATE INDEX contacts_owner_id ON contacts (owner_id)',
  'CREATE INDEX contacts_company_id ON contacts (company_id)',
  'CREATE INDEX contacts_email ON contacts (email)',
  'CREATE INDEX contacts_phone ON contacts (phone)',
]

export async function createTables(admin: Sql, appRole: string): Promise<void> {
  await admin.query(TABLES)
  for (const statement of INDEXES) await admin.query(statement)
  await admin.query(`GRANT SELECT, INSERT, UPDATE ON companies, contacts, audit TO ${appRole}`)
}

/** Part of the name by trigrams, where PostgreSQL ships pg_trgm; made after the rows are in, which spares the import. Resolves with whether it does. */
export async function createTrigrams(superuser: Sql): Promise<boolean> {
  const [shipped] = await superuser.query("SELECT FROM pg_available_extensions WHERE name = 'pg_trgm'")
  if (!shipped) return false
  await superuser.query('CREATE EXTENSION pg_trgm')
  await superuser.query('CREATE INDEX contacts_full_name ON contacts USING gin (full_name gin_trgm_ops)')
  return true
}

export const COLUMNS = ['id', 'version', 'created_at', 'updated_at', 'owner_id', 'company_id', 'collected_at', 'stage', 'full_name', 'email', 'email_label', 'phone', 'phone_typed', 'phone_label', 'more', 'title', 'city', 'note', 'source', 'tags'] as const
