CREATE TABLE leads (
  id            uuid PRIMARY KEY,
  version       integer NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  owner_id      uuid NOT NULL REFERENCES person (id),
  department_id uuid NOT NULL REFERENCES department (id),
  status        text NOT NULL CHECK (status IN ('new', 'working', 'qualified', 'disqualified', 'converted')),
  collected_at  timestamptz,
  converted_at  timestamptz,
  contact_id    uuid REFERENCES contacts (id),
  company_id    uuid REFERENCES companies (id),
  deal_id       uuid REFERENCES deals (id),
  main          bytea NOT NULL,
  sensitive     bytea,
  custom        bytea
);
CREATE INDEX leads_owner_id ON leads (owner_id);
CREATE INDEX leads_department_id ON leads (department_id);
CREATE INDEX leads_contact_id ON leads (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX leads_company_id ON leads (company_id) WHERE company_id IS NOT NULL;
CREATE INDEX leads_deal_id ON leads (deal_id) WHERE deal_id IS NOT NULL;
GRANT SELECT, INSERT, UPDATE ON leads TO {{app}};
