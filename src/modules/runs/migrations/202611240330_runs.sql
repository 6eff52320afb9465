-- Imports and exports as they go on in the background.
CREATE TABLE run (
  id         uuid PRIMARY KEY,
  kind       text NOT NULL CHECK (kind IN ('import', 'export')),
  person_id  uuid NOT NULL REFERENCES person (id),
  version    integer NOT NULL,
  state      text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
  created_at timestamptz NOT NULL,
  -- what was asked and what came of it, under the asking person's key; the seal binds kind, person, state and version
  words      bytea NOT NULL
);
CREATE INDEX run_person_id ON run (person_id);
CREATE INDEX run_created_at ON run (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON run TO {{app}};
