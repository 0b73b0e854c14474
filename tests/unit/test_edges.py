"""Every reader of what others wrote: at the edges it reads, or refuses in a sentence. Nothing there is "a bug"."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import bulk_cancel
from bulk_cancel.access.machine import Machine
from bulk_cancel.access.places import credential_pace
from bulk_cancel.access.rate_limits import remembered
from bulk_cancel.api.closure_documents import parse_meeting_types, parse_pending, parse_slots
from bulk_cancel.api.documents import (
    is_api_error,
    parse_appointment,
    parse_json,
    parse_message,
    parse_page,
    parse_users,
)
from bulk_cancel.cluster.approved_rows import approved_of, keep_approved
from bulk_cancel.cluster.chunk import ChunkResult
from bulk_cancel.cluster.run_settings import RunSettings
from bulk_cancel.commands.refusals import Refusal, read_refusal
from bulk_cancel.core.actions import Action, Approved, Expectation
from bulk_cancel.core.clock import TimeBase
from bulk_cancel.core.csv_dialect import CsvDialect, dialect_of
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.model import Answer, Chunk, Target
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.core.read_as import ReadAs, read_as_of
from bulk_cancel.core.states import Event
from bulk_cancel.engine.clock import Clock
from bulk_cancel.errors import BulkCancelError, ConfigError, Exit, InputError, LedgerError
from bulk_cancel.inputs import InputOptions, stage_input
from bulk_cancel.inputs.reading import reading_errors
from bulk_cancel.ledger.high_water import Marks
from bulk_cancel.ledger.port import RunRecord
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger, reading
from bulk_cancel.ops.locks import _holder
from bulk_cancel.ops.logs import make_log
from bulk_cancel.ops.metrics import write_metrics
from bulk_cancel.ops.notice import RunEnding
from bulk_cancel.plan_files import open_plan
from bulk_cancel.reports.result_folders import owner_of
from bulk_cancel.reports.summary import Requests, Summary, read_told, to_json
from bulk_cancel.settings.accounts import load_accounts
from bulk_cancel.settings.credentials import find_credential
from bulk_cancel.settings.job import load_job
from support.examples import examples
from support.given import entry, row, staged, target
from support.plans import ABOUT, NOW, ONE_OF_EACH, uuid, write_plan

EDGES = [
    b"0001-01-01T00:00:00", b"9999-12-31T23:59:59.999999+14:00", b"0001-01-01T00:00:00+14:00", b"9" * 5000, b"-1",
    b"1e999", b"-0", b"NaN", b"Infinity", b"[" * 3000, b'{"a":' * 3000, b"[[1e5,[null]]]", b"null", b"\0", b"\xff\xfe",
    b"\xef\xbb\xbf", b'"', b"\r", b"\n\n", b"\\ud83d", b"\\u0000", b"\x1b[2J", "\u202e🎄".encode(), b"=1+1",
    b"a" * 70_000,
]  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """How a valid file looks, what it is called, and what reads it."""

    name: str
    valid: Callable[[Path], bytes]
    read: Callable[[Path], object]


FRAME = pl.DataFrame(
    {
        "appointment_id": [uuid(number) for number in range(2, 9)],
        "reason": ["Closed"] * 7,
        "n": [1.5] * 7,
        "nested": [[1, 2]] * 7,
        "at": ["2026-12-01T09:00:00Z"] * 7,
    }
)
FLAT = FRAME.drop("nested")
DOCUMENT = {
    "id": uuid(2), "isCancelled": False, "start": "2026-12-01T09:00:00Z", "end": "2026-12-01T09:30:00Z",
    "attendeeIds": [uuid(3)], "attendees": [{"id": uuid(3), "name": "A"}], "hostIds": [uuid(4)], "paymentId": None,
    "cancel": {"actionAt": None}, "meetingInfo": {"name": "A"}, "resolvableErrors": [{"errorCode": "X"}],
}  # fmt: skip
ANSWERS = {
    **DOCUMENT, "appointments": [DOCUMENT], "users": [{"id": uuid(4)}], "total": 1, "statusCode": 400, "error": "Bad",
    "message": ["no"], "errors": [{"message": "no"}], "meetingTypes": [{"id": uuid(5)}],
    "provisionalBookings": [{"id": uuid(6), "dto": {"start": "2026-12-01T09:00:00Z", "attendee": {"name": "A"}}}],
    "dates": [{"spots": [{"startTime": "2026-12-01T09:00:00Z", "unavailabilityEvents": [], "takenSpots": 1}]}],
}  # fmt: skip
SUMMARY = Summary(
    run_id="r",
    rows=1,
    targets=1,
    counts={},
    requests=Requests(),
    elapsed_s=1.0,
    exit_code=0,
    out=None,
    ledger="l",
    next="",
)  # fmt: skip
REFUSAL = Refusal(1.0, 2.0, Exit.DISK, "The disk is full.", "bulk-cancel run a.csv")
ENDING = RunEnding(job="nightly", exit_code=Exit.OK, sentence="Done.", elapsed_s=1.0)
CLOCK = Clock(lambda: 5.0, TimeBase(None, 1000.0))
RUN = RunRecord(1, "r", "ended", 0.0, 1.0, "a.csv", "ab", "out", None)


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    write(buffer := io.BytesIO())
    return buffer.getvalue()


def _staged(path: Path) -> object:
    return stage_input(str(path), InputOptions({}, None, cancel_all=False), path.with_name("staged.parquet"))


def _plan(path: Path) -> bytes:
    write_plan(path, ABOUT, ONE_OF_EACH)
    return path.read_bytes()


def _answers(path: Path) -> None:
    value, answer = parse_json(path.read_bytes()), Answer(200)
    parse_appointment(value, NOW, with_contacts=True), parse_message(value), is_api_error(value, 400)
    parse_page(answer, value, NOW, with_contacts=True), parse_users(answer, value)
    parse_pending(answer, value, with_contacts=True), parse_meeting_types(answer, value), parse_slots(answer, value)


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="surrogateescape")


class _Kept:
    """A ledger, as far as the processes of a run keep something for each other in it."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def bind(self, key: str, value: str) -> None:
        self.text = value

    def meta(self, key: str) -> str | None:
        return self.text


def _run_settings(_: Path) -> bytes:
    job = load_job("-", {"send_window": "08:00-20:00 Europe/Berlin", "look": "each"})
    RunSettings.of(job, TimeLimit(60.0, "The time is over."), CLOCK).keep(kept := _Kept(), 1)
    return kept.text.encode()


def _approved(_: Path) -> bytes:
    rows = [(2, Target(uuid(2)), Approved(Action.CANCEL, "", Expectation("2031-01-01T09:00:00Z", ("h1",))))]
    keep_approved(kept := _Kept(), 1, rows)
    return kept.text.encode()


def _metrics(path: Path) -> bytes:
    write_metrics(path, ENDING, make_log(quiet=True))
    return path.read_bytes()


def _ledger(path: Path) -> bytes:
    ledger = SqliteLedger.open(made := path.with_name("made.db"))
    run_no = staged(ledger, row(2, 2), row(3, 3))
    ledger.append(run_no, [entry(target(ledger, 2), Event.INTENT)])
    ledger.close()
    return made.read_bytes()


def _remembered(path: Path) -> object:
    file = credential_pace(path.parent, "key")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(path.read_bytes())
    return remembered(Machine({}, state_folder=path.parent), "key")


def _read_ledger(path: Path) -> None:
    with reading(path) as ledger:
        ledger.runs(limit=9), ledger.unknown(0, 9), ledger.counts(1), ledger.verify(), ledger.rows(1, 0, 9)


READERS = [
    Reader("a.csv", lambda _: FLAT.write_csv().encode(), _staged),
    Reader("a.tsv", lambda _: FLAT.write_csv(separator="\t").encode(), _staged),
    Reader("a.csv.gz", lambda _: gzip.compress(FLAT.write_csv().encode()), _staged),
    Reader("a.ndjson", lambda _: FRAME.write_ndjson().encode(), _staged),
    Reader("a.json", lambda _: json.dumps(FRAME.to_dicts()).encode(), _staged),
    Reader("a.parquet", lambda _: _written(FRAME.write_parquet), _staged),
    Reader("a.xlsx", lambda _: _written(FLAT.write_excel), _staged),
    Reader("a.plan", _plan, lambda path: open_plan(path, now=NOW)),
    Reader(
        "job.toml", lambda _: b'input = "a.csv"\nrate = "5/s"\nsettle = "10m"\nyes = true\n', lambda p: load_job(str(p))
    ),
    Reader(
        "accounts.toml",
        lambda _: b'[accounts.berlin]\ntoken_env = "T"\nrate = "5/s"\nburst = 5\n',
        lambda path: load_accounts(load_job("a.csv", {"accounts": str(path)}), {}),
    ),
    Reader("answer.json", lambda _: json.dumps(ANSWERS).encode(), _answers),
    Reader("x.pace", lambda _: b'[1.5, 2.5, "boot"]', _remembered),
    Reader("x.holder", lambda _: b'{"pid": 1, "host": "h", "since": 1.5}', lambda p: str(_holder(p.with_name("x")))),
    Reader("0" * 32, lambda _: b"1 " + b"0" * 64 + b" 1 1\n/a/ledger.db\n", lambda path: Marks(path.parent).at("/a")),
    Reader("summary", lambda _: to_json(SUMMARY).encode(), lambda p: read_told(replace(RUN, summary=_text(p)))),
    Reader("provenance", lambda _: Provenance(user="a").to_json().encode(), lambda p: Provenance.from_json(_text(p))),
    Reader("token", lambda _: b"rgo-secret\n", lambda path: find_credential({"MEETERGO_TOKEN_FILE": str(path)})),
    Reader(
        "refused.json", lambda _: json.dumps(asdict(REFUSAL)).encode(), lambda path: read_refusal(path.read_bytes())
    ),
    Reader("x.prom", _metrics, lambda path: write_metrics(path, ENDING, make_log(quiet=True))),
    Reader(
        "group.holder",
        lambda _: b'{"pid": 1, "host": "h", "since": 1.5, "group": "a"}',
        lambda path: _holder(path.with_name("group")).group,
    ),
    Reader("summary.json", lambda _: to_json(SUMMARY).encode(), lambda path: owner_of(path.parent)),
    Reader("chunk", lambda _: ChunkResult(3, 77, "m").to_json().encode(), lambda p: ChunkResult.from_json(_text(p))),
    Reader("settings", _run_settings, lambda path: RunSettings.kept(_Kept(_text(path)), 1)),
    Reader("approved", _approved, lambda path: approved_of(_Kept(_text(path)), Chunk(1, 1, 1, 999))),
    Reader("ledger.db", _ledger, _read_ledger),
    Reader(
        "read as", lambda _: ReadAs({"reason": "Grund"}).as_text().encode(), lambda path: read_as_of(_text(path), ())
    ),
    Reader("dialect", lambda _: CsvDialect().as_text().encode(), lambda path: dialect_of(_text(path))),
]


_MADE: dict[str, bytes] = {}


def whole(reader: Reader, path: Path) -> bytes:
    """Return a valid file, made once: a workbook says when it was made."""
    if reader.name not in _MADE:
        _MADE[reader.name] = reader.valid(path)
    return _MADE[reader.name]


def lay(path: Path, content: bytes) -> None:
    """Write a file as this program would: for its owner alone."""
    path.touch(0o600)
    path.write_bytes(content)


def meddled(content: bytes, chance: random.Random) -> bytes:
    """Cut a file, change bytes of it, or put an edge into it; once, or a few times."""
    for _ in range(chance.choice([1, 1, 2, 4])):
        at = chance.randrange(len(content) + 1)
        until = at + chance.choice([0, 1, 4, 30])
        content = chance.choice(
            [
                content[:at],
                content[:at] + chance.randbytes(chance.choice([1, 4])) + content[until:],
                content[:at] + chance.choice(EDGES) + content[until:],
                content[:at] + content[until:],
            ]
        )
    return content


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_file_without_an_edge_is_read(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / reader.name
    lay(path, whole(reader, path))
    reader.read(path)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.randoms(use_true_random=False))
def test_a_file_that_was_meddled_with_is_read_or_refused_in_a_sentence(
    reader: Reader, chance: random.Random, tmp_path: Path
) -> None:
    path = tmp_path / reader.name
    lay(path, meddled(whole(reader, path), chance))
    with suppress(BulkCancelError):
        reader.read(path)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
@pytest.mark.parametrize("edge", [b"", *EDGES], ids=lambda edge: repr(edge[:12]))
def test_a_file_of_an_edge_alone_is_read_or_refused_in_a_sentence(reader: Reader, edge: bytes, tmp_path: Path) -> None:
    path = tmp_path / reader.name
    lay(path, edge)
    with suppress(BulkCancelError):
        reader.read(path)


SUMMARIES = ["no JSON", "[1]", '{"counts": 1}', to_json(SUMMARY).replace("cancelled", "x"), "[" * 9000, '{"next": ""}']


@pytest.mark.parametrize("summary", SUMMARIES)
def test_a_summary_that_is_none_of_ours_is_the_ledgers_fault(summary: str) -> None:
    with pytest.raises(LedgerError, match="in the ledger was not written by this program") as refused:
        read_told(replace(RUN, summary=summary))
    assert refused.value.exit_code is Exit.CONFIG


def test_our_own_summary_is_read() -> None:
    assert read_told(replace(RUN, summary=to_json(SUMMARY)))["exit_code"] == 0
    assert read_told(RUN) == {}


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError("failed to fill whole buffer"), InputError),
        (OSError(28, "No space left on device"), OSError),
        (OSError("No space left on device (os error 28)"), OSError),
    ],
)
def test_only_an_end_that_comes_too_early_is_the_inputs_fault(error: OSError, raised: type[Exception]) -> None:
    with pytest.raises(raised), reading_errors("a.parquet"):
        raise error


@pytest.mark.parametrize("text", ["[1]", "{}", "no JSON", '{"limits": {"weather": 1}}'])
def test_records_of_workers_that_are_not_ours_are_refused(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"The settings of run 1 .* not written by this program|does not know weather"
    ):
        RunSettings.kept(_Kept(text), 1)  # type: ignore[arg-type]


#: The files that read what others may have written, by themselves; what they read is among the readers above.
READING = {
    "access/rate_limits.py", "api/documents.py", "cluster/approved_rows.py", "cluster/chunk.py",
    "cluster/run_settings.py", "commands/refusals.py", "core/csv_dialect.py",
    "core/provenance.py", "core/read_as.py", "inputs/ndjson.py", "ledger/high_water.py", "ops/locks.py",
    "ops/metrics.py", "plan_files/format.py", "reports/result_folders.py", "reports/summary.py",
    "settings/accounts.py", "settings/credentials.py",
    "settings/job.py",
}  # fmt: skip
#: What they read is this program's own, the kernel's, or was read before.
OWN = {
    "cli/docs.py", "cli/sandbox.py", "engine/clock.py", "ledger/records.py",
    "ledger/statements.py", "reports/pages/rendering.py",
}  # fmt: skip


def test_every_file_that_reads_is_among_them() -> None:
    source = Path(bulk_cancel.__file__).parent
    reads = re.compile(r"json\.loads?\(|tomllib\.loads?\(|read_text\(|read_bytes\(")
    files = {path.relative_to(source).as_posix(): path.read_text("utf-8") for path in source.rglob("*.py")}
    found = {name for name, text in files.items() if reads.search(text) and not name.startswith("sandbox/")}
    assert found == READING | OWN
