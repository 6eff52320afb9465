-- A task that comes back says which one came after it, so that finishing it twice makes one.
ALTER TABLE activities ADD COLUMN next_id uuid;
