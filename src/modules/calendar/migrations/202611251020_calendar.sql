-- Addresses at which a calendar program reads one person's meetings and tasks. The secret in the address is kept as a keyed digest; whoever
-- comes with it acts as `principal_id`, a token whose text nobody has.
CREATE TABLE calendar_feed (
  id           uuid PRIMARY KEY,
  person_id    uuid NOT NULL REFERENCES person (id),
  principal_id uuid NOT NULL UNIQUE REFERENCES api_token (id),
  digest       bytea NOT NULL UNIQUE,
  detail       text NOT NULL CHECK (detail IN ('titles', 'times')),
  created_at   timestamptz NOT NULL,
  sealed       bytea NOT NULL,
  mac          bytea NOT NULL
);
CREATE INDEX calendar_feed_person_id ON calendar_feed (person_id);
GRANT SELECT, INSERT, DELETE ON calendar_feed TO {{app}};
