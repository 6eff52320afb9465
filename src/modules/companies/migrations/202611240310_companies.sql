CREATE TABLE companies (
  id            uuid PRIMARY KEY,
  version       integer NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  owner_id      uuid NOT NULL REFERENCES person (id),
  department_id uuid NOT NULL REFERENCES department (id),
  main          bytea NOT NULL,
  sensitive     bytea,
  custom        bytea
);
CREATE INDEX companies_owner_id ON companies (owner_id);
CREATE INDEX companies_department_id ON companies (department_id);
GRANT SELECT, INSERT, UPDATE ON companies TO {{app}};
