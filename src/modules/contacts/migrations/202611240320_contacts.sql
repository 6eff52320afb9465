-- Many rows share an owner, a department or a company, so these indexes are kept small by B-tree deduplication.
CREATE TABLE contacts (
  id            uuid PRIMARY KEY,
  version       integer NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  owner_id      uuid NOT NULL REFERENCES person (id),
  department_id uuid NOT NULL REFERENCES department (id),
  company_id    uuid REFERENCES companies (id),
  stage         text NOT NULL CHECK (stage IN ('active', 'dormant', 'former')),
  collected_at  timestamptz,
  main          bytea NOT NULL,
  sensitive     bytea,
  custom        bytea
);
CREATE INDEX contacts_owner_id ON contacts (owner_id);
CREATE INDEX contacts_department_id ON contacts (department_id);
CREATE INDEX contacts_company_id ON contacts (company_id);
GRANT SELECT, INSERT, UPDATE ON contacts TO {{app}};
