-- The ledger. Rows are only ever added: the app role holds INSERT and SELECT, and triggers refuse the rest even to the
-- owner by accident. Neither stops a superuser; the tree and its signed checkpoints show what one did.

-- One thing that happened. Fixed-width columns come first, so that a read costs no padding.
CREATE TABLE public.ledger_event (
  id           uuid NOT NULL,
  at           timestamptz(3) NOT NULL,
  node         uuid NOT NULL,
  object_id    uuid,
  seal_owner   uuid,
  action       text NOT NULL,
  actor        bytea CHECK (octet_length(actor) = 16),
  object_kind  text,
  subjects     bytea CHECK (octet_length(subjects) % 16 = 0),
  purpose      text,
  payload      bytea,
  payload_hash bytea CHECK (octet_length(payload_hash) = 32),
  mac          bytea NOT NULL CHECK (octet_length(mac) = 32),
  PRIMARY KEY (id),
  CHECK ((payload IS NULL) = (payload_hash IS NULL))
  -- An id is a UUID of version 7 and begins with its time, so a range of ids is a range of time and the key stays unique over all months.
) PARTITION BY RANGE (id);

-- Timelines: what happened to one row, newest first. The kind is not in it: ids are unique over all kinds.
CREATE INDEX ledger_event_object ON public.ledger_event (object_id, id) WHERE object_id IS NOT NULL;

-- Events whose id names no month that was prepared: a clock that jumped. Better kept here than refused.
CREATE TABLE public.ledger_event_default PARTITION OF public.ledger_event DEFAULT;

-- The order of events and the hashes of the tree (RFC 6962).
CREATE TABLE public.ledger_leaf (
  n        bigint PRIMARY KEY CHECK (n >= 0),
  event_id uuid NOT NULL UNIQUE,
  hash     bytea NOT NULL CHECK (octet_length(hash) = 32)
);

-- Hashes of complete subtrees of 256^level leaves: roots and proofs read a few hundred hashes, never all leaves.
CREATE TABLE public.ledger_block (
  level smallint NOT NULL CHECK (level > 0),
  i     bigint NOT NULL CHECK (i >= 0),
  hash  bytea NOT NULL CHECK (octet_length(hash) = 32),
  PRIMARY KEY (level, i)
);

-- Signed tree heads (C2SP tlog-checkpoint).
CREATE TABLE public.ledger_checkpoint (
  size bigint PRIMARY KEY CHECK (size >= 0),
  root bytea NOT NULL CHECK (octet_length(root) = 32),
  note text NOT NULL,
  at   timestamptz(3) NOT NULL
);

-- What each node says it committed, chained by HMAC: an event deleted before it had a leaf is missed.
CREATE TABLE public.ledger_link (
  node  uuid NOT NULL,
  seq   bigint NOT NULL CHECK (seq > 0),
  ids   bytea NOT NULL CHECK (octet_length(ids) % 16 = 0),
  chain bytea NOT NULL CHECK (octet_length(chain) = 32),
  PRIMARY KEY (node, seq)
);

-- Who may sequence: the highest epoch. It is checked in the same INSERT that adds leaves, so a node that lost the lease adds none.
CREATE TABLE public.ledger_lease (
  epoch bigint PRIMARY KEY CHECK (epoch > 0),
  node  uuid NOT NULL,
  at    timestamptz(3) NOT NULL
);

CREATE FUNCTION public.ledger_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is only ever added to: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION public.ledger_guard(guarded regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_change()', guarded);
END $$;

SELECT public.ledger_guard(t) FROM unnest(ARRAY['public.ledger_event', 'public.ledger_event_default', 'public.ledger_leaf', 'public.ledger_block',
  'public.ledger_checkpoint', 'public.ledger_link', 'public.ledger_lease']::regclass[]) AS t;

-- The first id of a moment: its 48-bit Unix milliseconds, then zeros.
CREATE FUNCTION public.ledger_first_id(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Prepares the partitions of the last month and the next three. Runs as the owner because the app role may create nothing; it takes
-- no argument, so all that a thief of the app role can do with it is what happens every day anyway. Made beside the
-- table and attached, because CREATE … PARTITION OF would lock out every reader and writer.
CREATE FUNCTION public.ledger_add_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  month timestamptz;
  name text;
  low uuid;
  high uuid;
  made integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('sealbook.ledger.partitions'));
  FOR k IN -1 .. 3 LOOP
    month := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => k)) AT TIME ZONE 'UTC';
    name := 'ledger_event_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM');
    low := public.ledger_first_id(month);
    high := public.ledger_first_id((date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => k + 1)) AT TIME ZONE 'UTC');
    CONTINUE WHEN to_regclass(format('public.%I', name)) IS NOT NULL;
    -- Events of that month already in the default partition stay there: moving them would be an UPDATE.
    CONTINUE WHEN EXISTS (SELECT FROM public.ledger_event_default d WHERE d.id >= low AND d.id < high);
    EXECUTE format('CREATE TABLE public.%I (LIKE public.ledger_event INCLUDING ALL)', name);
    PERFORM public.ledger_guard(format('public.%I', name)::regclass);
    EXECUTE format('ALTER TABLE public.ledger_event ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', name, low, high);
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;

SELECT public.ledger_add_partitions();

REVOKE ALL ON public.ledger_event, public.ledger_event_default, public.ledger_leaf, public.ledger_block, public.ledger_checkpoint,
  public.ledger_link, public.ledger_lease FROM PUBLIC, {{app}};
GRANT INSERT, SELECT ON public.ledger_event, public.ledger_leaf, public.ledger_block, public.ledger_checkpoint, public.ledger_link,
  public.ledger_lease TO {{app}};
REVOKE ALL ON FUNCTION public.ledger_refuse_change(), public.ledger_guard(regclass), public.ledger_first_id(timestamptz), public.ledger_add_partitions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.ledger_add_partitions() TO {{app}};
