CREATE TABLE contracts (
  id            uuid PRIMARY KEY,
  version       integer NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  owner_id      uuid NOT NULL REFERENCES person (id),
  department_id uuid NOT NULL REFERENCES department (id),
  status        text NOT NULL CHECK (status IN ('draft', 'active', 'expired', 'terminated', 'renewed')),
  company_id    uuid REFERENCES companies (id),
  deal_id       uuid REFERENCES deals (id),
  main          bytea NOT NULL,
  sensitive     bytea,
  custom        bytea
);
CREATE INDEX contracts_owner_id ON contracts (owner_id);
CREATE INDEX contracts_department_id ON contracts (department_id);
CREATE INDEX contracts_company_id ON contracts (company_id) WHERE company_id IS NOT NULL;
CREATE INDEX contracts_deal_id ON contracts (deal_id) WHERE deal_id IS NOT NULL;
GRANT SELECT, INSERT, UPDATE ON contracts TO {{app}};
