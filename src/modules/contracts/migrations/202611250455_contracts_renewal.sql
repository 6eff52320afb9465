-- The follow-up names the contract it renews.
ALTER TABLE contracts ADD COLUMN renews_id uuid REFERENCES contracts (id);
CREATE INDEX contracts_renews_id ON contracts (renews_id) WHERE renews_id IS NOT NULL;
-- The round that reminds and ends looks at what is in force.
CREATE INDEX contracts_active ON contracts (id) WHERE status = 'active' AND deleted_at IS NULL;
