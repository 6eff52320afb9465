-- Whom a contact that was merged away has become. Null in old rows: a column that is null is not bound.
ALTER TABLE contacts ADD COLUMN merged_into_id uuid REFERENCES contacts (id);
CREATE INDEX contacts_merged_into_id ON contacts (merged_into_id) WHERE merged_into_id IS NOT NULL;
