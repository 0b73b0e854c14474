-- Tables and columns are those of docs/ledger.md; what only a shared ledger has is said here. Texts compare byte by byte,
-- as in Python: hence COLLATE "C". Times are seconds since the epoch, in which every float of Python keeps its value.
CREATE TABLE meta (
  key   text COLLATE "C" PRIMARY KEY,
  value text NOT NULL
);

CREATE SEQUENCE run_numbers;

CREATE TABLE runs (
  run_no         bigint PRIMARY KEY,
  run_id         text COLLATE "C" NOT NULL UNIQUE,
  status         text COLLATE "C" NOT NULL CHECK (status IN ('staging', 'running', 'ended')),
  started_at     double precision NOT NULL,
  ended_at       double precision,
  boot_id        text,
  mono_offset    double precision NOT NULL,
  source         text NOT NULL DEFAULT '',
  input_digest   text NOT NULL DEFAULT '',
  out            text NOT NULL DEFAULT '',
  program        text NOT NULL DEFAULT '',
  summary        text,
  rows_of        bigint NOT NULL,
  options_digest text NOT NULL DEFAULT ''
);
CREATE INDEX runs_rows_of ON runs (rows_of, run_no);

CREATE SEQUENCE target_numbers;

-- What changes with every attempt stays on its page: a tenth of it is left free.
CREATE TABLE targets (
  target_id       bigint PRIMARY KEY DEFAULT nextval('target_numbers'),
  appointment_id  text COLLATE "C" NOT NULL,
  attendee_id     text COLLATE "C" NOT NULL DEFAULT '',
  entire_series   boolean NOT NULL DEFAULT false,
  reason          text,
  cancel_all      boolean NOT NULL DEFAULT false,
  user_id         text,
  account         text COLLATE "C" NOT NULL DEFAULT '',
  state           text COLLATE "C" NOT NULL DEFAULT 'pending',
  attempts        integer NOT NULL DEFAULT 0,
  asked_by        bigint,
  asked_row       bigint,
  has_sibling     boolean NOT NULL DEFAULT false,
  intent_at       double precision,
  intent_run_no   bigint,
  settled_at      double precision,
  http_status     integer,
  detail          text NOT NULL DEFAULT '',
  start_at        text,
  end_at          text,
  meeting_type_id text,
  paid            boolean,
  warnings        text,
  CONSTRAINT targets_key UNIQUE (appointment_id, attendee_id, entire_series)
) WITH (fillfactor = 90);

CREATE INDEX targets_open ON targets (target_id) WHERE state IN ('sending', 'unknown');
CREATE INDEX targets_series_sent ON targets (target_id) WHERE entire_series AND attempts > 0;
CREATE INDEX targets_series_open ON targets (target_id) WHERE entire_series AND state IN ('sending', 'unknown');
CREATE INDEX targets_sendable ON targets (asked_by, account, entire_series, asked_row)
  WHERE state IN ('pending', 'waiting');
CREATE INDEX targets_given_up ON targets (asked_by, asked_row) WHERE state IN ('failed', 'skipped');

CREATE TABLE input_rows (
  run_no    bigint NOT NULL,
  row       bigint NOT NULL,
  first_row bigint,
  target_id bigint,
  problems  text,
  PRIMARY KEY (run_no, row)
);

CREATE SEQUENCE event_numbers;

-- chunk_no: of the chunk under whose hold it was written; 0 outside of chunks.
CREATE TABLE events (
  event_id    bigint PRIMARY KEY DEFAULT nextval('event_numbers'),
  target_id   bigint NOT NULL,
  run_no      bigint NOT NULL,
  chunk_no    bigint NOT NULL DEFAULT 0,
  event       text COLLATE "C" NOT NULL,
  attempt_no  integer NOT NULL,
  at          double precision NOT NULL,
  http_status integer,
  detail      text NOT NULL DEFAULT ''
);
CREATE INDEX events_of_target ON events (target_id);

-- A chain of digests for each run and chunk, so that the workers of a run do not wait for each other.
CREATE TABLE seals (
  run_no        bigint NOT NULL,
  chunk_no      bigint NOT NULL,
  last_event_id bigint NOT NULL,
  digest        text NOT NULL,
  PRIMARY KEY (run_no, chunk_no, last_event_id)
);

-- paused_to: the TAT that the last pause demands; what is given back does not go below it.
CREATE TABLE pace (
  credential text COLLATE "C" PRIMARY KEY,
  tat_at     double precision NOT NULL,
  tat_mono   double precision NOT NULL DEFAULT 0,
  boot_id    text,
  paused_to  double precision NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- What workers take. heartbeat_at: the owner's last sign of life; NULL: nobody has it.
CREATE TABLE chunks (
  run_no       bigint NOT NULL,
  chunk_no     bigint NOT NULL,
  account      text COLLATE "C" NOT NULL,
  series       boolean NOT NULL,
  after_row    bigint NOT NULL,
  last_row     bigint NOT NULL,
  targets      bigint NOT NULL,
  owner        text NOT NULL DEFAULT '',
  epoch        bigint NOT NULL DEFAULT 0,
  heartbeat_at timestamptz,
  ended_at     timestamptz,
  note         text NOT NULL DEFAULT '',
  PRIMARY KEY (run_no, chunk_no)
) WITH (fillfactor = 50);
CREATE INDEX chunks_open ON chunks (run_no, chunk_no) WHERE ended_at IS NULL;

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER events_stay BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION refuse('events are never changed');
CREATE TRIGGER events_remain BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse('events are never deleted');
CREATE TRIGGER events_abide BEFORE TRUNCATE ON events EXECUTE FUNCTION refuse('events are never deleted');
CREATE TRIGGER targets_remain BEFORE DELETE ON targets FOR EACH ROW EXECUTE FUNCTION refuse('targets are never deleted');
CREATE TRIGGER targets_abide BEFORE TRUNCATE ON targets EXECUTE FUNCTION refuse('targets are never deleted');

-- The law of core/states.py once more, for whoever writes past the program. A test compares the two. The condition
-- stands outside of the function, which is called for what is refused only.
CREATE TRIGGER targets_obey BEFORE UPDATE ON targets FOR EACH ROW
WHEN (OLD.state IS DISTINCT FROM NEW.state AND strpos(
  ' pending>sending pending>already_cancelled pending>not_found pending>rejected pending>skipped'
  || ' sending>cancelled sending>already_cancelled sending>not_found sending>rejected'
  || ' sending>waiting sending>pending sending>unknown'
  || ' waiting>sending waiting>already_cancelled waiting>not_found waiting>rejected waiting>failed waiting>skipped'
  || ' failed>pending skipped>pending rejected>pending not_found>pending'
  || ' unknown>cancelled unknown>already_cancelled unknown>waiting ',
  ' ' || OLD.state || '>' || NEW.state || ' ') = 0)
EXECUTE FUNCTION refuse('the states do not allow this');

CREATE TRIGGER targets_begin BEFORE INSERT ON targets FOR EACH ROW
WHEN (NEW.state <> 'pending' OR NEW.attempts <> 0)
EXECUTE FUNCTION refuse('a target begins as pending, without attempts');
