-- A server's commit is durable from `on` upwards; a stronger setting of an administrator stays. A client that is frozen within a
-- transaction is disconnected before others, which wait for its locks, give up; a machine that is gone is noticed, and
-- its locks are released, within a minute.
-- name: session
SELECT set_config('search_path', 'bulk_cancel', false),
  set_config('idle_in_transaction_session_timeout', '10s', false), set_config('lock_timeout', '15s', false),
  set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
  set_config('tcp_keepalives_count', '3', false),
  set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
    ELSE current_setting('synchronous_commit') END, false),
  set_config('default_transaction_isolation', 'read committed', false),
  current_setting('server_encoding');

-- A process that is frozen in the middle of a transaction keeps others from its chunk: the server ends the transaction.
-- Within a batch only the other two end it; servers before 17 do not have the first of them.
-- name: limit_transactions
SELECT set_config(name, $1, false) FROM pg_settings
WHERE name IN ('transaction_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout');

-- name: read_only
SELECT set_config('default_transaction_read_only', 'on', false);

-- name: is_standby
SELECT pg_is_in_recovery();

-- name: find_schema
SELECT to_regnamespace('bulk_cancel') IS NOT NULL, to_regclass('bulk_cancel.meta') IS NOT NULL,
  EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('bulk_cancel'));

-- name: create_schema
CREATE SCHEMA bulk_cancel;

-- name: create_tables
-- Tables and columns are those of docs/ledger.md; what only a shared ledger has is said here. Texts compare byte by byte,
-- as in Python: hence COLLATE "C". Times are seconds since the epoch, in which every float of Python keeps its value.
CREATE TABLE meta (
  key   text COLLATE "C" PRIMARY KEY,
  value text NOT NULL
);

-- The clock of all that is written, whatever the writing machine's clock says: a machine that was suspended
-- may be late.
CREATE FUNCTION wall_clock() RETURNS double precision LANGUAGE sql VOLATILE
RETURN extract(epoch FROM clock_timestamp())::double precision;

CREATE SEQUENCE run_numbers;

-- settle_s: seconds for which its unanswered cancels may still be applied.
-- stopped: why its workers are to stop. refused: targets that workers have found to be refused in it.

CREATE TABLE runs (
  run_no         bigint PRIMARY KEY,
  run_id         text COLLATE "C" NOT NULL UNIQUE,
  status         text COLLATE "C" NOT NULL CHECK (status IN ('staging', 'running', 'ended')),
  started_at     double precision NOT NULL,
  ended_at       double precision,
  settle_s       double precision NOT NULL,
  source         text NOT NULL DEFAULT '',
  input_digest   text NOT NULL DEFAULT '',
  out            text NOT NULL DEFAULT '',
  provenance     text NOT NULL DEFAULT '{}',
  summary        text,
  stopped        text NOT NULL DEFAULT '',
  refused        bigint NOT NULL DEFAULT 0
);

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
CREATE INDEX targets_series_sent ON targets (intent_at) WHERE entire_series AND attempts > 0;
CREATE INDEX targets_series_open ON targets (target_id) WHERE entire_series AND state IN ('sending', 'unknown');
CREATE INDEX targets_sendable ON targets (asked_by, account, entire_series, asked_row)
  WHERE state IN ('pending', 'waiting');

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

-- A chain of digests for each run and chunk, so that the workers of a run do not wait for each other. The first link of a
-- run, after no event, covers its beginning, as `beginnings` returns it.
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

-- What workers take. epoch: counted up whenever a chunk is taken, let go or ended; who knows the newest one has it.
-- heartbeat_at: the owner's last sign of life; NULL: nobody has it. silence_s: how long its owner may be silent.
-- given_back_at: when a worker first gave it back because it lacks what the chunk takes; nobody has sent since.
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
  silence_s    double precision NOT NULL DEFAULT 0,
  ended_at     timestamptz,
  given_back_at timestamptz,
  note         text NOT NULL DEFAULT '',
  posts        bigint NOT NULL DEFAULT 0,
  gets         bigint NOT NULL DEFAULT 0,
  throttled    bigint NOT NULL DEFAULT 0,
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

-- The law of core/states.py once more, for what writes past the program. A test compares the two. The condition
-- stands outside of the function, which is called for what is refused only.
CREATE TRIGGER targets_obey BEFORE UPDATE ON targets FOR EACH ROW
WHEN (OLD.state IS DISTINCT FROM NEW.state AND strpos(
  ' pending>sending pending>already_cancelled pending>not_found pending>rejected pending>skipped pending>failed'
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

-- What is there: kind, name, owner, and what it is. A trigger or a table with a switch in another place is of another kind.
-- name: schema
SELECT CASE WHEN c.relkind <> 'r' THEN 'relation' WHEN c.relrowsecurity THEN 'table with row security' ELSE 'table' END,
  c.relname, c.relowner::regrole::text, (SELECT string_agg(a.attname, ' ' ORDER BY a.attnum) FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_class c WHERE c.relnamespace = 'bulk_cancel'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
UNION ALL
SELECT CASE WHEN t.tgenabled = 'O' THEN 'trigger' ELSE 'trigger that is switched off' END, t.tgname || ' of ' || c.relname,
  c.relowner::regrole::text, pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'bulk_cancel'::regnamespace AND NOT t.tgisinternal
UNION ALL
SELECT 'rule', r.rulename, c.relowner::regrole::text, '' FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE c.relnamespace = 'bulk_cancel'::regnamespace AND c.relkind = 'r'
UNION ALL
SELECT 'function', format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), p.proowner::regrole::text, p.prosrc FROM pg_proc p
WHERE p.pronamespace = 'bulk_cancel'::regnamespace;

-- name: lock_schema
SELECT pg_advisory_xact_lock($1::integer, 2);

-- Staging reads the targets and then adds to them: one process after the other.
-- name: lock_staging
SELECT pg_advisory_xact_lock($1::integer, 3);

-- Taken before any target, by all writers: so they never deadlock.
-- name: lock_chain
SELECT pg_advisory_xact_lock(hashtextextended(format('bulk_cancel %s %s', $1::bigint, $2::bigint), 0));

-- name: set_schema
INSERT INTO meta (key, value) VALUES ('schema', $1::text);

-- Once all locks are held, and before anything is written.
-- name: event_ids
SELECT nextval('event_numbers'), wall_clock() FROM generate_series(1, $1::bigint);

-- name: insert_events
INSERT INTO events (event_id, target_id, run_no, chunk_no, event, attempt_no, at, http_status, detail)
SELECT e.event_id, e.target_id, e.run_no, $9::bigint, e.event, e.attempt_no, e.at, e.http_status, e.detail
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::integer[], $6::double precision[], $7::integer[],
  $8::text[]) AS e (event_id, target_id, run_no, event, attempt_no, at, http_status, detail);

-- name: where_they_are
SELECT target_id, state, attempts, appointment_id, attendee_id, entire_series FROM targets
WHERE target_id = ANY ($1::bigint[]) ORDER BY target_id FOR UPDATE;

-- name: apply_intents
WITH moved AS (
  UPDATE targets t SET state = n.becomes, attempts = n.attempt_no, intent_at = n.at, intent_run_no = n.run_no
  FROM unnest($1::text[], $2::integer[], $3::double precision[], $4::bigint[], $5::bigint[], $6::text[])
    AS n (becomes, attempt_no, at, run_no, target_id, was)
  WHERE t.target_id = n.target_id AND t.state = n.was AND t.attempts = n.attempt_no - 1 RETURNING 1)
SELECT count(*) FROM moved;

-- name: apply_outcomes
WITH moved AS (
  UPDATE targets t SET state = n.becomes, settled_at = n.settled_at,
    http_status = coalesce(n.http_status, t.http_status), detail = n.detail,
    start_at = coalesce(n.start_at, t.start_at), end_at = coalesce(n.end_at, t.end_at),
    meeting_type_id = coalesce(n.meeting_type_id, t.meeting_type_id), paid = coalesce(n.paid, t.paid),
    warnings = coalesce(n.warnings, t.warnings)
  FROM unnest($1::text[], $2::double precision[], $3::integer[], $4::text[], $5::bigint[], $6::text[], $7::integer[],
    $8::text[], $9::text[], $10::text[], $11::boolean[], $12::text[])
    AS n (becomes, settled_at, http_status, detail, target_id, was, attempt_no, start_at, end_at, meeting_type_id, paid,
      warnings)
  WHERE t.target_id = n.target_id AND t.state = n.was AND t.attempts = n.attempt_no RETURNING 1)
SELECT count(*) FROM moved;

-- name: last_seal
SELECT last_event_id, digest FROM seals WHERE run_no = $1 AND chunk_no = $2 ORDER BY last_event_id DESC LIMIT 1;

-- name: insert_seal
INSERT INTO seals (run_no, chunk_no, last_event_id, digest) VALUES ($1, $2, $3, $4);

-- name: begin_run
WITH new AS (SELECT nextval('run_numbers') AS run_no)
INSERT INTO runs (run_no, run_id, status, started_at, settle_s, source, input_digest, out, provenance)
SELECT new.run_no, $1, 'staging', wall_clock(), $2, $3, $4, $5, $6 FROM new RETURNING run_no;

-- name: end_run
UPDATE runs SET status = 'ended', ended_at = wall_clock(), summary = $2 WHERE run_no = $1;

-- name: create_staging
CREATE TEMPORARY TABLE staging (
  row bigint PRIMARY KEY, appointment_id text COLLATE "C", attendee_id text COLLATE "C", entire_series boolean,
  cancel_all boolean, reason text, user_id text, account text COLLATE "C", first_row bigint, problems text,
  stands boolean, target_id bigint) ON COMMIT DROP;

-- name: fill_staging
COPY staging (row, appointment_id, attendee_id, entire_series, cancel_all, reason, user_id, account, first_row, problems,
  stands) FROM STDIN;

-- name: find_staged
UPDATE staging s SET target_id = t.target_id FROM targets t
WHERE s.target_id IS NULL AND t.appointment_id = s.appointment_id AND t.attendee_id = s.attendee_id
  AND t.entire_series = s.entire_series;

-- name: know_staging
ANALYZE staging;

-- name: lock_staged
SELECT count(*) FROM (SELECT 1 FROM targets WHERE target_id IN (SELECT target_id FROM staging)
  ORDER BY target_id FOR UPDATE) locked;

-- name: mark_siblings
UPDATE targets o SET has_sibling = true FROM (
  SELECT DISTINCT s.appointment_id FROM staging s WHERE s.target_id > $1 AND EXISTS (SELECT 1 FROM targets t
    WHERE t.appointment_id = s.appointment_id AND t.target_id <> s.target_id)) shared
WHERE o.appointment_id = shared.appointment_id AND NOT o.has_sibling;

-- name: stage_restaged
WITH written AS (
  INSERT INTO events (target_id, run_no, chunk_no, event, attempt_no, at)
  SELECT t.target_id, $1, $2::bigint, 'restaged', t.attempts, wall_clock() FROM staging s JOIN targets t USING (target_id)
  WHERE s.first_row = s.row AND
{taken_up_again}
  ORDER BY s.row RETURNING *)
{sealed_of_written}

-- What a seal covers of the events that a statement has written.
-- name: sealed_of_written
SELECT w.event_id, t.appointment_id, t.attendee_id, t.entire_series, w.run_no, w.event, w.attempt_no, w.at,
  w.http_status, w.detail FROM written w JOIN targets t USING (target_id) ORDER BY w.event_id;

-- name: lock_sending
SELECT count(*) FROM (SELECT 1 FROM targets WHERE
{sending}
  ORDER BY target_id FOR UPDATE) locked;

-- name: recover_events
WITH written AS (
  INSERT INTO events (target_id, run_no, chunk_no, event, attempt_no, at)
  SELECT target_id, $6, $7::bigint, 'recovered', attempts, wall_clock() FROM targets WHERE
{sending}
  ORDER BY target_id RETURNING *)
{sealed_of_written}

-- Two targets suffice to know of one beside the target itself; they are looked up once, in their order, which leads
-- through their partial indexes also before the database knows how few they are.
-- name: with_series
WITH sent_series AS MATERIALIZED (
  SELECT target_id FROM targets WHERE entire_series AND attempts > 0 ORDER BY intent_at DESC LIMIT 2),
open_series AS MATERIALIZED (
  SELECT o.target_id FROM targets o WHERE o.entire_series AND o.state IN ('sending', 'unknown') AND
{not_undecided}
  ORDER BY o.target_id LIMIT 2),
open_beside_series AS MATERIALIZED (
  SELECT o.target_id FROM targets o WHERE $3 AND o.state IN ('sending', 'unknown') AND
{not_undecided}
  ORDER BY o.target_id LIMIT 2)

-- name: another_series_was_sent
  EXISTS (SELECT 1 FROM sent_series s WHERE s.target_id <> t.target_id)

-- name: series_heard
  (SELECT json_build_array(e.at, greatest(0, wall_clock() - e.at), (SELECT max(q.settle_s) FROM targets o
      JOIN runs q ON q.run_no = o.intent_run_no WHERE o.entire_series AND o.attempts > 0))::text
    FROM targets s JOIN runs r ON r.run_no = s.intent_run_no
    JOIN events e ON e.target_id = s.target_id AND e.run_no = r.run_no
    WHERE s.entire_series AND s.attempts > 0 ORDER BY e.event_id DESC LIMIT 1)

-- name: refused
  (SELECT json_build_array(e.at, greatest(0, wall_clock() - e.at), r.settle_s)::text
    FROM events e JOIN runs r USING (run_no)
    WHERE e.target_id = t.target_id AND e.event IN ('rejected', 'not_found') ORDER BY e.event_id DESC LIMIT 1)

-- name: no_series_meets_another
  NOT EXISTS (SELECT 1 FROM open_series s WHERE s.target_id <> t.target_id)
  AND NOT EXISTS (SELECT 1 FROM open_beside_series s WHERE s.target_id <> t.target_id)

-- name: age
  NULL, NULL, greatest(0, wall_clock() -
{last_heard}
  )

-- name: work
{with_series}
{work_columns}
FROM targets t
{work_conditions}
ORDER BY t.asked_row LIMIT $4;

-- Those of one page of the API's list.
-- name: listed_work
{with_series}
{work_columns}
FROM targets t
{work_conditions}
  AND t.appointment_id = ANY ($7)
ORDER BY t.asked_row LIMIT $4;

-- The newest event of the whole ledger, with the link of its chain that ends with it.
-- name: newest_event
SELECT e.event_id, s.digest FROM events e JOIN seals s ON s.run_no = e.run_no AND s.chunk_no = e.chunk_no
  AND s.last_event_id = e.event_id ORDER BY e.event_id DESC LIMIT 1;

-- name: seal_of
SELECT s.digest FROM events e JOIN seals s ON s.run_no = e.run_no AND s.chunk_no = e.chunk_no
  AND s.last_event_id = e.event_id WHERE e.event_id = $1;

-- name: states_of
SELECT t.state, t.reason, t.cancel_all, t.user_id, t.account
FROM unnest($1::text[], $2::text[], $3::boolean[]) WITH ORDINALITY
  AS s (appointment_id, attendee_id, entire_series, place)
LEFT JOIN targets t USING (appointment_id, attendee_id, entire_series) ORDER BY s.place;

-- name: mailed_of
SELECT
{mailed_reason}
FROM unnest($1::text[], $2::text[], $3::boolean[]) WITH ORDINALITY
  AS s (appointment_id, attendee_id, entire_series, place)
LEFT JOIN targets t USING (appointment_id, attendee_id, entire_series) ORDER BY s.place;

-- name: of_its_sends
FROM input_rows r JOIN events e USING (target_id)
WHERE r.run_no = $1 AND r.first_row = r.row AND e.run_no = $1 AND e.event = 'intent'
  AND NOT EXISTS (SELECT 1 FROM events n WHERE n.target_id = e.target_id AND n.attempt_no = e.attempt_no
    AND n.event = 'not_applied' AND n.http_status IS NULL)

-- name: sends
SELECT trunc((e.at - $2::double precision) / $3::double precision)::bigint AS interval_no, count(*)
{of_its_sends}
GROUP BY interval_no ORDER BY interval_no;

-- name: sealed_events
SELECT s.run_no, s.chunk_no, s.last_event_id, s.digest, e.event_id, t.appointment_id, t.attendee_id, t.entire_series,
  e.run_no, e.event, e.attempt_no, e.at, e.http_status, e.detail
FROM (SELECT e.*, (SELECT min(last_event_id) FROM seals s WHERE s.run_no = e.run_no AND s.chunk_no = e.chunk_no
    AND s.last_event_id >= e.event_id) AS link FROM events e) e
JOIN targets t USING (target_id)
FULL JOIN seals s ON s.run_no = e.run_no AND s.chunk_no = e.chunk_no AND s.last_event_id = e.link
ORDER BY coalesce(s.run_no, e.run_no), coalesce(s.chunk_no, e.chunk_no), s.last_event_id, e.event_id;

-- name: namings
SELECT r.run_no, r.run_id, i.row, i.target_id FROM input_rows i JOIN runs r USING (run_no)
WHERE i.target_id IN (SELECT target_id FROM targets WHERE appointment_id = $1) ORDER BY r.run_no, i.row LIMIT $2;

-- name: durability
SELECT current_setting('fsync');

-- name: fence
UPDATE chunks c SET heartbeat_at = clock_timestamp(), posts = posts + $4, gets = gets + $5, throttled = throttled + $6,
  given_back_at = CASE WHEN $4 > 0 THEN NULL ELSE given_back_at END
FROM runs r WHERE c.run_no = $1 AND c.chunk_no = $2 AND c.epoch = $3 AND r.run_no = c.run_no
RETURNING r.stopped, r.refused;

-- name: count_refused
UPDATE runs SET refused = refused + $2 WHERE run_no = $1 RETURNING refused;

-- name: stop_run
UPDATE runs SET stopped = $2 WHERE run_no = $1 AND stopped = '';

-- What is left of a run that was stopped, when nobody is at it any more.
-- name: end_given_up
UPDATE chunks c SET epoch = epoch + 1, ended_at = clock_timestamp()
WHERE c.run_no = $1 AND c.ended_at IS NULL AND EXISTS (SELECT 1 FROM runs WHERE run_no = $1 AND stopped <> '')
  AND NOT EXISTS (SELECT 1 FROM chunks o WHERE o.run_no = $1 AND o.ended_at IS NULL
    AND o.heartbeat_at > clock_timestamp() - make_interval(secs => o.silence_s));

-- Two who plan at once would mix their plans.
-- name: lock_plan
SELECT pg_advisory_xact_lock($1::integer, 4);

-- A chunk begins where the one before it ends, so that no row of its account lies between two chunks. A series that an
-- earlier run left without an outcome keeps all other rows waiting: it is in a chunk of series, and in one of other rows,
-- which looks it up before all others.
-- name: plan_chunks
WITH sendable AS (
  SELECT account, series, entire_series, asked_row,
    (row_number() OVER (PARTITION BY account, series ORDER BY asked_row) - 1) / $2::bigint AS piece
  FROM targets JOIN (VALUES (false), (true)) part (series)
    ON entire_series = series OR entire_series AND state IN ('sending', 'unknown')
  WHERE asked_by = $1
    AND state IN ('pending', 'waiting', 'sending', 'unknown')),
pieces AS (
  SELECT account, series, min(asked_row) AS first_row, max(asked_row) AS last_row,
    count(*) FILTER (WHERE entire_series = series) AS targets, bool_or(entire_series AND NOT series) AS looks_up
  FROM sendable GROUP BY account, series, piece)
INSERT INTO chunks (run_no, chunk_no, account, series, after_row, last_row, targets)
SELECT $1, row_number() OVER (ORDER BY looks_up DESC, first_row, series), account, series,
  lag(last_row, 1, 0::bigint) OVER (PARTITION BY account, series ORDER BY first_row), last_row, targets
FROM pieces WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE run_no = $1);

-- name: chunk_records
SELECT run_no, chunk_no, after_row, last_row, account, series, targets, owner, epoch,
  extract(epoch FROM clock_timestamp() - heartbeat_at)::double precision, ended_at IS NOT NULL, note,
  extract(epoch FROM clock_timestamp() - given_back_at)::double precision, posts, gets, throttled
FROM chunks

-- Of a run: all, or one of them.
-- name: chunks
{chunk_records}
WHERE run_no = $1 AND ($2::bigint IS NULL OR chunk_no = $2) ORDER BY chunk_no;

-- Asked whenever a chunk ends: it must not read all the others.
-- name: open_chunks
SELECT EXISTS (SELECT 1 FROM chunks WHERE run_no = $1 AND ended_at IS NULL AND NOT series),
  EXISTS (SELECT 1 FROM chunks WHERE run_no = $1 AND ended_at IS NULL AND series);

-- name: silent_chunks
{chunk_records}
WHERE ended_at IS NULL AND heartbeat_at <= clock_timestamp() - make_interval(secs => $1)
ORDER BY run_no, chunk_no;

-- name: take_chunk
UPDATE chunks SET owner = $3, epoch = epoch + 1, heartbeat_at = clock_timestamp(), silence_s = $4::double precision
WHERE run_no = $1 AND chunk_no = $2 AND ended_at IS NULL
RETURNING run_no, chunk_no, after_row, last_row, account, series, owner, epoch;

-- name: end_chunk
UPDATE chunks SET epoch = epoch + 1, ended_at = clock_timestamp(), note = $3 WHERE run_no = $1 AND chunk_no = $2;

-- name: end_account
UPDATE chunks SET epoch = epoch + 1, ended_at = clock_timestamp(), note = $3
WHERE run_no = $1 AND account = $2 AND ended_at IS NULL;

-- name: reopen_chunk
UPDATE chunks SET epoch = epoch + 1, owner = '', heartbeat_at = NULL,
  given_back_at = CASE WHEN $3 THEN coalesce(given_back_at, clock_timestamp()) ELSE given_back_at END
WHERE run_no = $1 AND chunk_no = $2;

-- Whoever finds the row locked waits, and then counts from what the other one has left.
-- name: reserve
INSERT INTO pace AS p (credential, tat_at)
VALUES ($1, wall_clock() + $2::double precision)
ON CONFLICT (credential) DO UPDATE SET tat_mono = 0, boot_id = NULL,
  tat_at = greatest(p.tat_at, wall_clock()) + $2::double precision
RETURNING greatest(0, tat_at - $2::double precision - wall_clock()), tat_at;

-- name: give_back
UPDATE pace SET tat_at = greatest(tat_at - $3::double precision, paused_to)
WHERE credential = $1 AND tat_at = $2::double precision;

-- name: pause
INSERT INTO pace AS p (credential, tat_at, paused_to)
SELECT $1, n.demanded, n.demanded
FROM (SELECT wall_clock() + $2::double precision AS demanded) n
ON CONFLICT (credential) DO UPDATE SET tat_mono = 0, boot_id = NULL,
  tat_at = greatest(p.tat_at, excluded.tat_at), paused_to = greatest(p.paused_to, excluded.paused_to);

-- name: paused_s
SELECT greatest(0, paused_to - $2::double precision - wall_clock()) FROM pace WHERE credential = $1;

-- name: try_alone
SELECT pg_try_advisory_lock($1::integer, 1);

-- name: try_with_others
SELECT pg_try_advisory_lock_shared($1::integer, 1);

-- name: holders
SELECT a.application_name, a.pid, coalesce(a.client_hostname, host(a.client_addr), 'this machine')
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1::bigint::oid AND l.objid = 1 AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND a.pid <> pg_backend_pid()
ORDER BY a.pid LIMIT 1;

-- name: holder_alone
SELECT a.pid, coalesce(a.client_hostname, host(a.client_addr), 'this machine'),
  extract(epoch FROM a.backend_start)::double precision
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ExclusiveLock' AND l.classid = $1::bigint::oid
  AND l.objid = 1 AND l.objsubid = 2 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: clock
SELECT wall_clock();

-- name: try_name
SELECT pg_try_advisory_lock(hashtextextended($1::text || ' ' || $2::text, 0));
