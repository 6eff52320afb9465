-- Declared custom fields. Everything they say is sealed, so that a class cannot be loosened in the database: the seal binds id and version.
CREATE TABLE custom_field (
  id         uuid PRIMARY KEY,
  version    integer NOT NULL,
  created_at timestamptz NOT NULL,
  words      bytea NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON custom_field TO {{app}};
