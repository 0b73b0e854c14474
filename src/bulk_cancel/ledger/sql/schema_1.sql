CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One line per start of `run`, `reconcile` or `resolve`. boot_id and mono_offset (wall clock minus monotonic clock at
-- the start) let a later run on the same boot compute ages from the monotonic clock alone, whatever the wall clock did.
CREATE TABLE runs (
  run_no        INTEGER PRIMARY KEY,
  run_id        TEXT NOT NULL UNIQUE,
  status        TEXT NOT NULL CHECK (status IN ('staging', 'running', 'ended')),
  started_at    REAL NOT NULL,
  ended_at      REAL,
  boot_id       TEXT,
  mono_offset   REAL NOT NULL,
  source        TEXT NOT NULL DEFAULT '',
  input_digest  TEXT NOT NULL DEFAULT '',
  out           TEXT NOT NULL DEFAULT '',
  program       TEXT NOT NULL DEFAULT '',
  summary       TEXT
) STRICT;

-- One line per target, ever. `state` is the cached fold of the target's events.
CREATE TABLE targets (
  target_id       INTEGER PRIMARY KEY,
  appointment_id  TEXT NOT NULL,
  attendee_id     TEXT NOT NULL DEFAULT '',
  entire_series   INTEGER NOT NULL DEFAULT 0 CHECK (entire_series IN (0, 1)),
  reason          TEXT,
  cancel_all      INTEGER NOT NULL DEFAULT 0 CHECK (cancel_all IN (0, 1)),
  user_id         TEXT,
  state           TEXT NOT NULL DEFAULT 'pending',
  attempts        INTEGER NOT NULL DEFAULT 0,
  intent_at       REAL,
  intent_run_no   INTEGER,
  settled_at      REAL,
  http_status     INTEGER,
  detail          TEXT NOT NULL DEFAULT '',
  start_at        TEXT,
  end_at          TEXT,
  meeting_type_id TEXT,
  paid            INTEGER,
  warnings        TEXT,
  UNIQUE (appointment_id, attendee_id, entire_series)
) STRICT;

CREATE INDEX targets_open ON targets (target_id) WHERE state IN ('sending', 'unknown');
CREATE INDEX targets_series_sent ON targets (target_id) WHERE entire_series = 1 AND attempts > 0;

-- Every line of every input, with the target it names (none when it is invalid).
CREATE TABLE input_rows (
  run_no    INTEGER NOT NULL,
  row       INTEGER NOT NULL,
  first_row INTEGER,
  target_id INTEGER,
  problems  TEXT,
  PRIMARY KEY (run_no, row)
) STRICT, WITHOUT ROWID;

-- The history. Only ever appended to.
CREATE TABLE events (
  event_id    INTEGER PRIMARY KEY,
  target_id   INTEGER NOT NULL,
  run_no      INTEGER NOT NULL,
  event       TEXT NOT NULL,
  attempt_no  INTEGER NOT NULL,
  at          REAL NOT NULL,
  http_status INTEGER,
  detail      TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX events_of_target ON events (target_id);

-- A chain of digests over the history, a link per commit: an event that is edited, removed or slipped in breaks it.
CREATE TABLE seals (
  last_event_id INTEGER PRIMARY KEY,
  digest        TEXT NOT NULL
) STRICT;

-- The limiter's state per credential (a fingerprint), so that a restart does not take the burst again.
CREATE TABLE pace (
  credential TEXT PRIMARY KEY,
  tat_at     REAL NOT NULL,
  tat_mono   REAL NOT NULL,
  boot_id    TEXT
) STRICT, WITHOUT ROWID;

CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
CREATE TRIGGER targets_remain BEFORE DELETE ON targets BEGIN SELECT RAISE(ABORT, 'targets are never deleted'); END;

-- The law of core/states.py once more, for whoever writes past the program. A test compares the two. It is one text to
-- search in, since a long IN list is built anew by every statement: that took a third of the time of a commit.
CREATE TRIGGER targets_obey BEFORE UPDATE OF state ON targets
WHEN OLD.state IS NOT NEW.state AND instr(
  ' pending>sending pending>already_cancelled pending>not_found pending>rejected pending>skipped'
  || ' sending>cancelled sending>already_cancelled sending>not_found sending>rejected'
  || ' sending>waiting sending>pending sending>unknown'
  || ' waiting>sending waiting>already_cancelled waiting>not_found waiting>rejected waiting>failed waiting>skipped'
  || ' failed>pending skipped>pending rejected>pending not_found>pending'
  || ' unknown>cancelled unknown>already_cancelled unknown>waiting ',
  ' ' || OLD.state || '>' || NEW.state || ' ') = 0
BEGIN SELECT RAISE(ABORT, 'the states do not allow this'); END;

CREATE TRIGGER targets_begin BEFORE INSERT ON targets WHEN NEW.state <> 'pending' OR NEW.attempts <> 0
BEGIN SELECT RAISE(ABORT, 'a target begins as pending, without attempts'); END;
