-- A stage lives in the sealed list of its pipeline, so `stage_id` refers to nothing the database knows.
CREATE TABLE deals (
  id            uuid PRIMARY KEY,
  version       integer NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  deleted_at    timestamptz,
  owner_id      uuid NOT NULL REFERENCES person (id),
  department_id uuid NOT NULL REFERENCES department (id),
  pipeline_id   uuid NOT NULL REFERENCES pipelines (id),
  stage_id      uuid NOT NULL,
  status        text NOT NULL CHECK (status IN ('open', 'won', 'lost')),
  stage_since   timestamptz,
  closed_at     timestamptz,
  company_id    uuid REFERENCES companies (id),
  main          bytea NOT NULL,
  sensitive     bytea,
  custom        bytea
);
CREATE INDEX deals_owner_id ON deals (owner_id);
CREATE INDEX deals_department_id ON deals (department_id);
CREATE INDEX deals_company_id ON deals (company_id) WHERE company_id IS NOT NULL;
CREATE INDEX deals_pipeline_id ON deals (pipeline_id, stage_id);
GRANT SELECT, INSERT, UPDATE ON deals TO {{app}};
