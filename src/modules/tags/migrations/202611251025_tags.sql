CREATE TABLE tags (
  id            uuid PRIMARY KEY,
  version       integer NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  owner_id      uuid NOT NULL REFERENCES person (id),
  department_id uuid NOT NULL REFERENCES department (id),
  colour        text NOT NULL CHECK (colour IN ('grey', 'red', 'orange', 'gold', 'green', 'cyan', 'blue', 'purple', 'magenta')),
  main          bytea NOT NULL,
  sensitive     bytea,
  custom        bytea
);
GRANT SELECT, INSERT, UPDATE ON tags TO {{app}};
