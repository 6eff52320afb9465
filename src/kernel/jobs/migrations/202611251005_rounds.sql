-- Work that comes round: which node does it, until when. Another takes it up when that time is over.
CREATE TABLE round (
  name  text PRIMARY KEY,
  node  uuid NOT NULL,
  until timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON round TO {{app}};
