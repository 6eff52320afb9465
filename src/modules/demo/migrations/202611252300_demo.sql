-- What the demonstration company consists of, so that exactly this can be taken away. The MAC keeps anybody from adding a customer to it.
CREATE TABLE demo_run (
  id        uuid PRIMARY KEY,
  only_row  boolean NOT NULL DEFAULT true UNIQUE CHECK (only_row),
  state     text NOT NULL CHECK (state IN ('making', 'made', 'shredding')),
  person_id uuid NOT NULL REFERENCES person (id),
  day       date NOT NULL,
  mac       bytea NOT NULL
);

CREATE TABLE demo_batch (
  run_id uuid NOT NULL REFERENCES demo_run (id),
  n      integer NOT NULL,
  noun   text NOT NULL,
  ids    uuid[] NOT NULL,
  mac    bytea NOT NULL,
  PRIMARY KEY (run_id, n)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON demo_run TO {{app}};
GRANT SELECT, INSERT, DELETE ON demo_batch TO {{app}};
-- To take invented rows away for good. A row somebody may spoil (UPDATE) they may as well delete: neither is hidden from the ledger.
GRANT DELETE ON person, department, companies, contacts, leads, pipelines, deals, contracts, activities TO {{app}};
