-- Where changes are told to other programs. A row decides what leaves and whereto, so it carries `mac`; name, address, secret, events and
-- fields are sealed under the key of the person it belongs to.
CREATE TABLE webhook (
  id           uuid PRIMARY KEY,
  version      integer NOT NULL,
  person_id    uuid NOT NULL REFERENCES person,
  principal_id uuid NOT NULL REFERENCES api_token,   -- by whose rights it sends: a token whose text nobody has
  state        text NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
  reason       text CHECK (reason IN ('failing', 'gone', 'ended')),
  sealed       bytea NOT NULL,
  created_at   timestamptz NOT NULL,
  updated_at   timestamptz NOT NULL,
  mac          bytea NOT NULL
);
CREATE INDEX webhook_person_id ON webhook (person_id);
CREATE INDEX webhook_principal_id ON webhook (principal_id);

-- How far each has followed the ledger. It moves often, and apart from the version people change. `mac` is over the leaf: moved on, events would be passed over.
CREATE TABLE webhook_progress (
  webhook_id    uuid PRIMARY KEY REFERENCES webhook ON DELETE CASCADE,
  next_leaf     bigint NOT NULL,
  failures      integer NOT NULL DEFAULT 0,
  failing_since timestamptz,
  next_at       timestamptz NOT NULL DEFAULT now(),
  claimed_until timestamptz,                         -- one node works on it at a time
  mac           bytea NOT NULL
);

-- What is to be sent, and what came of it. Of the record there is nothing here: it is read again, by the rights of then, for every attempt.
CREATE TABLE webhook_delivery (
  id         uuid PRIMARY KEY,
  webhook_id uuid NOT NULL REFERENCES webhook ON DELETE CASCADE,
  leaf       bigint NOT NULL,
  state      text NOT NULL CHECK (state IN ('waiting', 'delivered', 'withheld', 'failed')),
  attempts   integer NOT NULL DEFAULT 0,
  status     integer,                                -- of the last answer
  created_at timestamptz NOT NULL,
  next_at    timestamptz NOT NULL,
  UNIQUE (webhook_id, leaf)
);
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (webhook_id, leaf) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_ended ON webhook_delivery (created_at) WHERE state <> 'waiting';

GRANT SELECT, INSERT, UPDATE, DELETE ON webhook, webhook_progress, webhook_delivery TO {{app}};
