"""Every reader of what others wrote: at the edges it reads, or refuses in a sentence. Nothing there is "a bug"."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from bulk_cancel.access.rate_limits import remembered_pace
from bulk_cancel.api.closure_documents import parse_meeting_types, parse_pending, parse_slots
from bulk_cancel.api.documents import (
    is_api_error,
    parse_appointment,
    parse_json,
    parse_message,
    parse_page,
    parse_users,
)
from bulk_cancel.core.csv_dialect import CsvDialect, dialect_of
from bulk_cancel.core.model import Answer
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.errors import BulkCancelError, Exit, InputError, LedgerError
from bulk_cancel.inputs import InputOptions, stage_input
from bulk_cancel.inputs.reading import reading_errors
from bulk_cancel.ledger.high_water import Marks
from bulk_cancel.ledger.port import RunRecord
from bulk_cancel.ops.locks import _holder
from bulk_cancel.plan_files import open_plan, write_plan
from bulk_cancel.reports.summary import Requests, Summary, read_told, to_json
from bulk_cancel.settings.accounts import load_accounts
from bulk_cancel.settings.job import load_job
from support.examples import examples
from support.plans import ABOUT, NOW, ONE_OF_EACH, uuid

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
        lambda path: load_accounts(path, {}, load_job("a.csv")),
    ),
    Reader("answer.json", lambda _: json.dumps(ANSWERS).encode(), _answers),
    Reader("x.pace", lambda _: b'[1.5, 2.5, "boot"]', remembered_pace),
    Reader("x.holder", lambda _: b'{"pid": 1, "host": "h", "since": 1.5}', lambda p: str(_holder(p.with_name("x")))),
    Reader("0" * 32, lambda _: b"1 " + b"0" * 64 + b" 1 1\n/a/ledger.db\n", lambda path: Marks(path.parent).at("/a")),
    Reader("summary", lambda _: to_json(SUMMARY).encode(), lambda p: read_told(replace(RUN, summary=_text(p)))),
    Reader("provenance", lambda _: Provenance(user="a").to_json().encode(), lambda p: Provenance.from_json(_text(p))),
    Reader("dialect", lambda _: CsvDialect().as_text().encode(), lambda path: dialect_of(_text(path))),
]


_MADE: dict[str, bytes] = {}


def whole(reader: Reader, path: Path) -> bytes:
    """Return a valid file, made once: a workbook says when it was made."""
    if reader.name not in _MADE:
        _MADE[reader.name] = reader.valid(path)
    return _MADE[reader.name]


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
def test_a_whole_file_is_read(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / reader.name
    path.write_bytes(whole(reader, path))
    reader.read(path)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.randoms(use_true_random=False))
def test_a_file_that_was_meddled_with_is_read_or_refused_in_a_sentence(
    reader: Reader, chance: random.Random, tmp_path: Path
) -> None:
    path = tmp_path / reader.name
    path.write_bytes(meddled(whole(reader, path), chance))
    with suppress(BulkCancelError):
        reader.read(path)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
@pytest.mark.parametrize("edge", [b"", *EDGES], ids=lambda edge: repr(edge[:12]))
def test_a_file_of_an_edge_alone_is_read_or_refused_in_a_sentence(reader: Reader, edge: bytes, tmp_path: Path) -> None:
    path = tmp_path / reader.name
    path.write_bytes(edge)
    with suppress(BulkCancelError):
        reader.read(path)


SUMMARIES = ["no JSON", "[1]", '{"counts": 1}', to_json(SUMMARY).replace("cancelled", "x"), "[" * 9000, '{"next": ""}']


@pytest.mark.parametrize("summary", SUMMARIES)
def test_a_summary_that_is_none_of_ours_is_the_ledgers_fault(summary: str) -> None:
    with pytest.raises(LedgerError, match="summary of the run r in the ledger is none of this program's") as refused:
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
