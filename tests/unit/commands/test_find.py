"""`find` against a sandbox: exactly the active ones of that day, zone and location, and nothing is changed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import structlog

from bulk_cancel.access.machine import Machine
from bulk_cancel.access.places import credential_lock, state_folder
from bulk_cancel.access.rate_limits import remember, remembered
from bulk_cancel.access.setup import set_up
from bulk_cancel.core.clock import PaceRecord
from bulk_cancel.core.credential import Credential
from bulk_cancel.engine.clock import system_clock
from bulk_cancel.errors import ConfigError
from bulk_cancel.ops.locks import locked
from bulk_cancel.planning.search import SELECTED, find_appointments, select_input
from bulk_cancel.sandbox import documents
from bulk_cancel.sandbox.credentials import EXPIRED_TOKEN, HOST_TOKEN, OWNER_TOKEN, PLATFORM_KEY
from bulk_cancel.sandbox.people import CHECK_UP, COLLEAGUE, HOST, OWNER
from bulk_cancel.sandbox.quirks import Quirk
from bulk_cancel.sandbox.server import Sandbox
from bulk_cancel.sandbox.world import CANARY, World
from bulk_cancel.settings.job import load_job, search_job
from support.find import AUTUMN, BERLIN, QUICK, SPRING, WORLDS, Find, Result, expected, of_owner, options

LOG = structlog.wrap_logger(structlog.ReturnLogger(), wrapper_class=structlog.make_filtering_bound_logger(50))
KEY = Credential(OWNER_TOKEN).fingerprint
pytestmark = pytest.mark.usefixtures("impatient")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def ids(text: str) -> list[str]:
    return [row["appointment_id"] for row in rows(text)]


def only_reads(sandbox: Sandbox) -> bool:
    return {arrival.method for arrival in sandbox.arrivals()} == {"GET"}


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
@pytest.mark.parametrize("location", [None, "BERLIN OFF", "hamburg", "online"])
def test_exactly_the_active_ones_of_day_zone_and_location(
    day: date, location: str | None, find: Find, sandbox: Sandbox
) -> None:
    sandbox.reset(options(WORLDS[day]))
    result = find(*(("--location", location) if location else ()), day=day)
    assert result.code == 0, result.stderr
    wanted = expected(
        WORLDS[day], day, lambda each: of_owner(each) and (location or "").casefold() in each.location.casefold()
    )
    assert len(wanted) > 20
    assert ids(result.stdout) == wanted
    assert only_reads(sandbox)


def test_find_takes_days_in_the_given_zone(command: Callable[..., Result], sandbox: Sandbox) -> None:
    wide = command("find", "--from", "2027-03-27", "--to", "2027-03-28", "--timezone", "America/New_York", *QUICK)
    first, last = (datetime.fromisoformat(rows(wide.stdout)[at]["start"]) for at in (0, -1))
    assert first.isoformat() == "2027-03-27T00:00:00-04:00"
    assert last.isoformat() == "2027-03-28T23:45:00-04:00"


def test_the_rows_tell_what_the_api_tells(find: Find, sandbox: Sandbox) -> None:
    for row in rows(find().stdout):
        there = sandbox.appointment(row["appointment_id"])
        assert datetime.fromisoformat(row["start"]) == there.start
        assert datetime.fromisoformat(row["end"]) == there.end
        assert row["start"] == there.start.astimezone(BERLIN).isoformat()
        assert row["location"] == there.location
        assert row["host_ids"].split() == sorted(there.host_ids)
        assert (row["meeting_type_id"], row["meeting"]) == (there.meeting_type.id, there.meeting_type.name)
        assert (row["group_booking"], row["paid"]) == (str(there.group).lower(), str(there.paid).lower())
        assert row["attendee_count"] == str(len(there.attendee_ids))


@pytest.mark.parametrize(
    ("words", "like"),
    [
        (("--host", HOST.id), lambda each: HOST.id in each.host_ids),
        (("--host", HOST.id.upper(), "--host", COLLEAGUE.id), lambda each: {HOST.id, COLLEAGUE.id} & {*each.host_ids}),
        (("--all-hosts",), lambda each: True),
        (("--all-hosts", "--channel", "VIDEO"), lambda each: each.channel == "video"),
        (("--meeting-type", CHECK_UP.id), lambda each: of_owner(each) and each.meeting_type == CHECK_UP),
    ],
    ids=["host", "two hosts", "all hosts", "channel", "meeting type"],
)
def test_find_returns_the_appointments_of_the_chosen_hosts_once(
    words: tuple[str, ...], like: Callable[..., bool], find: Find
) -> None:
    """A co-hosted appointment is in the lists of all its hosts, and comes once."""
    result = find(*words)
    wanted = expected(WORLDS[SPRING], SPRING, like)
    assert wanted
    assert ids(result.stdout) == wanted, result.stderr


def test_find_says_how_much_it_found_and_read(find: Find, sandbox: Sandbox) -> None:
    result = find("--all-hosts", "-o", "closure.csv")
    wanted = expected(WORLDS[SPRING], SPRING)
    requests = len(sandbox.arrivals())
    assert result.stdout == ""
    assert f"{len(wanted)} appointments on 2027-03-28 (Europe/Berlin)" in result.stderr
    assert "the first starts 2027-03-28 00:00 CET, the last 2027-03-28 23:" in result.stderr
    assert f"Read the lists of all 3 hosts in {requests} requests. No host was left out." in result.stderr
    assert "more are left out, being cancelled already." in result.stderr
    assert "not confirmed yet (double opt-in) are not included" in result.stderr
    assert "Written to closure.csv" in result.stderr


def test_the_same_bytes_every_time(find: Find) -> None:
    files = [Path(f"{name}{kind}") for kind in (".csv", ".parquet", ".xlsx") for name in "ab"]
    for file in files:
        result = find("--quiet", "-o", file)
        assert (result.code, result.stdout, result.stderr) == (0, "", "")
        assert file.stat().st_mode & 0o777 == 0o600
    for one, other in zip(files[::2], files[1::2], strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert find("--quiet").stdout.encode() == Path("a.csv").read_bytes()
    assert pl.read_parquet("a.parquet")["appointment_id"].to_list() == expected(WORLDS[SPRING], SPRING, of_owner)


def test_cancelled_appointments_are_found_on_request(find: Find) -> None:
    result = find("--include-cancelled")
    found = rows(result.stdout)
    cancelled = [row for row in found if row["is_cancelled"] == "true"]
    assert cancelled
    assert len(found) - len(cancelled) == len(expected(WORLDS[SPRING], SPRING, of_owner))
    assert f"{len(cancelled)} of them are cancelled already" in result.stderr


def test_find_names_nobody_unless_asked(find: Find, tmp_path: Path) -> None:
    results = [find("-o", f"a{kind}", "--all-hosts", "--json") for kind in (".csv", ".parquet", ".xlsx")]
    said = "".join(result.stdout + result.stderr for result in [*results, find()])
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert CANARY not in said.lower()
    assert CANARY.encode() not in written.lower()
    assert OWNER_TOKEN.encode() not in written + said.encode()

    with_contacts = find("-o", "people.csv", "--include-contacts", "--include-cancelled")
    assert CANARY not in (with_contacts.stdout + with_contacts.stderr).lower()
    naming = [path.name for path in tmp_path.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert naming == ["people.csv"]
    assert Path("people.csv").stat().st_mode & 0o777 == 0o600
    for row in rows(Path("people.csv").read_text()):
        people = zip(*(row[f"attendee_{what}"].split("; ") for what in ("names", "emails", "phones")), strict=True)
        assert all(CANARY in mail and phone.startswith("'+49") for _, mail, phone in people)
        assert row["attendee_emails"].count("@") == int(row["attendee_count"])


def test_contacts_are_only_written_to_a_file(find: Find, sandbox: Sandbox) -> None:
    result = find("--include-contacts")
    assert (result.code, result.stdout) == (2, "")
    assert "-o" in result.stderr
    assert not sandbox.arrivals()


def test_find_prints_one_json_document(find: Find, sandbox: Sandbox) -> None:
    result = find("--json", "--quiet", "-o", "a.parquet")
    wanted = expected(WORLDS[SPRING], SPRING, of_owner)
    document = result.document
    assert document["schema_version"] == 1
    assert (document["found"], document["out"], document["hosts"]) == (len(wanted), "a.parquet", 1)
    assert (document["from"], document["to"], document["timezone"]) == ("2027-03-28", "2027-03-28", "Europe/Berlin")
    assert document["first_start"].startswith("2027-03-28T00:")
    assert document["requests"] == len(sandbox.arrivals()) <= 12
    assert "double opt-in" in document["note"]


def test_nothing_found_is_said_clearly(find: Find) -> None:
    result = find("--location", "Atlantis")
    assert result.code == 0
    assert result.stdout.startswith("appointment_id,start,end,")
    assert result.stdout.count("\n") == 1
    assert (
        "Nothing found: no appointment with location 'Atlantis' starts on 2027-03-28 (Europe/Berlin)." in result.stderr
    )
    assert find("--location", "Atlantis", "--json", "-o", "a.csv").document["first_start"] is None


# -- trouble -----------------------------------------------------------------------------------------------------------


def test_a_platform_key_reads_as_the_user_it_names(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEETERGO_TOKEN", PLATFORM_KEY)
    nobody = find()
    assert nobody.code == 78
    assert "needs the id of the user it acts as" in nobody.stderr
    as_host = find("--user-id", HOST.id)
    assert ids(as_host.stdout) == expected(WORLDS[SPRING], SPRING, lambda each: HOST.id in each.host_ids)
    as_owner = find("--user-id", OWNER.id, "--host", COLLEAGUE.id)
    assert ids(as_owner.stdout) == expected(WORLDS[SPRING], SPRING, lambda each: COLLEAGUE.id in each.host_ids)


def test_a_platform_key_reads_all_hosts(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEETERGO_TOKEN", PLATFORM_KEY)
    result = find("--user-id", OWNER.id, "--all-hosts")
    assert ids(result.stdout) == expected(WORLDS[SPRING], SPRING)


def test_a_personal_token_has_no_user_id(find: Find) -> None:
    result = find("--user-id", OWNER.id)
    assert result.code == 78
    assert "personal access token" in result.stderr


@pytest.mark.parametrize(("words", "whose"), [(("--all-hosts",), "all hosts"), (("--host", OWNER.id), OWNER.id)])
def test_only_admins_read_other_hosts(
    words: tuple[str, ...], whose: str, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEETERGO_TOKEN", HOST_TOKEN)
    result = find(*words)
    assert (result.code, result.stdout) == (77, "")
    assert "(403): Only admins read" in result.stderr
    assert f"This was about {whose}: only an admin may read other hosts' appointments." in result.stderr
    assert find("--host", HOST.id).code == 0


def test_an_expired_credential(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEETERGO_TOKEN", EXPIRED_TOKEN)
    result = find("--json", "-o", "a.csv")
    assert result.code == result.document["exit_code"] == 77
    assert "401" in result.document["error"]
    assert not Path("a.csv").exists()


def test_an_api_that_is_not_there(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEETERGO_API_URL", "http://127.0.0.1:9/v4")
    Path("a.csv").write_text("before")
    result = find("-o", "a.csv", "--force", "--timeout", "200ms")
    assert result.code == 69
    assert Path("a.csv").read_text() == "before"


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("--timezone", "Mars/Olympus"), 2, "not a time zone"),
        (("--to", "2027-03-27"), 2, "the last day is before the first"),
        (("--from", "28.3.2027"), 2, "from: write a date"),
        (("--location", ""), 2, "location"),
        (("--host", "me"), 2, "host"),
        (("--host", HOST.id, "--all-hosts"), 2, "name hosts, or take all of them"),
        (("-o", "a.pdf"), 2, "a.pdf has an unknown ending"),
        (("--no-such-option",), 2, "There is no option --no-such-option."),
        (("--rate", "soon"), 2, "rate"),
    ],
)
def test_wrong_options_before_any_request(
    words: tuple[str, ...], code: int, complaint: str, find: Find, sandbox: Sandbox
) -> None:
    result = find(*words)
    assert (result.code, result.stdout) == (code, "")
    assert complaint in result.stderr
    assert not sandbox.arrivals()


def test_standard_output_holds_rows_or_a_document(find: Find, sandbox: Sandbox) -> None:
    result = find("--json")
    assert result.code == result.document["exit_code"] == 2
    assert "Name a file with -o" in result.document["advice"]
    assert not sandbox.arrivals()


@pytest.mark.process
def test_the_limit_is_kept_and_a_429_is_obeyed(find: Find, sandbox: Sandbox) -> None:
    sandbox.reset(options(WORLDS[SPRING], faults="get:429=0.1", retry_after="1", seed=3))
    result = find("--all-hosts", "--json", "-o", "a.csv", "--quiet")
    assert result.code == 0, result.stderr
    assert result.document["throttled"] >= 1
    assert ids(Path("a.csv").read_text()) == expected(WORLDS[SPRING], SPRING)


@pytest.mark.parametrize("seed", [1, 3])
def test_reads_that_go_wrong_are_repeated(seed: int, find: Find, sandbox: Sandbox) -> None:
    faults = "get:500=0.1,get:502=0.05,get:cut=0.05,get:truncated=0.05,get:html=0.05,get:lost=0.05,get:204=0.02"
    sandbox.reset(options(WORLDS[SPRING], faults=faults, seed=seed))
    result = find("--all-hosts", "--quiet")
    assert result.code == 0, result.stderr
    assert ids(result.stdout) == expected(WORLDS[SPRING], SPRING)


def test_reads_that_stay_wrong_leave_nothing_behind(find: Find, sandbox: Sandbox) -> None:
    sandbox.reset(options(WORLDS[SPRING], faults="get:html"))
    result = find("-o", "a.csv")
    assert result.code == 69
    assert list(Path().iterdir()) == []


def test_a_held_credential_is_waited_for_by_name(find: Find) -> None:
    with locked(credential_lock(state_folder(), KEY), "this credential"):
        result = find()
    assert result.code == 75
    assert "Another run holds this credential" in result.stderr


def test_what_was_used_of_the_limit_is_remembered_and_heeded(find: Find, environ: dict[str, str]) -> None:
    clock, slow = system_clock(), ("--rate", "40/s", "--burst", "3")
    assert find(*slow).code == 0
    left = remembered(Machine({}), KEY)
    assert left is not None
    assert left.tat_at > clock.now() - 1
    tat = clock.monotonic() + 1.5
    remember(Machine({}), KEY, PaceRecord(clock.base.wall(tat), tat, clock.base.boot_id))
    assert find(*slow).code == 0
    assert clock.monotonic() > tat - 0.1


# -- as an input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx"])
def test_the_file_of_find_is_an_input(kind: str, find: Find, command: Callable[..., Result]) -> None:
    found = find("--json", "-o", f"closure.{kind}", "--location", "berlin").document["found"]
    planned = command("plan", f"closure.{kind}", "--json")
    assert planned.code == 0, planned.stderr
    assert planned.document["rows"] == planned.document["targets"] == found


def test_the_columns_are_carried_through(find: Find, command: Callable[..., Result], sandbox: Sandbox) -> None:
    find("-o", "closure.csv", "--location", "hamburg")
    done = command("run", "closure.csv", "--yes", "--cancel-all", "--out", "out", *QUICK, "--no-skip-past")
    assert done.code == 0, done.stderr
    before, after = rows(Path("closure.csv").read_text()), rows(Path("out/results.csv").read_text())
    assert [{name: row[name] for name in before[0]} for row in after] == before
    assert {row["status"] for row in after} == {"cancelled"}
    assert sandbox.truth().applied == dict.fromkeys(ids(Path("closure.csv").read_text()), 1)
    assert ids(find("--location", "hamburg").stdout) == []


def test_a_job_selects_its_input(environ: dict[str, str], sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    table = '[select]\nfrom = 2027-03-28\nto = 2027-03-28\ntimezone = "Europe/Berlin"\nlocation = "berlin"\n'
    file.write_text(f'rate = "500/s"\nburst = 500\n{table}', encoding="utf-8")
    made, _ = select_input(set_up(load_job(str(file), {}), LOG, Machine(environ)), tmp_path / "into")
    assert made == tmp_path / "into" / SELECTED
    assert made.stat().st_mode & 0o777 == 0o600
    wanted = expected(WORLDS[SPRING], SPRING, lambda each: of_owner(each) and each.location == "Berlin office")
    assert ids(made.read_text()) == wanted
    assert only_reads(sandbox)
    with locked(credential_lock(state_folder(), KEY), "this credential"):
        pass  # it is free again for the run


def test_a_job_without_a_table_selects_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no \\[select\\] table"):
        find_appointments(set_up(load_job("a.csv", {}), LOG, Machine(environ)))


def test_a_timeout_of_the_environment_that_is_none(environ: dict[str, str]) -> None:
    job = search_job({"from": "2027-03-28", "to": "2027-03-28", "timezone": "UTC"}, {})
    with pytest.raises(ConfigError, match="MEETERGO_TIMEOUT_MS"):
        find_appointments(set_up(job, LOG, Machine({**environ, "MEETERGO_TIMEOUT_MS": "soon"})))


def test_appointments_whose_start_cannot_be_read_are_counted(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_moment", lambda *_: "soon")
    result = find("--json", "-o", "a.csv")
    assert result.code == result.document["exit_code"] == 4
    assert (result.document["found"], result.document["last_start"]) == (0, None)
    assert result.document["unreadable"] > 100
    assert "have starts or ends that cannot be read" in result.stderr
    assert [path.name for path in Path().iterdir()] == ["a.incomplete.csv"]


# -- nothing is missed, or it is said ----------------------------------------------------------------------------------


def test_a_server_that_gives_25_a_page_is_read_to_the_end(find: Find, sandbox: Sandbox) -> None:
    sandbox.reset(options(WORLDS[SPRING], quirks=frozenset({Quirk.PAGES_OF_25})))
    result = find("--all-hosts")
    assert result.code == 0, result.stderr
    assert ids(result.stdout) == expected(WORLDS[SPRING], SPRING)


def test_items_that_cannot_be_read_end_with_4_and_no_file_that_looks_whole(find: Find, sandbox: Sandbox) -> None:
    sandbox.reset(options(WORLDS[SPRING], quirks=frozenset({Quirk.BROKEN_ITEMS})))
    result = find("-o", "closure.csv", "--json")
    assert result.code == result.document["exit_code"] == 4
    assert "cannot be read" in " ".join(result.document["incomplete"])
    assert result.document["out"] == "closure.incomplete.csv"
    assert [path.name for path in Path().iterdir()] == ["closure.incomplete.csv"]
    assert len(ids(Path("closure.incomplete.csv").read_text())) == result.document["found"] > 50
    assert "Appointments may be missing:" in result.stderr
    piped = find()
    assert (piped.code, piped.stdout) == (4, "")


def test_a_file_that_is_there_is_replaced_only_by_force(find: Find, sandbox: Sandbox) -> None:
    for name in ("a.csv", "b.incomplete.csv"):
        Path(name).write_text("before")
    for name in ("a.csv", "b.csv"):
        refused = find("-o", name)
        assert refused.code == 2
        assert "exists already" in refused.stderr
    assert not sandbox.arrivals()
    assert Path("a.csv").read_text() == "before"
    assert find("-o", "a.csv", "--force").code == 0
    assert Path("a.csv").read_text() != "before"


def test_an_appointment_that_reaches_over_midnight_is_named_and_left_out(find: Find, sandbox: Sandbox) -> None:
    late = next(each for each in WORLDS[SPRING].appointments.values() if of_owner(each) and each.cancellation is None)
    midnight = datetime(2027, 3, 28, tzinfo=BERLIN)
    moved = replace(late, start=midnight - timedelta(minutes=15))
    sandbox.reset(options(World({**WORLDS[SPRING].appointments, late.id: moved}, WORLDS[SPRING].now)))
    result = find()
    named = (
        f"{late.id} began before these days, 2027-03-27 23:45 CET, and goes on into them, until 2027-03-28 00:15 CET"
    )
    assert named in result.stderr
    assert late.id not in ids(result.stdout)
    assert find("--json", "-o", "a.csv").document["reaching_in"].count(late.id) == 1


def test_find_says_whose_lists_it_read_and_whose_not(find: Find) -> None:
    assert "Read the credential's own list in" in find().stderr
    assert "Other hosts' appointments were not read: --all-hosts does, for an admin." in find().stderr
    named = find("--host", HOST.id).stderr
    assert f"Read the list of {HOST.id} in" in named
    assert "Other hosts' appointments were not read" in named
