"""`closed` against a sandbox: what is left of a day, what could not be told, and that nothing but reads is sent."""

from __future__ import annotations

import csv
import html
import io
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bulk_cancel.access.places import ledger_lock
from bulk_cancel.ops.locks import locked
from bulk_cancel.sandbox.credentials import HOST_TOKEN, OWNER_TOKEN, PLATFORM_KEY
from bulk_cancel.sandbox.people import CHECK_UP, COLLEAGUE, HOST, OWNER
from bulk_cancel.sandbox.quirks import Quirk
from bulk_cancel.sandbox.server import Sandbox
from bulk_cancel.sandbox.world import CANARY, Appointment, Kind, Wanted, World
from support.find import BERLIN, QUICK, Result, options

Command = Callable[..., Result]
WORLD = World.of([Wanted(), Wanted(), Wanted(Kind.OTHER_HOST)] * 20, seed=4)
DAY = (WORLD.now + timedelta(days=3)).astimezone(BERLIN).date()


def on_the_day(world: World, host_id: str | None = OWNER.id) -> list[Appointment]:
    there = [each for each in world.appointments.values() if each.start.astimezone(BERLIN).date() == DAY]
    return [each for each in there if host_id is None or host_id in each.host_ids]


def spread(world: World) -> World:
    """Put every second appointment on the day, each at a half hour of its own, and the others on the day after."""
    noon = datetime(DAY.year, DAY.month, DAY.day, 8, tzinfo=UTC)
    moved = {
        id_: replace(each, start=noon + timedelta(days=index % 2, minutes=30 * (index // 2 % 18)))
        for index, (id_, each) in enumerate(world.appointments.items())
    }
    return World(moved, world.now)


SPREAD = spread(WORLD)


@pytest.fixture
def closed(command: Command) -> Command:
    """Looks whether the day is closed."""

    def closed(*words: str | Path, day: date = DAY) -> Result:
        return command("closed", "--from", str(day), "--to", str(day), "--timezone", "Europe/Berlin", *QUICK, *words)

    return closed


def cancel_the_day(command: Command, *words: str) -> None:
    days = ("--from", str(DAY), "--to", str(DAY), "--timezone", "Europe/Berlin", *words)
    assert command("find", *days, *QUICK, "-o", "day.csv").code == 0
    done = command("run", "day.csv", "--yes", "--out", "done", *QUICK)
    assert done.code == 0, done.stderr


def levels(result: Result) -> dict[str, str]:
    return {check["name"]: check["level"] for check in result.document["checks"]}


def found(result: Result, name: str) -> str:
    return " ".join(str(check["found"]) for check in result.document["checks"] if check["name"] == name)


def test_a_day_with_appointments_and_open_slots_is_not_closed(closed: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD))
    result = closed("--json")
    assert result.code == result.document["exit_code"] == 3, result.stderr
    there = on_the_day(SPREAD)
    assert len(there) > 5
    assert [one["id"] for one in result.document["left"] if one["kind"] == "appointment"] == [
        each.id for each in sorted(there, key=lambda each: (each.start, each.id))
    ]
    assert levels(result) == {
        "appointments": "fail",
        "pending bookings": "ok",
        "bookable slots": "fail",
        "reminder": "warn",
    }
    assert f"{len(there)} with {OWNER.id}" in found(result, "appointments")


def test_a_cancelled_and_blocked_day_is_closed(closed: Command, command: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD))
    cancel_the_day(command)
    open_again = closed("--json")
    assert open_again.code == 3
    assert levels(open_again)["appointments"] == "ok"
    assert levels(open_again)["bookable slots"] == "fail"
    sandbox.block(DAY)
    before = len(sandbox.arrivals())
    result = closed("--json")
    assert result.code == 0, result.stdout
    assert result.document["left"] == []
    asked = sandbox.arrivals()[before:]
    assert {arrival.method for arrival in asked} == {"GET"}
    assert len(asked) == result.document["requests"] <= 40
    assert {"provisional-bookings", "availability", "meeting-types", "me"} <= {arrival.route for arrival in asked}


def test_an_appointment_that_came_after_the_run_is_called_new(
    closed: Command, command: Command, sandbox: Sandbox
) -> None:
    sandbox.reset(options(SPREAD))
    cancel_the_day(command)
    new = next(
        each for each in SPREAD.appointments.values() if OWNER.id in each.host_ids and each not in on_the_day(SPREAD)
    )
    with sandbox.lock:
        later = datetime.now(UTC) + timedelta(minutes=1)
        sandbox.book.replace(replace(new, start=on_the_day(SPREAD)[0].start, created_at=later))
    result = closed("--json")
    (left,) = [one for one in result.document["left"] if one["kind"] == "appointment"]
    assert left["id"] == new.id
    assert left["note"].startswith("new since the run ")
    assert "1 is new since the run " in found(result, "appointments")


def test_an_appointment_older_than_the_run_is_never_called_new(
    closed: Command, command: Command, sandbox: Sandbox
) -> None:
    """After a run for another day: these appointments may be another office's, and nobody is told to cancel them."""
    sandbox.reset(options(SPREAD))
    cancel_the_day(command)
    other_day = DAY + timedelta(days=1)
    result = closed("--json", day=other_day)
    left = [one for one in result.document["left"] if one["kind"] == "appointment"]
    assert left
    assert {one["note"].split(" run ")[0] for one in left} == {"not in the"}
    assert f"{len(left)} are not in the run " in found(result, "appointments")
    assert "whether they belong to the closure, a person decides." in found(result, "appointments")
    assert "new since" not in result.stdout
    assert "cancel them as the others" not in result.stdout


def test_without_a_run_a_person_decides(closed: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD))
    told = found(closed("--json"), "appointments")
    assert "are not in any run of this ledger: whether they belong to the closure, a person decides." in told


def test_closed_names_what_it_checked_wherever_it_shows_the_result(closed: Command, sandbox: Sandbox) -> None:
    """Without the filter, "None is active" would be said of the whole day, which nobody looked at."""
    sandbox.reset(options(SPREAD))
    narrowed = ("--location", "Berlin", "--meeting-type", CHECK_UP.id)
    named = f"location 'Berlin' and meeting type {CHECK_UP.id}"
    left = closed(*narrowed, "--json", "--out", "look")
    assert f" with {named} " in found(left, "appointments")
    assert f"None with meeting type {CHECK_UP.id} waits" in found(left, "pending bookings")
    assert f"Looked at: 1 meeting type of 1 host, those of appointments with {named}." in found(left, "bookable slots")
    assert left.document["selection"] == {
        "location": "Berlin",
        "meeting_type_id": CHECK_UP.id,
        "channel": None,
        "host_ids": [],
        "all_hosts": False,
    }
    assert left.document["provenance"]["command"].count("bulk-cancel closed --from ") == 1
    whole = f"{DAY} (Europe/Berlin), location 'Berlin', meeting type {CHECK_UP.id}, the credential's own list"
    page = Path("look/closed.html").read_text(encoding="utf-8")
    assert whole in html.unescape(page)
    # The page counts and names what the terminal does.
    slots = next(one for one in left.document["left"] if one["kind"] == "bookable slots")
    count = found(left, "bookable slots").partition(" on ")[0]
    assert re.fullmatch(r"(\d+) slots", count)
    assert re.search(rf"<h1>Not closed: \d+ appointments?, .*{count.replace(' ', ' bookable ')}\.</h1>", page)
    assert f'<span class="muted">{CHECK_UP.name}</span>' in page
    assert "no id" not in page
    assert re.fullmatch(rf"{count} start from \d\d:\d\d CES?T to \d\d:\d\d CES?T", slots["note"])
    assert "bulk-cancel closed --from" in page
    rows = list(csv.DictReader(io.StringIO(Path("look/left.csv").read_text())))
    assert {row["selection"] for row in rows} == {whole}
    nothing = closed("--location", "Nowhere")
    assert f"None with location 'Nowhere' is active on {DAY}" in nothing.stdout
    assert f"{DAY} (Europe/Berlin), location 'Nowhere', the credential's own list, " in nothing.stdout


def test_an_appointment_that_was_handed_over_is_told_by_its_host(
    closed: Command, command: Command, sandbox: Sandbox
) -> None:
    sandbox.reset(options(SPREAD))
    days = ("--from", str(DAY), "--to", str(DAY), "--timezone", "Europe/Berlin")
    assert command("find", *days, *QUICK, "-o", "day.csv").code == 0
    assert command("plan", "day.csv", "-o", "day.plan", *QUICK).code == 0
    handed = on_the_day(SPREAD)[0]
    with sandbox.lock:
        sandbox.book.replace(replace(handed, host_ids=(COLLEAGUE.id,)))
    assert command("run", "day.plan", "--yes", "--out", "done", *QUICK).code == 3  # it is not what was approved
    result = closed("--json", "--host", OWNER.id, "--host", COLLEAGUE.id)
    (left,) = [one for one in result.document["left"] if one["kind"] == "appointment"]
    assert (left["id"], left["host_ids"]) == (handed.id, [COLLEAGUE.id])
    assert "other hosts than planned" in left["note"]
    assert f"1 with {COLLEAGUE.id}" in found(result, "appointments")


# -- pending bookings --------------------------------------------------------------------------------------------------


def test_pending_bookings_are_listed_by_kind_and_host_without_names(closed: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD, pending=6))
    result = closed("--json", "--out", "look")
    pending = [one for one in result.document["left"] if one["kind"] == "pending booking"]
    assert len(pending) == 2
    assert {one["note"] for one in pending} <= {"for the guest to confirm", "for the host to approve"}
    assert levels(result)["pending bookings"] == "fail"
    assert ": 2 for the guest to confirm. 2 with" in found(result, "pending bookings")
    written = b"".join(path.read_bytes() for path in Path("look").iterdir())
    assert CANARY.encode() not in (result.stdout + result.stderr).lower().encode() + written.lower()
    assert {path.name for path in Path("look").iterdir()} == {"left.csv", "closed.html"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in Path("look").iterdir())


def test_names_are_in_the_table_when_a_person_asks_for_them(closed: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD, pending=6))
    assert closed("--include-contacts").code == 2
    result = closed("--include-contacts", "--out", "look")
    rows = list(csv.DictReader(io.StringIO(Path("look/left.csv").read_text())))
    assert all(CANARY in row["emails"] for row in rows if row["kind"] != "bookable slots")
    assert CANARY not in (result.stdout + result.stderr + Path("look/closed.html").read_text()).lower()
    secrets = ("password", "rwg", "coupon", "link", "waitlist", "payment", "secret")
    assert not [secret for secret in secrets if f"{CANARY}-{secret}" in Path("look/left.csv").read_text()]


@pytest.mark.parametrize(
    ("quirk", "why"),
    [
        (Quirk.PENDING_NAMES, "property status should not exist"),
        (Quirk.PENDING_RIGHTS, "(403): Only owners read provisional bookings"),
        (Quirk.PENDING_ITEMS, "shows pending bookings in a shape that is not known"),
        (Quirk.PENDING_ANY_STATUS, "as pending and as declined: it ignores the filter by status"),
    ],
)
def test_pending_bookings_that_the_api_does_not_show_cannot_be_told(
    quirk: Quirk, why: str, closed: Command, sandbox: Sandbox
) -> None:
    world = World({each.id: each for each in SPREAD.appointments.values() if each.kind is Kind.OTHER_HOST}, SPREAD.now)
    sandbox.reset(options(SPREAD, pending=6, quirks=frozenset({quirk})))
    assert levels(closed("--json"))["pending bookings"] == "could not tell"
    sandbox.reset(options(world, pending=3, quirks=frozenset({quirk})))
    sandbox.block(DAY)
    result = closed("--json", "--host", OWNER.id)
    if quirk is Quirk.PENDING_ANY_STATUS:  # no booking shows that the filter does nothing
        assert result.code == 0
    else:
        assert result.code == 4
        assert why in found(result, "pending bookings")


# -- bookable slots ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quirk", [Quirk.SLOTS_TIMES, Quirk.SLOTS_AVAILABLE, Quirk.SLOTS_BARE, Quirk.SLOTS_MISSING])
def test_an_availability_of_an_unknown_shape_cannot_be_told(
    quirk: Quirk, closed: Command, command: Command, sandbox: Sandbox
) -> None:
    sandbox.reset(options(SPREAD, quirks=frozenset({quirk})))
    cancel_the_day(command)
    result = closed("--json")
    assert result.code == 4
    assert levels(result)["bookable slots"] == "could not tell"
    assert ("not known" in found(result, "bookable slots")) == (quirk is not Quirk.SLOTS_MISSING)


def test_closed_asks_past_the_servers_cache(closed: Command, command: Command, sandbox: Sandbox) -> None:
    """The server keeps its answers: the day was blocked after the first look, and is open again after the third."""
    sandbox.reset(options(SPREAD))
    cancel_the_day(command)
    assert closed().code == 3
    sandbox.block(DAY)
    assert closed().code == 0
    sandbox.blocked.clear()
    assert closed().code == 3


def test_a_personal_token_does_not_list_other_hosts_meeting_types(closed: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(World({}, WORLD.now)))
    sandbox.block(DAY)
    assert closed().code == 0
    result = closed("--json", "--all-hosts")
    assert result.code == 4
    assert "The meeting types of 2 hosts cannot be listed with a personal token" in found(result, "bookable slots")
    assert closed("--host", HOST.id, "--meeting-type", CHECK_UP.id).code == 0


def test_a_platform_key_lists_every_hosts_meeting_types(
    closed: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEETERGO_TOKEN", PLATFORM_KEY)
    sandbox.reset(options(World({}, WORLD.now)))
    result = closed("--json", "--all-hosts", "--user-id", OWNER.id)
    assert result.code == 3
    assert {one["host_ids"][0] for one in result.document["left"]} == {OWNER.id, HOST.id, COLLEAGUE.id}
    sandbox.block(DAY)
    assert closed("--all-hosts", "--user-id", OWNER.id).code == 0


# -- what was asked for ------------------------------------------------------------------------------------------------


def test_a_job_names_the_days(command: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD))
    table = f'[select]\nfrom = {DAY}\nto = {DAY}\ntimezone = "Europe/Berlin"\n'
    Path("job.toml").write_text(f'rate = "500/s"\nburst = 500\n{table}', encoding="utf-8")
    assert command("closed", "job.toml", "--json").document["from"] == str(DAY)
    assert command("closed", "job.toml", "--from", str(DAY)).code == 2
    Path("plain.toml").write_text('input = "a.csv"\n', encoding="utf-8")
    refused = command("closed", "plain.toml")
    assert refused.code == 2
    assert "no [select] table that names days" in refused.stderr


def test_a_day_that_is_over_is_not_asked_about(closed: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD))
    result = closed(day=date(2024, 12, 24))
    assert (result.code, sandbox.arrivals()) == (0, ())
    assert "is over" in result.stdout


def test_lists_that_lack_appointments_are_no_closed_day(closed: Command, command: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD))
    cancel_the_day(command)
    sandbox.block(DAY)
    with sandbox.lock:
        sandbox.options = replace(sandbox.options, quirks=frozenset({Quirk.BROKEN_ITEMS}))
    result = closed("--json")
    assert result.code == 4
    assert levels(result)["appointments"] == "could not tell"
    assert "cannot be read" in found(result, "appointments")


def test_an_expired_credential_ends_as_find_does(
    closed: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEETERGO_TOKEN", HOST_TOKEN)
    sandbox.reset(options(SPREAD))
    assert closed("--all-hosts").code == 77


def test_quiet_says_nothing_of_a_closed_day_and_what_is_left_of_another(
    closed: Command, command: Command, sandbox: Sandbox
) -> None:
    sandbox.reset(options(SPREAD))
    told = closed("--quiet")
    assert "fail" in told.stdout
    assert "reminder" not in told.stdout
    cancel_the_day(command)
    sandbox.block(DAY)
    assert (closed("--quiet").stdout, closed("--quiet").stderr) == ("", "")
    assert OWNER_TOKEN not in told.stdout + told.stderr


def test_days_without_a_zone_are_refused_in_plain_words(command: Command) -> None:
    refused = command("closed", "--from", str(DAY), "--to", str(DAY))
    assert refused.code == 2
    assert "The options of the search are wrong: timezone: it is missing." in refused.stderr


# -- before and after a run --------------------------------------------------------------------------------------------

_BLOCK_FIRST = "Block the day first, in the dashboard: a slot that is cancelled can be booked again at once."


def test_plan_run_and_report_of_what_find_found_end_with_the_day(command: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD))
    days = ("--from", str(DAY), "--to", str(DAY), "--timezone", "Europe/Berlin")
    assert command("find", *days, *QUICK, "-o", "day.csv").code == 0
    then = f"Type: MEETERGO_API_URL={sandbox.url} bulk-cancel closed {' '.join(days)} --all-hosts"
    planned = command("plan", "day.csv", "--timezone", "Europe/Berlin", "-o", "day.plan", *QUICK)
    assert f"{_BLOCK_FIRST}\nThen check whether the days are closed. This checks all hosts." in planned.stdout
    assert f"\n{then}\n" in planned.stdout
    assert command(*shlex.split(then.partition(" bulk-cancel ")[2]), *QUICK).code in (0, 3, 4), "it can be typed"
    done = command("run", "day.plan", "--yes", "--out", "done", "--timezone", "Europe/Berlin", *QUICK)
    assert f"{_BLOCK_FIRST}\n" in done.stderr.partition("cancels sent")[0], "before anything is sent"
    assert done.stderr.endswith(f"\n{then}\n")
    page = Path("done/report.html").read_text()
    assert "Block the day now, if it is not blocked yet, in the dashboard" in page
    assert "Block the day first" not in page, "the cancels are sent"
    assert then in page
    assert "If <code>find</code> was given --location, --host or the like, add it." in page
    nothing_sent = command("run", "day.plan", "--yes", "--out", "twice", "--timezone", "Europe/Berlin", *QUICK)
    assert "0 cancels sent" in nothing_sent.stderr
    assert then not in nothing_sent.stderr + Path("twice/report.html").read_text()
    (_, first) = command("status", "--json").document["runs"][:2]
    assert command("report", first["run_id"], "--out", "again").code == 0
    assert then in Path("again/report.html").read_text()


def test_without_a_zone_no_command_is_told_that_cannot_be_typed(
    command: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.reset(options(SPREAD))
    days = ("--from", str(DAY), "--to", str(DAY), "--timezone", "Europe/Berlin")
    assert command("find", *days, *QUICK, "-o", "day.csv").code == 0
    planned = command("plan", "day.csv", *QUICK)
    assert "The zone of the days is not known: with --timezone the command is told here." in planned.stdout
    assert "ZONE" not in planned.stdout
    assert "bulk-cancel closed --" not in planned.stdout


def test_a_single_booking_is_never_called_a_group_booking(command: Command, sandbox: Sandbox) -> None:
    """`--cancel-all` is given for all rows; the plan's reading showed that none of them is a group booking."""
    sandbox.reset(options(SPREAD))
    days = ("--from", str(DAY), "--to", str(DAY), "--timezone", "Europe/Berlin")
    assert command("find", *days, *QUICK, "-o", "day.csv").code == 0
    told = [command("plan", "day.csv", "--cancel-all", "-o", "day.plan", *QUICK), command("show", "day.plan")]
    told.append(command("run", "day.plan", "--yes", "--out", "done", *QUICK))
    assert [one.code for one in told] == [0, 0, 0]
    everything = "".join(one.stdout + one.stderr for one in told) + Path("done/report.html").read_text()
    assert "everyone in the group" not in everything
    assert "if it is a group" not in everything


def test_a_group_is_told_as_such_by_the_plan_by_show_and_before_the_run_of_the_plan(
    command: Command, sandbox: Sandbox
) -> None:
    """The run of a plan reads nothing before it asks: the plan file says what the plan's reading has shown."""
    groups = World.of([Wanted(Kind.GROUP), Wanted()], seed=5)
    sandbox.reset(options(groups))
    Path("wishes.csv").write_text("appointment_id\n" + "\n".join(groups.appointments))
    given = ("--cancel-all", "--reason", "Closed", "--look", "each")
    planned = ("plan", "wishes.csv", *given, "-o", "day.plan", "--out", "audit", *QUICK)
    told = [command(*planned), command("show", "day.plan")]
    told.append(command("run", "day.plan", "--yes", *QUICK))
    assert [one.code for one in told] == [0, 0, 0]
    (people,) = re.findall(r"\d+ people get a mail[^.]*\.", told[0].stdout)
    headline = f"2 cancellations would be sent, 1 for everyone in a group. {people}"
    assert headline in Path("audit/plan.html").read_text(encoding="utf-8")
    for one in told:
        said = " ".join((one.stdout + one.stderr).split())
        assert said.count("everyone in the group") == 1
        assert "2 cancellations, 1 for everyone in a group, each with a mail" in said
        assert people in said
    again = command("run", "day.plan", "--yes", *QUICK)
    assert "get a mail" not in again.stdout + again.stderr, "they are settled"


def test_a_lock_is_told_in_the_zone_of_its_reader(command: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD))
    Path("wishes.csv").write_text(f"appointment_id\n{on_the_day(SPREAD)[0].id}\n")
    words = ("run", "wishes.csv", "--yes", "--ledger", "own.db", *QUICK)
    with locked(ledger_lock(Path("own.db").resolve()), "the ledger"):
        refused = command(*words, "--timezone", "Asia/Tokyo")
    assert refused.code == 75
    assert re.search(r"Another run holds the ledger .*, since [-0-9]+ [0-9:]+ JST\.", refused.stderr)


def test_a_job_that_selects_is_checked_by_its_name(command: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD))
    table = f'[select]\nfrom = {DAY}\nto = {DAY}\ntimezone = "Europe/Berlin"\n'
    Path("day off.toml").write_text(f'rate = "500/s"\nburst = 500\n{table}', encoding="utf-8")
    planned = command("plan", "day off.toml", "--json")
    assert planned.document["closure"] == f"MEETERGO_API_URL={sandbox.url} bulk-cancel closed 'day off.toml'"
    assert planned.document["actions"]["cancel"] == len(on_the_day(SPREAD))


def test_an_input_of_single_cancellations_is_no_closure(command: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD))
    Path("wishes.csv").write_text(f"appointment_id,start\n{on_the_day(SPREAD)[0].id},2026-12-01T09:00:00+01:00\n")
    planned = command("plan", "wishes.csv")
    assert planned.code == 0
    assert "Block the day" not in planned.stdout


def test_a_selection_that_may_lack_appointments_sends_nothing(command: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(SPREAD, quirks=frozenset({Quirk.BROKEN_ITEMS})))
    table = f'[select]\nfrom = {DAY}\nto = {DAY}\ntimezone = "Europe/Berlin"\n'
    Path("job.toml").write_text(f'rate = "500/s"\nburst = 500\n{table}', encoding="utf-8")
    refused = command("run", "job.toml", "--yes")
    assert refused.code == 4
    assert "The selection may lack appointments" in refused.stderr
    assert {arrival.method for arrival in sandbox.arrivals()} == {"GET"}
