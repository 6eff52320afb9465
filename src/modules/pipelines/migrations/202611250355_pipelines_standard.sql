-- Whatever the service is asked at once: never two standard pipelines.
CREATE UNIQUE INDEX pipelines_standard ON pipelines (standard) WHERE standard AND deleted_at IS NULL;
