-- Digests of every exact field of every noun (e-mail, phone, id numbers). The digest's key is derived per field, so the
-- same value in two fields gives two digests, and no column needs to say which field it is.
CREATE TABLE blind (
  digest uuid NOT NULL,
  row_id uuid NOT NULL
);
CREATE INDEX blind_digest ON blind (digest);

-- One step of an undoable change: how one record was before, sealed under that record's own key.
CREATE TABLE undo_step (
  token_mac  bytea NOT NULL,
  person_id  uuid NOT NULL,
  entity     text NOT NULL,
  row_id     uuid NOT NULL,
  version    integer NOT NULL,      -- the version the change produced; a later edit is not undone
  before     bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (token_mac, row_id)
);
CREATE INDEX undo_step_created_at ON undo_step (created_at);

GRANT SELECT, INSERT, DELETE ON blind, undo_step TO {{app}};
