-- name: create_tables
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One line per start of `run`, `reconcile` or `resolve`. boot_id and mono_offset (wall clock minus monotonic clock at
-- the start) let a later run on the same boot compute ages from the monotonic clock alone, whatever the wall clock did.
-- settle_s: seconds for which its unanswered cancels may still be applied.
-- provenance: who started it, where, with which command, and why, as JSON.
CREATE TABLE runs (
  run_no         INTEGER PRIMARY KEY,
  run_id         TEXT NOT NULL UNIQUE,
  status         TEXT NOT NULL CHECK (status IN ('staging', 'running', 'ended')),
  started_at     REAL NOT NULL,
  ended_at       REAL,
  boot_id        TEXT,
  mono_offset    REAL NOT NULL,
  settle_s       REAL NOT NULL,
  source         TEXT NOT NULL DEFAULT '',
  input_digest   TEXT NOT NULL DEFAULT '',
  out            TEXT NOT NULL DEFAULT '',
  provenance     TEXT NOT NULL DEFAULT '{}',
  summary        TEXT
) STRICT;

-- One line per target, ever. `state` is the cached fold of the target's events.
-- account: whose credential and limit it is sent with; empty: the run's own.
-- asked_by and asked_row: the run that staged the request which the target carries, and its row. They are kept while
-- something may still be sent: what is settled keeps what it had.
-- has_sibling: other targets name the same appointment; it saves nearly every target a look for them.
CREATE TABLE targets (
  target_id       INTEGER PRIMARY KEY,
  appointment_id  TEXT NOT NULL,
  attendee_id     TEXT NOT NULL DEFAULT '',
  entire_series   INTEGER NOT NULL DEFAULT 0 CHECK (entire_series IN (0, 1)),
  reason          TEXT,
  cancel_all      INTEGER NOT NULL DEFAULT 0 CHECK (cancel_all IN (0, 1)),
  user_id         TEXT,
  account         TEXT NOT NULL DEFAULT '',
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

-- The key, targets_key, is an index that is made when the first input is staged: see `make_key` below.
CREATE INDEX targets_open ON targets (target_id) WHERE state IN ('sending', 'unknown');
CREATE INDEX targets_series_sent ON targets (intent_at) WHERE entire_series = 1 AND attempts > 0;
CREATE INDEX targets_sendable ON targets (asked_by, entire_series, asked_row) WHERE state IN ('pending', 'waiting');

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
-- run_no: of the run whose beginning the link covers, as `beginnings` returns it; 0: it covers events.
CREATE TABLE seals (
  last_event_id INTEGER NOT NULL,
  run_no        INTEGER NOT NULL,
  digest        TEXT NOT NULL,
  PRIMARY KEY (last_event_id, run_no)
) STRICT, WITHOUT ROWID;

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

-- The law of core/states.py once more, for what writes past the program. A test compares the two. It is one text to
-- search in, since a long IN list is built anew by every statement: that took a third of the time of a commit.
CREATE TRIGGER targets_obey BEFORE UPDATE OF state ON targets
WHEN OLD.state IS NOT NEW.state AND instr(
  ' pending>sending pending>already_cancelled pending>not_found pending>rejected pending>skipped pending>failed'
  || ' sending>cancelled sending>already_cancelled sending>not_found sending>rejected'
  || ' sending>waiting sending>pending sending>unknown'
  || ' waiting>sending waiting>already_cancelled waiting>not_found waiting>rejected waiting>failed waiting>skipped'
  || ' failed>pending skipped>pending rejected>pending not_found>pending'
  || ' unknown>cancelled unknown>already_cancelled unknown>waiting ',
  ' ' || OLD.state || '>' || NEW.state || ' ') = 0
BEGIN SELECT RAISE(ABORT, 'the states do not allow this'); END;

CREATE TRIGGER targets_begin BEFORE INSERT ON targets WHEN NEW.state <> 'pending' OR NEW.attempts <> 0
BEGIN SELECT RAISE(ABORT, 'a target begins as pending, without attempts'); END;

-- What ANALYZE keeps decides nothing.
-- name: schema
SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT IN ('sqlite_stat1', 'sqlite_stat4');

-- name: insert_event
INSERT INTO events (target_id, run_no, event, attempt_no, at, http_status, detail) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: where_they_are
SELECT target_id, state, attempts, appointment_id, attendee_id, entire_series FROM targets
WHERE target_id IN (SELECT value FROM json_each(?));

-- name: apply_intent
UPDATE targets SET state = ?1, attempts = ?2, intent_at = ?3, intent_run_no = ?4
WHERE target_id = ?5 AND state = ?6 AND attempts = ?2 - 1;

-- name: apply_outcome
UPDATE targets SET state = ?1, settled_at = ?2, http_status = coalesce(?3, http_status), detail = ?4,
  start_at = coalesce(?8, start_at), end_at = coalesce(?9, end_at), meeting_type_id = coalesce(?10, meeting_type_id),
  paid = coalesce(?11, paid), warnings = coalesce(?12, warnings)
WHERE target_id = ?5 AND state = ?6 AND attempts = ?7;

-- name: unsealed
SELECT e.event_id, t.appointment_id, t.attendee_id, t.entire_series, e.run_no, e.event, e.attempt_no, e.at,
  e.http_status, e.detail
FROM events e JOIN targets t USING (target_id) WHERE e.event_id > ?1 AND e.event_id <= ?2 ORDER BY e.event_id;

-- name: last_seal
SELECT last_event_id, digest FROM seals ORDER BY last_event_id DESC, run_no DESC LIMIT 1;

-- name: newest_event
SELECT last_event_id, digest FROM seals WHERE run_no = 0 ORDER BY last_event_id DESC LIMIT 1;

-- name: seal_of
SELECT digest FROM seals WHERE last_event_id = ? AND run_no = 0;

-- name: links
SELECT last_event_id, run_no, digest FROM seals ORDER BY last_event_id, run_no;

-- name: insert_seal
INSERT INTO seals (last_event_id, run_no, digest) VALUES (?, ?, ?);

-- name: begin_run
INSERT INTO runs (run_no, run_id, status, started_at, boot_id, mono_offset, settle_s, source, input_digest, out,
  provenance)
SELECT new.run_no, ?1, 'staging', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
FROM (SELECT coalesce(max(run_no), 0) + 1 AS run_no FROM runs) new RETURNING run_no;

-- name: end_run
UPDATE runs SET status = 'ended', ended_at = ?, summary = ? WHERE run_no = ?;

-- name: has_key
SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'targets_key');

-- name: first_asked_by
SELECT asked_by FROM targets WHERE target_id = (SELECT min(target_id) FROM targets);

-- name: make_key
CREATE UNIQUE INDEX targets_key ON targets (appointment_id, attendee_id, entire_series);

-- name: mark_all_siblings
UPDATE targets SET has_sibling = 1 WHERE appointment_id IN
  (SELECT appointment_id FROM targets GROUP BY appointment_id HAVING count(*) > 1);

-- name: first_targets
INSERT INTO targets (target_id, appointment_id, attendee_id, entire_series, reason, cancel_all, user_id, asked_by,
  asked_row, account)
VALUES (?1 - 1, ?2, ifnull(?3, ''), ?4, ?5, ?6, ?7, ?8, ?1, ifnull(?9, ''));

-- name: first_rows
INSERT INTO input_rows (run_no, row, first_row, target_id, problems) VALUES (?1, ?2, ?3, ?3 - 1, ?4);

-- name: create_staging
CREATE TEMP TABLE IF NOT EXISTS staging (
  row INTEGER PRIMARY KEY, appointment_id TEXT, attendee_id TEXT, entire_series INTEGER, cancel_all INTEGER,
  reason TEXT, user_id TEXT, account TEXT, first_row INTEGER, problems TEXT, stands INTEGER, target_id INTEGER) STRICT;

-- name: fill_staging
INSERT INTO staging VALUES (?, ?, ifnull(?, ''), ?, ?, ?, ?, ifnull(?, ''), ?, ?, ?, NULL);

-- name: find_staged
UPDATE staging SET target_id = (SELECT t.target_id FROM targets t WHERE t.appointment_id = staging.appointment_id
  AND t.attendee_id = staging.attendee_id AND t.entire_series = staging.entire_series)
WHERE target_id IS NULL AND appointment_id IS NOT NULL;

-- name: mark_siblings
UPDATE targets SET has_sibling = 1 WHERE has_sibling = 0 AND target_id IN (
  SELECT o.target_id FROM staging s CROSS JOIN targets o ON o.appointment_id = s.appointment_id
  WHERE s.target_id > ?1
    AND EXISTS (SELECT 1 FROM targets t WHERE t.appointment_id = s.appointment_id AND t.target_id <> s.target_id));

-- name: stage_restaged
INSERT INTO events (target_id, run_no, event, attempt_no, at)
SELECT t.target_id, ?1, 'restaged', t.attempts, ?2
FROM staging s CROSS JOIN targets t USING (target_id)
WHERE s.first_row = s.row AND
{taken_up_again}
ORDER BY s.row;

-- name: drop_staging
DELETE FROM staging;

-- name: recover_events
INSERT INTO events (target_id, run_no, event, attempt_no, at)
SELECT target_id, ?6, 'recovered', attempts, ?7 FROM targets WHERE
{sending}

-- name: another_series_was_sent
  EXISTS (SELECT 1 FROM targets WHERE entire_series = 1 AND attempts > 0 AND target_id <> t.target_id)

-- name: series_heard
  (SELECT json_array(e.at, json_array(r.boot_id, r.mono_offset), (SELECT max(q.settle_s) FROM targets o
      JOIN runs q ON q.run_no = o.intent_run_no WHERE o.entire_series = 1 AND o.attempts > 0))
    FROM events e JOIN runs r USING (run_no)
    WHERE e.event_id = (SELECT max(h.event_id) FROM targets s CROSS JOIN events h ON h.target_id = s.target_id
      AND h.run_no = s.intent_run_no WHERE s.entire_series = 1 AND s.attempts > 0))

-- name: refused
  (SELECT json_array(e.at, json_array(r.boot_id, r.mono_offset), r.settle_s) FROM events e JOIN runs r USING (run_no)
    WHERE e.target_id = t.target_id AND e.event IN ('rejected', 'not_found') ORDER BY e.event_id DESC LIMIT 1)

-- name: no_series_meets_another
  NOT EXISTS (SELECT 1 FROM targets o
    WHERE 1 IN (o.entire_series, t.entire_series) AND o.target_id <> t.target_id AND o.state IN ('sending', 'unknown') AND
{not_undecided}
  )

-- name: age
  r.boot_id, r.mono_offset, 0.0

-- name: work
{work_columns}
FROM targets t
{work_conditions}
ORDER BY t.asked_row LIMIT ?4;

-- Those of one page of the API's list. The order of the join is forced: without it all of the run's rows are read.
-- name: listed_work
{work_columns}
FROM json_each(?7) j CROSS JOIN targets t ON t.appointment_id = j.value
{work_conditions}
ORDER BY t.asked_row LIMIT ?4;

-- name: state_of
SELECT state, reason, cancel_all, user_id, account FROM targets
WHERE appointment_id = ? AND attendee_id = ? AND entire_series = ?;

-- name: mailed_of
SELECT
{mailed_reason}
FROM targets t WHERE appointment_id = ? AND attendee_id = ? AND entire_series = ?;

-- A run sends what its own rows name, so that its sends are found without reading the whole history. An intent whose
-- record says that no byte of it left is no send.
-- name: of_its_sends
FROM input_rows r CROSS JOIN events e USING (target_id)
WHERE r.run_no = ?1 AND r.first_row = r.row AND e.run_no = ?1 AND e.event = 'intent'
  AND NOT EXISTS (SELECT 1 FROM events n WHERE n.target_id = e.target_id AND n.attempt_no = e.attempt_no
    AND n.event = 'not_applied' AND n.http_status IS NULL)

-- name: sends
SELECT CAST((e.at - ?2) / ?3 AS INTEGER) AS interval_no, count(*)
{of_its_sends}
GROUP BY interval_no ORDER BY interval_no;

-- name: forget_meta
DELETE FROM meta WHERE key = ?;

-- Input rows have no index by target, so this reads them all, once per question of a person: hence the order.
-- name: namings
SELECT r.run_no, r.run_id, i.row, i.target_id FROM input_rows i CROSS JOIN runs r USING (run_no)
WHERE i.target_id IN (SELECT target_id FROM targets WHERE appointment_id = ?1) ORDER BY r.run_no, i.row LIMIT ?2;
