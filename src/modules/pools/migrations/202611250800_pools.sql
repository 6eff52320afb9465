-- A pool is words of the organisation's own: its name, its limits and the departments it is open to are sealed.
CREATE TABLE pools (
  id            uuid PRIMARY KEY,
  version       integer NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  owner_id      uuid NOT NULL REFERENCES person (id),
  department_id uuid NOT NULL REFERENCES department (id),
  kind          text NOT NULL CHECK (kind IN ('lead', 'company')),
  main          bytea NOT NULL,
  sensitive     bytea,
  custom        bytea
);
CREATE INDEX pools_owner_id ON pools (owner_id);
CREATE INDEX pools_department_id ON pools (department_id);
GRANT SELECT, INSERT, UPDATE ON pools TO {{app}};
