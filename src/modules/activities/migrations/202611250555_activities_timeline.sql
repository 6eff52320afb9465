-- The timeline of a record: what hangs on it, newest first, by when it happened or else was written down.
CREATE INDEX activities_timeline ON activities (record_id, (coalesce(at, created_at)) DESC, id DESC) WHERE deleted_at IS NULL;
