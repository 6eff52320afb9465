CREATE TABLE pipelines (
  id            uuid PRIMARY KEY,
  version       integer NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  owner_id      uuid NOT NULL REFERENCES person (id),
  department_id uuid NOT NULL REFERENCES department (id),
  standard      boolean NOT NULL,
  main          bytea NOT NULL,
  sensitive     bytea,
  custom        bytea
);
GRANT SELECT, INSERT, UPDATE ON pipelines TO {{app}};
