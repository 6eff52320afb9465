-- What an organisation gives points for; what a rule compares with is sealed.
CREATE TABLE score_rules (
  id            uuid PRIMARY KEY,
  version       integer NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  owner_id      uuid NOT NULL REFERENCES person (id),
  department_id uuid NOT NULL REFERENCES department (id),
  paused        boolean,
  main          bytea NOT NULL,
  sensitive     bytea,
  custom        bytea
);
CREATE INDEX score_rules_owner_id ON score_rules (owner_id);
CREATE INDEX score_rules_department_id ON score_rules (department_id);
GRANT SELECT, INSERT, UPDATE ON score_rules TO {{app}};
