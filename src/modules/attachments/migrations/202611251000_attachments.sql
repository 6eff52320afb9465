-- Files on records. The content lies sealed in HOME/blobs; here are its name, its type and what it hangs on.
CREATE TABLE attachments (
  id            uuid PRIMARY KEY,
  version       integer NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  owner_id      uuid NOT NULL REFERENCES person (id),
  department_id uuid NOT NULL REFERENCES department (id),
  record_kind   text NOT NULL CHECK (record_kind IN ('contact', 'company', 'lead', 'deal', 'contract')),
  record_id     uuid NOT NULL,
  scan          text NOT NULL CHECK (scan IN ('none', 'clean')),
  main          bytea NOT NULL,
  sensitive     bytea,
  custom        bytea
);
CREATE INDEX attachments_record_id ON attachments (record_id, id);
CREATE INDEX attachments_owner_id ON attachments (owner_id);
CREATE INDEX attachments_department_id ON attachments (department_id);
CREATE INDEX attachments_deleted_at ON attachments (deleted_at) WHERE deleted_at IS NOT NULL;
GRANT SELECT, INSERT, UPDATE ON attachments TO {{app}};

-- Which file of HOME/blobs is which part of which attachment. A file is sealed for its attachment and part, so a row that was changed here opens nothing.
CREATE TABLE attachment_file (
  id            uuid PRIMARY KEY,
  attachment_id uuid NOT NULL REFERENCES attachments (id),
  part          text NOT NULL CHECK (part IN ('content', 'preview')),
  created_at    timestamptz NOT NULL,
  UNIQUE (attachment_id, part)
);
GRANT SELECT, INSERT, DELETE ON attachment_file TO {{app}};
