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

-- name: last_link
SELECT last_event_id, digest FROM seals ORDER BY last_event_id DESC, run_no DESC LIMIT 1;

-- name: last_seal
SELECT last_event_id, digest FROM seals WHERE run_no = 0 ORDER BY last_event_id DESC LIMIT 1;

-- name: seal_of
SELECT digest FROM seals WHERE last_event_id = ? AND run_no = 0;

-- name: links
SELECT last_event_id, run_no, digest FROM seals ORDER BY last_event_id, run_no;

-- name: insert_seal
INSERT INTO seals (last_event_id, run_no, digest) VALUES (?, ?, ?);

-- name: beginnings
SELECT run_no, run_id, started_at, settle_s, source, input_digest, out, provenance FROM runs
WHERE ?1 IS NULL OR run_no = ?1 ORDER BY run_no;

-- name: save_pace
INSERT INTO pace (credential, tat_at, tat_mono, boot_id) VALUES (?, ?, ?, ?)
ON CONFLICT (credential) DO UPDATE SET tat_at = excluded.tat_at, tat_mono = excluded.tat_mono,
  boot_id = excluded.boot_id;

-- name: load_pace
SELECT tat_at, tat_mono, boot_id FROM pace WHERE credential = ?;

-- name: begin_run
INSERT INTO runs (run_no, run_id, status, started_at, boot_id, mono_offset, settle_s, source, input_digest, out,
  provenance)
SELECT new.run_no, ?1, 'staging', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
FROM (SELECT coalesce(max(run_no), 0) + 1 AS run_no FROM runs) new RETURNING run_no;

-- name: start_run
UPDATE runs SET status = 'running' WHERE run_no = ? AND status = 'staging';

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

-- name: newest_target
SELECT coalesce(max(target_id), 0) FROM targets;

-- name: stage_targets
INSERT INTO targets (appointment_id, attendee_id, entire_series, reason, cancel_all, user_id, account, asked_by,
  asked_row)
SELECT appointment_id, attendee_id, entire_series, reason, cancel_all, user_id, account, ?1, row
FROM staging WHERE first_row = row AND target_id IS NULL ORDER BY row
ON CONFLICT (appointment_id, attendee_id, entire_series) DO NOTHING;

-- name: mark_siblings
UPDATE targets SET has_sibling = 1 WHERE has_sibling = 0 AND target_id IN (
  SELECT o.target_id FROM staging s CROSS JOIN targets o ON o.appointment_id = s.appointment_id
  WHERE s.target_id > ?1
    AND EXISTS (SELECT 1 FROM targets t WHERE t.appointment_id = s.appointment_id AND t.target_id <> s.target_id));

-- A refusal stands until the input asks for something else, or (?3) refusals are taken up again as they are; where an
-- approved plan sends nothing it stands in any case. What failed or was skipped is always taken up again.
-- name: stage_restaged
INSERT INTO events (target_id, run_no, event, attempt_no, at)
SELECT t.target_id, ?1, 'restaged', t.attempts, ?2
FROM staging s CROSS JOIN targets t USING (target_id)
WHERE s.first_row = s.row AND (t.state IN ('failed', 'skipped') OR t.state IN ('rejected', 'not_found')
  AND NOT s.stands AND (?3 OR (t.reason, t.cancel_all, t.user_id, t.account)
    IS NOT (s.reason, s.cancel_all, s.user_id, s.account)))
ORDER BY s.row;

-- A target without an outcome takes the newest request as well: if it proves not applied, that is what is sent.
-- name: stage_requests
UPDATE targets SET reason = s.reason, cancel_all = s.cancel_all, user_id = s.user_id, account = s.account,
  asked_by = ?1, asked_row = s.row,
  state = CASE WHEN targets.state IN ('waiting', 'sending', 'unknown') THEN targets.state ELSE 'pending' END,
  settled_at = NULL,
  http_status = CASE WHEN targets.state IN ('sending', 'unknown') THEN http_status END,
  detail = CASE WHEN targets.state IN ('sending', 'unknown') THEN detail ELSE '' END
FROM staging s
WHERE targets.target_id = s.target_id AND s.first_row = s.row AND s.target_id <= ?2
  AND (targets.state IN ('pending', 'waiting', 'sending', 'unknown', 'failed', 'skipped')
    OR targets.state IN ('rejected', 'not_found') AND NOT s.stands
      AND (?3 OR (targets.reason, targets.cancel_all, targets.user_id, targets.account)
        IS NOT (s.reason, s.cancel_all, s.user_id, s.account)));

-- name: stage_rows
INSERT INTO input_rows (run_no, row, first_row, target_id, problems)
SELECT ?1, row, first_row, target_id, problems FROM staging ORDER BY row;

-- name: drop_staging
DELETE FROM staging;

-- Here and below, the second condition on the state names the partial index: without it every target would be read.
-- name: recover_events
INSERT INTO events (target_id, run_no, event, attempt_no, at)
SELECT target_id, ?1, 'recovered', attempts, ?2 FROM targets
WHERE state = 'sending' AND state IN ('sending', 'unknown')
  AND (?3 IS NULL OR account = ?3) AND (?4 IS NULL OR asked_by = ?4
    AND asked_row > ?5 AND asked_row <= ?6
    AND entire_series = ?7);

-- name: recover_targets
UPDATE targets SET state = 'unknown', detail = 'the program ended before the answer was recorded'
WHERE state = 'sending' AND state IN ('sending', 'unknown')
  AND (?1 IS NULL OR account = ?1) AND (?2 IS NULL OR asked_by = ?2
    AND asked_row > ?3 AND asked_row <= ?4
    AND entire_series = ?5);

-- A target waits for its turn while another cancel of the same appointment is open, and is read first when one was
-- sent, or a series was: the answer to a series cancel does not name the siblings that it took along. So is what was
-- refused once, or is not cancelled by a person's word. Every target waits while a series is open:
-- it may be one of that series, which may still take effect. Neither waits any more once that is undecided, which comes
-- after its settle time.
-- What was sent after an unknown outcome, and became unknown again, is not sent a third time in the same run: what its
-- reads show may be an old state.
-- What a worker has to know of a target before it sends: whether it must be read first, since another cancel may have
-- taken it along or it was refused once; whether its attendee was seen in it; when a series
-- that was sent was heard of last; whether the whole appointment is known as cancelled by another target.
-- name: work_columns
SELECT t.asked_row, t.target_id, t.appointment_id, t.attendee_id, t.entire_series, t.reason, t.cancel_all, t.user_id,
  t.account, t.state, t.attempts,
  EXISTS (SELECT 1 FROM targets WHERE entire_series = 1 AND attempts > 0 AND target_id <> t.target_id)
  OR (t.has_sibling AND EXISTS (SELECT 1 FROM targets o WHERE o.appointment_id = t.appointment_id
    AND o.target_id <> t.target_id AND o.attempts > 0 AND '' IN (o.attendee_id, t.attendee_id)))
  OR EXISTS (SELECT 1 FROM events e WHERE e.target_id = t.target_id AND e.event IN
    ('rejected', 'not_found', 'seen_refused', 'seen_missing', 'resolved_not_cancelled')) AS must_be_read,
  t.attendee_id <> '' AND EXISTS (SELECT 1 FROM events e WHERE e.target_id = t.target_id AND e.event = 'seen_active'),
  t.start_at,
  (SELECT json_array(e.at, json_array(r.boot_id, r.mono_offset), (SELECT max(q.settle_s) FROM targets o
      JOIN runs q ON q.run_no = o.intent_run_no WHERE o.entire_series = 1 AND o.attempts > 0))
    FROM events e JOIN runs r USING (run_no)
    WHERE e.event_id = (SELECT max(h.event_id) FROM targets s CROSS JOIN events h ON h.target_id = s.target_id
      AND h.run_no = s.intent_run_no WHERE s.entire_series = 1 AND s.attempts > 0)),
  (SELECT json_array(e.at, json_array(r.boot_id, r.mono_offset), r.settle_s) FROM events e JOIN runs r USING (run_no)
    WHERE e.target_id = t.target_id AND e.event IN ('rejected', 'not_found') ORDER BY e.event_id DESC LIMIT 1),
  t.has_sibling AND EXISTS (SELECT 1 FROM targets o WHERE o.appointment_id = t.appointment_id
    AND o.target_id <> t.target_id AND o.attendee_id = '' AND o.state IN ('cancelled', 'already_cancelled'))

-- name: work_conditions
WHERE t.asked_by = ?1 AND t.entire_series = ?3 AND t.asked_row > ?2
  AND (?6 IS NULL OR t.asked_row <= ?6) AND t.account = ?5 AND t.state IN ('pending', 'waiting')
  AND NOT (t.has_sibling AND EXISTS (SELECT 1 FROM targets o WHERE o.appointment_id = t.appointment_id
    AND o.target_id <> t.target_id AND o.state IN ('sending', 'unknown') AND '' IN (o.attendee_id, t.attendee_id)
      AND NOT EXISTS (SELECT 1 FROM events e
        WHERE e.target_id = o.target_id AND e.event = 'undecided' AND e.attempt_no = o.attempts)))
  AND NOT EXISTS (SELECT 1 FROM targets o
    WHERE o.entire_series = 1 AND o.target_id <> t.target_id AND o.state IN ('sending', 'unknown')
      AND NOT EXISTS (SELECT 1 FROM events e
        WHERE e.target_id = o.target_id AND e.event = 'undecided' AND e.attempt_no = o.attempts))
  AND NOT (t.attempts > 1 AND EXISTS (SELECT 1 FROM events i JOIN events e USING (target_id, attempt_no)
    JOIN events o USING (target_id)
    WHERE i.target_id = t.target_id AND i.run_no = ?1 AND i.event = 'intent' AND o.attempt_no < i.attempt_no
      AND e.event IN ('no_proof', 'recovered') AND o.event IN ('no_proof', 'recovered')))

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

-- name: acting_users
SELECT user_id, count(*) FROM targets t
WHERE t.asked_by = ?1 AND t.entire_series = 0 AND t.asked_row > ?2 AND (?3 IS NULL OR t.asked_row <= ?3)
  AND t.account = ?4 AND t.state IN ('pending', 'waiting')
GROUP BY user_id ORDER BY count(*) DESC;

-- name: sendable_count
SELECT count(*) FROM targets
WHERE asked_by = ?1 AND state IN ('pending', 'waiting')
  AND (?2 IS NULL OR account = ?2) AND (?3 IS NULL OR asked_by = ?3
    AND asked_row > ?4 AND asked_row <= ?5
    AND entire_series = ?6);

-- name: waiting_count
SELECT count(*) FROM targets WHERE state = 'waiting' AND state IN ('pending', 'waiting');

-- name: left_by_run
SELECT asked_by, count(*) FROM targets WHERE state IN ('pending', 'waiting') GROUP BY asked_by;

-- name: accounts
SELECT account FROM targets WHERE asked_by = ?1 AND state IN ('pending', 'waiting')
UNION SELECT account FROM targets WHERE state IN ('sending', 'unknown') ORDER BY account;

-- The sending run's last event of a target tells until when its cancel was on the way: a process that was stopped
-- between intent and send, or a server that it waited for, may have let much time pass since the intent.
-- name: unknown
SELECT t.target_id, t.appointment_id, t.attendee_id, t.entire_series, t.reason, t.cancel_all, t.user_id, t.account,
  t.state, t.attempts, 0,
  t.attendee_id <> '' AND EXISTS (SELECT 1 FROM events e WHERE e.target_id = t.target_id AND e.event = 'seen_active'),
  NULL, NULL, t.intent_at, r.boot_id, r.mono_offset, t.start_at,
  (SELECT max(e.at) FROM events e
    WHERE e.target_id = t.target_id AND e.run_no = t.intent_run_no AND e.event NOT IN ('undecided', 'unverified')),
{undecided}
  , EXISTS (SELECT 1 FROM events e
    WHERE e.target_id = t.target_id AND e.event = 'unverified' AND e.attempt_no = t.attempts),
  r.settle_s
FROM targets t JOIN runs r ON r.run_no = t.intent_run_no
WHERE t.state = 'unknown' AND t.state IN ('sending', 'unknown') AND t.target_id > ?1
  AND (?3 IS NULL OR t.account = ?3) AND (?4 IS NULL OR t.asked_by = ?4
    AND t.asked_row > ?5 AND t.asked_row <= ?6
    AND t.entire_series = ?7)
ORDER BY t.target_id LIMIT ?2;

-- The cancel without an outcome that may be applied the longest: when it was last heard of, and its settle time.
-- name: last_unanswered
SELECT e.at, r.settle_s FROM targets t JOIN runs r ON r.run_no = t.intent_run_no
JOIN events e ON e.target_id = t.target_id AND e.run_no = t.intent_run_no
WHERE t.state IN ('sending', 'unknown') AND e.event IN ('intent', 'no_proof')
ORDER BY e.at + r.settle_s DESC LIMIT 1;

-- name: is_open
SELECT EXISTS (SELECT 1 FROM targets WHERE state IN ('sending', 'unknown'));

-- name: settle_of
SELECT settle_s FROM runs WHERE run_no = ?;

-- name: unknown_count
SELECT count(*) FROM targets WHERE state IN ('sending', 'unknown')
  AND (?1 IS NULL OR account = ?1) AND (?2 IS NULL OR asked_by = ?2
    AND asked_row > ?3 AND asked_row <= ?4
    AND entire_series = ?5);

-- Of all rows, or (?2) of those that first name a target. A column per state in the order of State: to group by it
-- would sort every row.
-- name: counts
SELECT count(*) FILTER (WHERE t.state = 'pending'),
  count(*) FILTER (WHERE t.state = 'sending'),
  count(*) FILTER (WHERE t.state = 'waiting'),
  count(*) FILTER (WHERE t.state = 'unknown'),
  count(*) FILTER (WHERE t.state = 'cancelled'),
  count(*) FILTER (WHERE t.state = 'already_cancelled'),
  count(*) FILTER (WHERE t.state = 'not_found'),
  count(*) FILTER (WHERE t.state = 'rejected'),
  count(*) FILTER (WHERE t.state = 'failed'),
  count(*) FILTER (WHERE t.state = 'skipped'),
  count(*) FILTER (WHERE t.state IS NULL)
FROM input_rows r LEFT JOIN targets t USING (target_id)
WHERE r.run_no = ?1 AND (r.first_row = r.row OR NOT ?2);

-- name: target_count
SELECT count(*) FROM input_rows WHERE run_no = ? AND first_row = row;

-- The reason that was mailed is that of the last intent: a later input may have asked with another one.
-- name: rows
SELECT r.row, r.first_row, r.problems, t.state, t.detail, t.http_status, t.attempts, t.settled_at, t.appointment_id,
  t.attendee_id, t.entire_series, t.cancel_all, t.reason, t.user_id, t.warnings, t.account,
  CASE WHEN t.state = 'cancelled' THEN (SELECT e.detail FROM events e
    WHERE e.target_id = t.target_id AND e.event = 'intent' ORDER BY e.event_id DESC LIMIT 1) END
FROM input_rows r LEFT JOIN targets t USING (target_id)
WHERE r.run_no = ? AND r.row > ? ORDER BY r.row LIMIT ?;

-- name: state_of
SELECT state, reason, cancel_all, user_id, account FROM targets
WHERE appointment_id = ? AND attendee_id = ? AND entire_series = ?;

-- name: mailed_of
SELECT CASE WHEN t.state = 'cancelled' THEN (SELECT e.detail FROM events e
  WHERE e.target_id = t.target_id AND e.event = 'intent' ORDER BY e.event_id DESC LIMIT 1) END
FROM targets t WHERE appointment_id = ? AND attendee_id = ? AND entire_series = ?;

-- name: find_target
SELECT target_id, appointment_id, attendee_id, entire_series, reason, cancel_all, user_id, account, state, attempts
FROM targets WHERE appointment_id = ? ORDER BY target_id;

-- name: history
SELECT e.event, e.attempt_no, e.at, e.http_status, e.detail, r.run_id FROM events e JOIN runs r USING (run_no)
WHERE e.target_id = ? ORDER BY e.event_id;

-- name: all_events
SELECT t.appointment_id, t.attendee_id, t.entire_series, r.run_id, e.event, e.attempt_no, e.at, e.http_status, e.detail
FROM events e JOIN targets t USING (target_id) JOIN runs r USING (run_no) ORDER BY e.event_id;

-- name: runs
SELECT run_no, run_id, status, started_at, ended_at, source, input_digest, out, summary, settle_s, provenance
FROM runs
WHERE ?1 = '' OR run_id = ?1 ORDER BY run_no DESC LIMIT ?2;

-- No read can settle the last attempt: a person has to.
-- name: undecided
EXISTS (SELECT 1 FROM events e
  WHERE e.target_id = t.target_id AND e.event IN ('undecided', 'unverified') AND e.attempt_no = t.attempts)

-- It is left out because it is not what was approved any more.
-- name: changed
(SELECT e.event FROM events e WHERE e.target_id = t.target_id ORDER BY e.event_id DESC LIMIT 1) = 'changed'

-- It was cancelled in this run, in one that died before it could tell, or in one without rows of its own.
-- name: told_here
EXISTS (SELECT 1 FROM events e JOIN runs x ON x.run_no = e.run_no
  WHERE e.target_id = t.target_id AND e.event IN ('cancelled', 'seen_cancelled')
    AND (e.run_no = ?1 OR x.status <> 'ended' OR x.input_digest = ''))

-- Who is to be asked or told, after a run. Money and after-effects are counted once per target.
-- name: concerns
SELECT count(*) FILTER (WHERE t.state IN ('unknown', 'sending') AND NOT
{undecided}
  ), count(*) FILTER (WHERE t.state = 'unknown' AND
{undecided}
  ), count(*) FILTER (WHERE t.state = 'failed'),
  count(*) FILTER (WHERE t.state = 'rejected'), count(*) FILTER (WHERE t.state = 'not_found'),
  count(*) FILTER (WHERE t.target_id IS NULL),
  count(*) FILTER (WHERE r.first_row = r.row AND t.state = 'cancelled' AND t.paid = 1),
  count(*) FILTER (WHERE r.first_row = r.row AND t.state = 'cancelled' AND t.warnings <> '' AND
{told_here}
  ), count(*) FILTER (WHERE t.state = 'skipped' AND
{changed}
  )
FROM input_rows r LEFT JOIN targets t USING (target_id) WHERE r.run_no = ?1;

-- name: concerning_rows
SELECT r.row, r.first_row, r.problems, t.state, t.detail, t.http_status, t.attempts, t.settled_at, t.appointment_id,
  t.attendee_id, t.entire_series, t.cancel_all, t.reason, t.user_id, t.warnings, t.account,
  CASE WHEN t.state = 'cancelled' THEN (SELECT e.detail FROM events e
    WHERE e.target_id = t.target_id AND e.event = 'intent' ORDER BY e.event_id DESC LIMIT 1) END
FROM input_rows r LEFT JOIN targets t USING (target_id) WHERE r.run_no = ?1 AND CASE ?2
  WHEN 'invalid' THEN t.target_id IS NULL
  WHEN 'unknown' THEN t.state IN ('unknown', 'sending') AND NOT
{undecided}
  WHEN 'undecided' THEN t.state = 'unknown' AND
{undecided}
  WHEN 'paid' THEN r.first_row = r.row AND t.state = 'cancelled' AND t.paid = 1
  WHEN 'warned' THEN r.first_row = r.row AND t.state = 'cancelled' AND t.warnings <> '' AND
{told_here}
  WHEN 'changed' THEN t.state = 'skipped' AND
{changed}
  ELSE t.state = ?2 END
ORDER BY r.row LIMIT ?3;

-- A run sends what its own rows name, so that its sends are found without reading the whole history.
-- name: send_span
SELECT min(e.at), max(e.at) FROM input_rows r CROSS JOIN events e USING (target_id)
WHERE r.run_no = ?1 AND r.first_row = r.row
  AND e.run_no = ?1 AND e.event = 'intent';

-- name: sends
SELECT CAST((e.at - ?2) / ?3 AS INTEGER) AS interval_no, count(*) FROM input_rows r CROSS JOIN events e USING (target_id)
WHERE r.run_no = ?1 AND r.first_row = r.row
  AND e.run_no = ?1 AND e.event = 'intent'
GROUP BY interval_no ORDER BY interval_no;

-- name: states_by_target
SELECT t.target_id, t.state, t.attempts, e.event, e.attempt_no FROM targets t LEFT JOIN events e USING (target_id)
ORDER BY t.target_id, e.event_id;

-- name: lost_siblings
SELECT t.target_id FROM targets t WHERE t.has_sibling = 0 AND EXISTS
  (SELECT 1 FROM targets o WHERE o.appointment_id = t.appointment_id AND o.target_id <> t.target_id);

-- name: get_meta
SELECT value FROM meta WHERE key = ?;

-- name: forget_meta
DELETE FROM meta WHERE key = ?;

-- name: set_meta
INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING;

-- Input rows have no index by target, so this reads them all, once per question of a person: hence the order.
-- name: namings
SELECT r.run_no, r.run_id, i.row, i.target_id FROM input_rows i CROSS JOIN runs r USING (run_no)
WHERE i.target_id IN (SELECT target_id FROM targets WHERE appointment_id = ?1) ORDER BY r.run_no, i.row LIMIT ?2;
