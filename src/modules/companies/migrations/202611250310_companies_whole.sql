-- A company's own facts; what it says of itself stays sealed.
ALTER TABLE companies ADD COLUMN parent_id uuid REFERENCES companies (id);
ALTER TABLE companies ADD COLUMN size text CHECK (size IN ('micro', 'small', 'medium', 'large'));
-- Old rows were sealed without a stage: a column that is null is not bound, so they open as before and get one with their next change.
ALTER TABLE companies ADD COLUMN stage text CHECK (stage IN ('prospect', 'active', 'dormant', 'former'));
CREATE INDEX companies_parent_id ON companies (parent_id) WHERE parent_id IS NOT NULL;
