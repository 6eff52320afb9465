ALTER TABLE companies ADD COLUMN merged_into_id uuid REFERENCES companies (id);
CREATE INDEX companies_merged_into_id ON companies (merged_into_id) WHERE merged_into_id IS NOT NULL;
