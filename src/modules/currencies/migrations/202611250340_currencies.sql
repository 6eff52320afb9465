-- Which currencies an organisation reckons with stands plain; the rates and their days are sealed.
CREATE TABLE exchange_rates (
  id            uuid PRIMARY KEY,
  version       integer NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  owner_id      uuid NOT NULL REFERENCES person (id),
  department_id uuid NOT NULL REFERENCES department (id),
  currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  base          text NOT NULL CHECK (base ~ '^[A-Z]{3}$' AND base <> currency),
  main          bytea NOT NULL,
  sensitive     bytea,
  custom        bytea
);
CREATE INDEX exchange_rates_owner_id ON exchange_rates (owner_id);
CREATE INDEX exchange_rates_department_id ON exchange_rates (department_id);
GRANT SELECT, INSERT, UPDATE ON exchange_rates TO {{app}};
