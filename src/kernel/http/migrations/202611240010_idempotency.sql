-- Answers of POST requests that carried an Idempotency-Key, kept for 24 hours, so that a repeated request is answered, not done, again.
CREATE TABLE idempotency (
  key_mac    bytea PRIMARY KEY,           -- HMAC of person, route and key: the key itself is the client's and may say anything
  body_mac   bytea NOT NULL,              -- HMAC of the body: another body with the same key is refused
  status     smallint NOT NULL,
  seal_owner uuid,                        -- whose key seals the answer, so that erasure takes it too; null: the instance's
  answer     bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_created_at ON idempotency (created_at);
GRANT SELECT, INSERT, DELETE ON idempotency TO {{app}};
