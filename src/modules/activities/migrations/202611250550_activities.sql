-- Sealed with the key of the record it hangs on, which is of one of several tables; the service checks that it is there.
CREATE TABLE activities (
  id            uuid PRIMARY KEY,
  version       integer NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  owner_id      uuid NOT NULL REFERENCES person (id),
  department_id uuid NOT NULL REFERENCES department (id),
  record_kind   text NOT NULL CHECK (record_kind IN ('contact', 'company', 'lead', 'deal', 'contract')),
  record_id     uuid NOT NULL,
  kind          text NOT NULL CHECK (kind IN ('note', 'call', 'meeting', 'mail', 'task')),
  at            timestamptz,
  ends_at       timestamptz,
  due_at        timestamptz,
  done_at       timestamptz,
  remind_at     timestamptz,
  assignee_id   uuid REFERENCES person (id),
  main          bytea NOT NULL,
  sensitive     bytea,
  custom        bytea
);
CREATE INDEX activities_record_id ON activities (record_id, id);
CREATE INDEX activities_owner_id ON activities (owner_id);
CREATE INDEX activities_department_id ON activities (department_id);
CREATE INDEX activities_assignee_id ON activities (assignee_id) WHERE assignee_id IS NOT NULL AND done_at IS NULL;
CREATE INDEX activities_remind_at ON activities (remind_at) WHERE remind_at IS NOT NULL AND done_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON activities TO {{app}};
