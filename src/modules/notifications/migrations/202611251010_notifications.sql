-- Who is told of what. What it is about is sealed under the person's key; `key` is keyed, and lets each thing be told once.
CREATE TABLE notification (
  id         uuid PRIMARY KEY,
  person_id  uuid NOT NULL REFERENCES person (id),
  key        bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL,
  read_at    timestamptz,
  mail       text NOT NULL CHECK (mail IN ('waits', 'sent', 'none')),
  words      bytea NOT NULL
);
CREATE INDEX notification_person_id ON notification (person_id, id);
CREATE INDEX notification_mail ON notification (person_id) WHERE mail = 'waits';
CREATE INDEX notification_created_at ON notification (created_at);

CREATE TABLE notification_setting (
  person_id uuid PRIMARY KEY REFERENCES person (id),
  mail      boolean NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON notification TO {{app}};
GRANT SELECT, INSERT, UPDATE ON notification_setting TO {{app}};
