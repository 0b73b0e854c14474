-- rows_of: the run that staged this run's rows: itself, or an earlier one that staged the very same input.
-- options_digest: what decided the rows, apart from the input's bytes; empty when that cannot be said.
ALTER TABLE runs ADD COLUMN rows_of INTEGER;
ALTER TABLE runs ADD COLUMN options_digest TEXT NOT NULL DEFAULT '';
UPDATE runs SET rows_of = run_no;

-- asked_by and asked_row: the run that staged the request which the target carries, and its row. They are kept while
-- something may still be sent: what is settled keeps what it had. Targets of schema 1 get theirs when an input names
-- them again. has_sibling: other targets name the same appointment; it saves nearly every target a look for them.
-- The table is made anew, since the index of a UNIQUE constraint cannot be left out while a first input is staged.
CREATE TABLE targets_2 (
  target_id       INTEGER PRIMARY KEY,
  appointment_id  TEXT NOT NULL,
  attendee_id     TEXT NOT NULL DEFAULT '',
  entire_series   INTEGER NOT NULL DEFAULT 0 CHECK (entire_series IN (0, 1)),
  reason          TEXT,
  cancel_all      INTEGER NOT NULL DEFAULT 0 CHECK (cancel_all IN (0, 1)),
  user_id         TEXT,
  state           TEXT NOT NULL DEFAULT 'pending',
  attempts        INTEGER NOT NULL DEFAULT 0,
  asked_by        INTEGER,
  asked_row       INTEGER,
  has_sibling     INTEGER NOT NULL DEFAULT 0 CHECK (has_sibling IN (0, 1)),
  intent_at       REAL,
  intent_run_no   INTEGER,
  settled_at      REAL,
  http_status     INTEGER,
  detail          TEXT NOT NULL DEFAULT '',
  start_at        TEXT,
  end_at          TEXT,
  meeting_type_id TEXT,
  paid            INTEGER,
  warnings        TEXT
) STRICT;

INSERT INTO targets_2 (target_id, appointment_id, attendee_id, entire_series, reason, cancel_all, user_id, state,
  attempts, intent_at, intent_run_no, settled_at, http_status, detail, start_at, end_at, meeting_type_id, paid, warnings)
SELECT target_id, appointment_id, attendee_id, entire_series, reason, cancel_all, user_id, state,
  attempts, intent_at, intent_run_no, settled_at, http_status, detail, start_at, end_at, meeting_type_id, paid, warnings
FROM targets ORDER BY target_id;

DROP TABLE targets;
ALTER TABLE targets_2 RENAME TO targets;

-- The key itself, targets_key, is made when the first input is staged: see `make_key` in queries.sql.
CREATE INDEX targets_open ON targets (target_id) WHERE state IN ('sending', 'unknown');
CREATE INDEX targets_series_sent ON targets (target_id) WHERE entire_series = 1 AND attempts > 0;
CREATE INDEX targets_sendable ON targets (asked_by, entire_series, asked_row) WHERE state IN ('pending', 'waiting');
CREATE INDEX targets_given_up ON targets (asked_by, asked_row) WHERE state IN ('failed', 'skipped');

CREATE TRIGGER targets_remain BEFORE DELETE ON targets BEGIN SELECT RAISE(ABORT, 'targets are never deleted'); END;

-- As in schema 1: the law of core/states.py once more, for whoever writes past the program.
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
