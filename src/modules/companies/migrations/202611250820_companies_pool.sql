-- Null in old rows: a column that is null is not bound, so they open as before.
ALTER TABLE companies ADD COLUMN pool_id uuid REFERENCES pools (id);
ALTER TABLE companies ADD COLUMN pooled_at timestamptz;
ALTER TABLE companies ADD COLUMN claimed_pool_id uuid REFERENCES pools (id);
ALTER TABLE companies ADD COLUMN claimed_at timestamptz;
CREATE INDEX companies_pool_id ON companies (pool_id) WHERE pool_id IS NOT NULL;
CREATE INDEX companies_claimed_pool_id ON companies (claimed_pool_id, owner_id) WHERE claimed_pool_id IS NOT NULL;
