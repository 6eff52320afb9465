-- Who works here and what they may. Every row that decides a right carries `mac`: an HMAC over its columns and version under a key the
-- database does not have, checked on every use, so that somebody who can write the database cannot become somebody else.

-- One counter that every change of people, roles, departments, sessions or tokens moves; grants are compiled for one value of it.
CREATE TABLE authority_epoch (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch    bigint NOT NULL
);
INSERT INTO authority_epoch (epoch) VALUES (1);

CREATE TABLE organisation (
  id         uuid PRIMARY KEY,
  only_row   boolean NOT NULL UNIQUE DEFAULT true CHECK (only_row),   -- one instance, one organisation; also what makes set-up run once
  version    integer NOT NULL,
  country    text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
  locale     text NOT NULL CHECK (locale IN ('zh-CN', 'en')),
  sealed     bytea NOT NULL,                                          -- name
  created_at timestamptz NOT NULL,
  mac        bytea NOT NULL
);

CREATE TABLE department (
  id              uuid PRIMARY KEY,
  organisation_id uuid NOT NULL REFERENCES organisation,
  parent_id       uuid REFERENCES department,
  version         integer NOT NULL,
  sealed          bytea NOT NULL,                                     -- name, under the organisation's key
  created_at      timestamptz NOT NULL,
  mac             bytea NOT NULL
);
CREATE INDEX department_parent_id ON department (parent_id);
CREATE INDEX department_organisation_id ON department (organisation_id);
CREATE UNIQUE INDEX department_one_root ON department ((parent_id IS NULL)) WHERE parent_id IS NULL;

CREATE TABLE person (
  id                  uuid PRIMARY KEY,
  version             integer NOT NULL,
  department_id       uuid NOT NULL REFERENCES department,
  disabled_at         timestamptz,
  locale              text NOT NULL CHECK (locale IN ('zh-CN', 'en')),
  session_epoch       integer NOT NULL,      -- a session made at another value is dead: all of a person's end in one UPDATE
  token_epoch         integer NOT NULL,      -- the same for tokens: moved by a reset or when the person is disabled, not by a change of password
  administrator_until timestamptz,           -- when the administrator role was last taken away; null: never held, or held now
  factor_digest       bytea NOT NULL,        -- over the set of the person's factors, so that a deleted or added one shows
  email_blind         bytea NOT NULL UNIQUE, -- how sign-in finds the person; the e-mail itself is sealed
  sealed              bytea NOT NULL,        -- name and e-mail, under the person's own key
  created_at          timestamptz NOT NULL,
  updated_at          timestamptz NOT NULL,
  mac                 bytea NOT NULL         -- also over the set of the person's roles
);
CREATE INDEX person_department_id ON person (department_id);

CREATE TABLE person_role (
  person_id  uuid NOT NULL REFERENCES person,
  role       text NOT NULL CHECK (role ~ '^[a-z][a-z0-9-]{0,39}$'),
  granted_by uuid NOT NULL REFERENCES person,
  granted_at timestamptz NOT NULL,
  mac        bytea NOT NULL,
  PRIMARY KEY (person_id, role)
);
CREATE INDEX person_role_granted_by ON person_role (granted_by);

CREATE TABLE factor (
  id         uuid PRIMARY KEY,
  person_id  uuid NOT NULL REFERENCES person,
  kind       text NOT NULL CHECK (kind IN ('password', 'totp', 'recovery', 'reset')),
  state      text NOT NULL CHECK (state IN ('pending', 'active', 'retired')),
  version    integer NOT NULL,
  data       bytea NOT NULL,                 -- password hash and TOTP secret: sealed; recovery and reset codes: HMAC
  last_step  bigint,                         -- TOTP: the last time step used (RFC 6238 §5.2: a code is good once)
  set_by     uuid NOT NULL REFERENCES person, -- a password set by somebody else must be changed before anything else
  created_at timestamptz NOT NULL,
  mac        bytea NOT NULL
);
CREATE INDEX factor_person_id ON factor (person_id);
CREATE INDEX factor_set_by ON factor (set_by);

CREATE TABLE session (
  id            uuid PRIMARY KEY,
  person_id     uuid NOT NULL REFERENCES person,
  version       integer NOT NULL,
  digest        bytea NOT NULL UNIQUE,       -- HMAC of the 256-bit secret in the cookie
  session_epoch integer NOT NULL,
  created_at    timestamptz NOT NULL,
  seen_at       timestamptz NOT NULL,
  factor_at     timestamptz NOT NULL,
  expires_at    timestamptz NOT NULL,
  mac           bytea NOT NULL
);
CREATE INDEX session_person_id ON session (person_id);
CREATE INDEX session_expires_at ON session (expires_at);

CREATE TABLE api_token (
  id            uuid PRIMARY KEY,
  person_id     uuid NOT NULL REFERENCES person,
  version       integer NOT NULL,
  digest        bytea NOT NULL UNIQUE,       -- HMAC of the token
  token_epoch   integer NOT NULL,
  scopes        text[] NOT NULL,
  created_by    uuid NOT NULL REFERENCES person,
  via_token     uuid REFERENCES api_token,   -- made with this token, and revoked with it
  sealed        bytea NOT NULL,              -- name, under the person's key
  created_at    timestamptz NOT NULL,
  expires_at    timestamptz NOT NULL,
  revoked_at    timestamptz,
  mac           bytea NOT NULL
);
CREATE INDEX api_token_person_id ON api_token (person_id);
CREATE INDEX api_token_created_by ON api_token (created_by);
CREATE INDEX api_token_via_token ON api_token (via_token);

-- A change that needs a second person: asked for by one, decided by another.
CREATE TABLE approval (
  id           uuid PRIMARY KEY,
  kind         text NOT NULL CHECK (kind IN ('person', 'department')),
  subject_id   uuid NOT NULL,
  change       text NOT NULL,                -- JSON of role names, ids and states only
  state        text NOT NULL CHECK (state IN ('pending', 'approved', 'refused')),
  version      integer NOT NULL,
  requested_by uuid NOT NULL REFERENCES person,
  requested_at timestamptz NOT NULL,
  decided_by   uuid REFERENCES person,
  decided_at   timestamptz,
  mac          bytea NOT NULL
);
CREATE INDEX approval_requested_by ON approval (requested_by);
CREATE INDEX approval_decided_by ON approval (decided_by);
CREATE INDEX approval_pending ON approval (requested_at) WHERE state = 'pending';

GRANT SELECT, UPDATE ON authority_epoch TO {{app}};
GRANT SELECT, INSERT, UPDATE ON organisation, department, person, api_token, approval TO {{app}};
GRANT SELECT, INSERT, DELETE ON person_role TO {{app}};
GRANT SELECT, INSERT, UPDATE, DELETE ON factor, session TO {{app}};
