-- Saved views: what somebody looks for and how, sealed with their own key, since a filter holds values of customers.
CREATE TABLE saved_view (
  id          uuid PRIMARY KEY,
  person_id   uuid NOT NULL REFERENCES person (id),
  noun        text NOT NULL,
  version     integer NOT NULL,
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL,
  -- with whom it is shared: these departments and those below them; the seal binds person, noun and departments
  departments uuid[] NOT NULL,
  words       bytea NOT NULL
);
CREATE INDEX saved_view_person_id ON saved_view (person_id);
CREATE INDEX saved_view_departments ON saved_view USING gin (departments) WHERE departments <> '{}';
GRANT SELECT, INSERT, UPDATE, DELETE ON saved_view TO {{app}};

-- What somebody keeps at hand: ids only, shown as far as they may still be seen.
CREATE TABLE favourite (
  person_id  uuid NOT NULL REFERENCES person (id),
  kind       text NOT NULL,
  object_id  uuid NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (person_id, kind, object_id)
);
GRANT SELECT, INSERT, DELETE ON favourite TO {{app}};
