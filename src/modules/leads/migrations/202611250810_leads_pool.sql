-- Null in old rows: a column that is null is not bound, so they open as before.
ALTER TABLE leads ADD COLUMN pool_id uuid REFERENCES pools (id);
ALTER TABLE leads ADD COLUMN pooled_at timestamptz;
ALTER TABLE leads ADD COLUMN claimed_pool_id uuid REFERENCES pools (id);
ALTER TABLE leads ADD COLUMN claimed_at timestamptz;
CREATE INDEX leads_pool_id ON leads (pool_id) WHERE pool_id IS NOT NULL;
CREATE INDEX leads_claimed_pool_id ON leads (claimed_pool_id, owner_id) WHERE claimed_pool_id IS NOT NULL;
