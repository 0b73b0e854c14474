-- What both databases are asked alike, as PostgreSQL writes it: for SQLite `statements.py` rewrites the parameters and
-- leaves the casts out. A line with a name in braces stands for the text of that name.

-- name: save_pace
INSERT INTO pace (credential, tat_at, tat_mono, boot_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (credential) DO UPDATE SET tat_at = excluded.tat_at, tat_mono = excluded.tat_mono,
  boot_id = excluded.boot_id;

-- name: load_pace
SELECT tat_at, tat_mono, boot_id FROM pace WHERE credential = $1;

-- name: beginnings
SELECT run_no, run_id, started_at, settle_s, source, input_digest, out, provenance FROM runs
WHERE $1::bigint IS NULL OR run_no = $1 ORDER BY run_no;

-- name: start_run
UPDATE runs SET status = 'running' WHERE run_no = $1 AND status = 'staging';

-- name: newest_target
SELECT coalesce(max(target_id), 0) FROM targets;

-- name: stage_targets
INSERT INTO targets (appointment_id, attendee_id, entire_series, reason, cancel_all, user_id, account, asked_by,
  asked_row)
SELECT appointment_id, attendee_id, entire_series, reason, cancel_all, user_id, account, $1, row
FROM staging WHERE first_row = row AND target_id IS NULL ORDER BY row
ON CONFLICT (appointment_id, attendee_id, entire_series) DO NOTHING;

-- A refusal stands until the input asks for something else, or ($3) refusals are taken up again as they are; where an
-- approved plan sends nothing it stands in any case. What failed or was skipped is always taken up again.
-- name: taken_up_again
(t.state IN ('failed', 'skipped') OR t.state IN ('rejected', 'not_found') AND NOT s.stands AND ($3::boolean
  OR (t.reason, t.cancel_all, t.user_id, t.account) IS DISTINCT FROM (s.reason, s.cancel_all, s.user_id, s.account)))

-- A target without an outcome takes the newest request as well: if it proves not applied, that is what is sent.
-- name: stage_requests
UPDATE targets AS t SET reason = s.reason, cancel_all = s.cancel_all, user_id = s.user_id, account = s.account,
  asked_by = $1, asked_row = s.row,
  state = CASE WHEN t.state IN ('waiting', 'sending', 'unknown') THEN t.state ELSE 'pending' END,
  settled_at = NULL,
  http_status = CASE WHEN t.state IN ('sending', 'unknown') THEN t.http_status END,
  detail = CASE WHEN t.state IN ('sending', 'unknown') THEN t.detail ELSE '' END
FROM staging s
WHERE t.target_id = s.target_id AND s.first_row = s.row AND s.target_id <= $2
  AND (t.state IN ('pending', 'waiting', 'sending', 'unknown') OR
{taken_up_again}
  );

-- name: stage_rows
INSERT INTO input_rows (run_no, row, first_row, target_id, problems)
SELECT $1, row, first_row, target_id, problems FROM staging ORDER BY row;

-- Of one account, and of a chunk of a run's rows; NULL: of all. Series without an outcome are in chunks of other rows, too.
-- name: in_scope
  ($1::text IS NULL OR account = $1) AND ($2::bigint IS NULL OR asked_by = $2 AND asked_row > $3 AND asked_row <= $4
    AND (entire_series = $5 OR entire_series AND state IN ('sending', 'unknown')))

-- Here and below, the second condition on the state names the partial index: without it every target would be read.
-- name: sending
state = 'sending' AND state IN ('sending', 'unknown') AND
{in_scope}

-- name: recover_targets
UPDATE targets SET state = 'unknown', detail = 'the program ended before the answer was recorded' WHERE
{sending}

-- No person has to settle its last attempt yet.
-- name: not_undecided
NOT EXISTS (SELECT 1 FROM events e
  WHERE e.target_id = o.target_id AND e.event = 'undecided' AND e.attempt_no = o.attempts)

-- A target waits for its turn while another cancel of the same appointment is open, and is read first when one was
-- sent, or a series was: the answer to a series cancel does not name the siblings that it took along. So is what was
-- refused once, or is not cancelled by a person's word. Every target waits while a series is open, and a series while any
-- other target is: one may be of the other, which may still take effect. None waits any more for what is undecided, which
-- it is after its settle time.
-- What was sent after an unknown outcome, and became unknown again, is not sent a third time in the same run: what its
-- reads show may be an old state.
-- What a worker has to know of a target before it sends: whether it must be read first; whether its attendee was seen
-- in it; when a series that was sent was heard of last; when it was refused last; whether the whole appointment is known
-- as cancelled by another target.
-- name: work_columns
SELECT t.asked_row, t.target_id, t.appointment_id, t.attendee_id, t.entire_series, t.reason, t.cancel_all, t.user_id,
  t.account, t.state, t.attempts,
{another_series_was_sent}
  OR (t.has_sibling AND EXISTS (SELECT 1 FROM targets o WHERE o.appointment_id = t.appointment_id
    AND o.target_id <> t.target_id AND o.attempts > 0 AND '' IN (o.attendee_id, t.attendee_id)))
  OR EXISTS (SELECT 1 FROM events e WHERE e.target_id = t.target_id AND e.event IN
    ('rejected', 'not_found', 'seen_refused', 'seen_missing', 'resolved_not_cancelled')) AS must_be_read,
{attended}
  , t.start_at,
{series_heard}
  ,
{refused}
  , t.has_sibling AND EXISTS (SELECT 1 FROM targets o WHERE o.appointment_id = t.appointment_id
    AND o.target_id <> t.target_id AND o.attendee_id = '' AND o.state IN ('cancelled', 'already_cancelled'))

-- name: attended
  t.attendee_id <> '' AND EXISTS (SELECT 1 FROM events e WHERE e.target_id = t.target_id AND e.event = 'seen_active')

-- name: not_spent
  NOT (t.attempts > 1 AND EXISTS (SELECT 1 FROM events i JOIN events e USING (target_id, attempt_no)
    JOIN events o USING (target_id)
    WHERE i.target_id = t.target_id AND i.run_no = t.asked_by AND i.event = 'intent' AND o.attempt_no < i.attempt_no
      AND e.event IN ('no_proof', 'recovered') AND o.event IN ('no_proof', 'recovered')))

-- name: work_conditions
WHERE t.asked_by = $1 AND t.entire_series = $3 AND t.asked_row > $2
  AND ($6::bigint IS NULL OR t.asked_row <= $6) AND t.account = $5 AND t.state IN ('pending', 'waiting')
  AND NOT (t.has_sibling AND EXISTS (SELECT 1 FROM targets o WHERE o.appointment_id = t.appointment_id
    AND o.target_id <> t.target_id AND o.state IN ('sending', 'unknown') AND '' IN (o.attendee_id, t.attendee_id) AND
{not_undecided}
  )) AND
{no_series_meets_another}
  AND
{not_spent}

-- name: acting_users
SELECT user_id, count(*) FROM targets t
WHERE t.asked_by = $1 AND t.entire_series = false AND t.asked_row > $2 AND ($3::bigint IS NULL OR t.asked_row <= $3)
  AND t.account = $4 AND t.state IN ('pending', 'waiting')
GROUP BY user_id ORDER BY count(*) DESC;

-- name: sendable_count
SELECT count(*) FROM targets WHERE asked_by = $6 AND state IN ('pending', 'waiting') AND
{in_scope}

-- Of these, those that may be sent in this very run, once what they wait for is settled.
-- name: may_send_more
SELECT EXISTS (SELECT 1 FROM targets t WHERE asked_by = $6 AND state IN ('pending', 'waiting') AND
{not_spent}
  AND
{in_scope}
)

-- name: waiting_count
SELECT count(*) FROM targets WHERE state = 'waiting' AND state IN ('pending', 'waiting');

-- name: left_by_run
SELECT asked_by, count(*) FROM targets WHERE state IN ('pending', 'waiting') GROUP BY asked_by;

-- name: accounts
SELECT account FROM targets WHERE asked_by = $1 AND state IN ('pending', 'waiting')
UNION SELECT account FROM targets WHERE state IN ('sending', 'unknown') ORDER BY account;

-- The sending run's last event of a target tells until when its cancel was on the way: a process that was stopped
-- between intent and send, or a server that it waited for, may have let much time pass since the intent.
-- name: last_heard
  (SELECT max(e.at) FROM events e
    WHERE e.target_id = t.target_id AND e.run_no = t.intent_run_no AND e.event NOT IN ('undecided', 'unverified'))

-- name: unknown
SELECT t.target_id, t.appointment_id, t.attendee_id, t.entire_series, t.reason, t.cancel_all, t.user_id, t.account,
  t.state, t.attempts, false,
{attended}
  , t.intent_at, t.start_at,
{last_heard}
  ,
{undecided}
  , EXISTS (SELECT 1 FROM events e
    WHERE e.target_id = t.target_id AND e.event = 'unverified' AND e.attempt_no = t.attempts),
  r.settle_s,
{age}
FROM targets t JOIN runs r ON r.run_no = t.intent_run_no
WHERE t.state = 'unknown' AND t.state IN ('sending', 'unknown') AND t.target_id > $6 AND
{in_scope}
ORDER BY t.target_id LIMIT $7;

-- The cancel without an outcome that may be applied the longest: when it was last heard of, and its settle time.
-- name: last_unanswered
SELECT e.at, r.settle_s FROM targets t JOIN runs r ON r.run_no = t.intent_run_no
JOIN events e ON e.target_id = t.target_id AND e.run_no = t.intent_run_no
WHERE t.state IN ('sending', 'unknown') AND e.event IN ('intent', 'no_proof')
ORDER BY e.at + r.settle_s DESC LIMIT 1;

-- name: is_open
SELECT EXISTS (SELECT 1 FROM targets WHERE state IN ('sending', 'unknown'));

-- name: settle_of
SELECT settle_s FROM runs WHERE run_no = $1;

-- name: unknown_count
SELECT count(*) FROM targets WHERE state IN ('sending', 'unknown') AND
{in_scope}

-- Of all rows, or ($2) of those that first name a target. A column per state in the order of State: to group by it
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
WHERE r.run_no = $1 AND (r.first_row = r.row OR NOT $2);

-- name: target_count
SELECT count(*) FROM input_rows WHERE run_no = $1 AND first_row = row;

-- The reason that was mailed is that of the last intent: a later input may have asked with another one.
-- name: mailed_reason
  CASE WHEN t.state = 'cancelled' THEN (SELECT e.detail FROM events e
    WHERE e.target_id = t.target_id AND e.event = 'intent' ORDER BY e.event_id DESC LIMIT 1) END

-- name: row_records
SELECT r.row, r.first_row, r.problems, t.state, t.detail, t.http_status, t.attempts, t.settled_at, t.appointment_id,
  t.attendee_id, t.entire_series, t.cancel_all, t.reason, t.user_id, t.warnings, t.account,
{mailed_reason}
FROM input_rows r LEFT JOIN targets t USING (target_id) WHERE r.run_no = $1

-- name: rows
{row_records}
  AND r.row > $2 ORDER BY r.row LIMIT $3;

-- name: find_target
SELECT target_id, appointment_id, attendee_id, entire_series, reason, cancel_all, user_id, account, state, attempts
FROM targets WHERE appointment_id = $1 ORDER BY target_id;

-- name: history
SELECT e.event, e.attempt_no, e.at, e.http_status, e.detail, r.run_id FROM events e JOIN runs r USING (run_no)
WHERE e.target_id = $1 ORDER BY e.event_id;

-- name: all_events
SELECT t.appointment_id, t.attendee_id, t.entire_series::integer, r.run_id, e.event, e.attempt_no, e.at, e.http_status,
  e.detail
FROM events e JOIN targets t USING (target_id) JOIN runs r USING (run_no) ORDER BY e.event_id;

-- name: runs
SELECT run_no, run_id, status, started_at, ended_at, source, input_digest, out, summary, settle_s, provenance
FROM runs
WHERE $1 = '' OR run_id = $1 ORDER BY run_no DESC LIMIT $2;

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
    AND (e.run_no = $1 OR x.status <> 'ended' OR x.input_digest = ''))

-- Who is to be asked or told, after a run. Money and after-effects are counted once per target.
-- name: concerns
SELECT count(*) FILTER (WHERE t.state IN ('unknown', 'sending') AND NOT
{undecided}
  ), count(*) FILTER (WHERE t.state = 'unknown' AND
{undecided}
  ), count(*) FILTER (WHERE t.state = 'failed'),
  count(*) FILTER (WHERE t.state = 'rejected'), count(*) FILTER (WHERE t.state = 'not_found'),
  count(*) FILTER (WHERE t.target_id IS NULL),
  count(*) FILTER (WHERE r.first_row = r.row AND t.state = 'cancelled' AND t.paid),
  count(*) FILTER (WHERE r.first_row = r.row AND t.state = 'cancelled' AND t.warnings <> '' AND
{told_here}
  ), count(*) FILTER (WHERE t.state = 'skipped' AND
{changed}
  )
FROM input_rows r LEFT JOIN targets t USING (target_id) WHERE r.run_no = $1;

-- name: concerning_rows
{row_records}
  AND CASE $2::text
  WHEN 'invalid' THEN t.target_id IS NULL
  WHEN 'unknown' THEN t.state IN ('unknown', 'sending') AND NOT
{undecided}
  WHEN 'undecided' THEN t.state = 'unknown' AND
{undecided}
  WHEN 'paid' THEN r.first_row = r.row AND t.state = 'cancelled' AND t.paid
  WHEN 'warned' THEN r.first_row = r.row AND t.state = 'cancelled' AND t.warnings <> '' AND
{told_here}
  WHEN 'changed' THEN t.state = 'skipped' AND
{changed}
  ELSE t.state = $2 END
ORDER BY r.row LIMIT $3;

-- name: send_span
SELECT min(e.at), max(e.at)
{of_its_sends}

-- name: states_by_target
SELECT t.target_id, t.state, t.attempts, e.event, e.attempt_no FROM targets t LEFT JOIN events e USING (target_id)
ORDER BY t.target_id, e.event_id;

-- name: lost_siblings
SELECT t.target_id FROM targets t WHERE NOT t.has_sibling AND EXISTS
  (SELECT 1 FROM targets o WHERE o.appointment_id = t.appointment_id AND o.target_id <> t.target_id);

-- name: get_meta
SELECT value FROM meta WHERE key = $1;

-- name: set_meta
INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING;
