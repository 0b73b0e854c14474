"""What is not the approved plan, to the last byte, is refused."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulk_cancel.core.actions import Action
from bulk_cancel.errors import Exit, InputMissingError, PlanError, UsageError
from bulk_cancel.plan_files import PlanFile, is_plan, open_plan
from support.plans import ABOUT, DAY, NOW, ONE_OF_EACH, line, uuid, write_plan

Change = Callable[[list[dict[str, Any]]], object]


def test_any_other_byte_is_refused(small: PlanFile) -> None:
    content = small.path.read_bytes()
    for place in range(len(content)):
        for flip in (0x01, 0x20, 0x80):
            small.path.write_bytes(content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :])
            with pytest.raises(PlanError) as caught:
                open_plan(small.path, now=NOW)
            assert caught.value.exit_code is Exit.BAD_INPUT


def test_a_cut_at_any_byte_is_refused(small: PlanFile) -> None:
    content = small.path.read_bytes()
    for size in range(len(content)):
        small.path.write_bytes(content[:size])
        with pytest.raises(PlanError):
            open_plan(small.path, now=NOW)


def test_a_missing_byte_or_line_is_refused(small: PlanFile) -> None:
    content = small.path.read_bytes()
    lines = content.splitlines(keepends=True)
    pieces = [content[:place] + content[place + 1 :] for place in range(len(content))]
    pieces += [b"".join(lines[:number] + lines[number + 1 :]) for number in range(len(lines))]
    for piece in pieces:
        small.path.write_bytes(piece)
        with pytest.raises(PlanError):
            open_plan(small.path, now=NOW)


@pytest.mark.parametrize("more", [b"\n", b" ", b"\0", b'{"row":99}\n', b"LAST"])
def test_added_bytes_are_refused(plan: PlanFile, more: bytes) -> None:
    content = plan.path.read_bytes()
    last = content.splitlines(keepends=True)[-1]
    plan.path.write_bytes(content + (last if more == b"LAST" else more))
    with pytest.raises(PlanError, match=r"damaged: .*(last line|digest)"):
        open_plan(plan.path, now=NOW)
    plan.path.write_bytes(more + content)
    with pytest.raises(PlanError):
        open_plan(plan.path, now=NOW)


def test_lines_in_another_order_are_refused(plan: PlanFile) -> None:
    lines = plan.path.read_bytes().splitlines(keepends=True)
    lines[1], lines[2] = lines[2], lines[1]
    plan.path.write_bytes(b"".join(lines))
    with pytest.raises(PlanError, match="does not have the digest in its last line"):
        open_plan(plan.path, now=NOW)


def forge(path: Path, change: Change) -> None:
    """Change a plan as a person would who also renews the digest."""
    lines = [json.loads(text) for text in path.read_text("ascii").splitlines()][:-1]
    change(lines)
    content = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in lines)
    digest = hashlib.sha256(content.encode()).hexdigest()
    path.write_text(f'{content}{{"digest":"{digest}"}}\n', "ascii")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[0].update(version=2), "another version than 1"),
        (lambda lines: lines[0].update(format="plan"), "does not say 'bulk-cancel plan'"),
        (lambda lines: lines[0].update(expires_at="tomorrow"), "line 1: expires_at"),
        (lambda lines: lines[0].pop("api_url"), "line 1: api_url is missing"),
        (lambda lines: lines[0].update(rows=3), "not those that its header counts"),
        (lambda lines: lines[0]["actions"].update(cancel=3, skip=2), "not those that its header counts"),
        (lambda lines: lines[0]["actions"].update(destroy=1), "line 1: actions"),
        (lambda lines: lines.pop(3), "not those that its header counts"),
        (lambda lines: lines[1].update(row=True), "line 2: row"),
        (lambda lines: lines[2].update(row=2), "row 2 comes after row 2"),
        (lambda lines: lines[1].update(action="destroy"), "line 2: action"),
        (lambda lines: lines[1].update(action=[]), "line 2: action"),
        (lambda lines: lines[1].update(appointment_id="x"), "line 2: appointment_id"),
        (lambda lines: lines[1].update(appointment_id=uuid(10).upper()), "line 2: appointment_id"),
        (lambda lines: lines[1].update(shell="rm"), "line 2: it has an unknown field"),
        (lambda lines: lines[1].pop("appointment_id"), "line 2: appointment_id is missing"),
        (lambda lines: lines[1].pop("why"), "line 2: why is missing"),
        (lambda lines: lines[1].update(first_row=1), "line 2: first_row"),
        (lambda lines: lines[7].pop("first_row"), "line 8: first_row"),
        (lambda lines: lines[7].update(first_row=8), "line 8: first_row"),
        (lambda lines: lines[2].update(cancel_all=True), "line 3: .*contradict"),
        (lambda lines: lines[3].update(cancel_all=False), "line 4: cancel_all"),
        (lambda lines: lines[1].update(host_ids="abc"), "line 2: host_ids"),
        (lambda lines: lines[12].update(appointment_id=uuid(1)), "line 13: it has an unknown field"),
        (lambda lines: lines[1].update(reason="x" * 2_000_000), "line 2: reason"),
        (lambda lines: lines[1].update(reason="🎄" * 251), "line 2: reason"),
        (lambda lines: lines[1].update(reason="Closed\x1b[2J"), "line 2: reason"),
        (lambda lines: lines[1].update(reason="Closed \ud83d"), "line 2: reason"),
        (lambda lines: lines[1].update(why="x" * 2001), "line 2: why"),
        (lambda lines: lines[1].update(why="\ud83d"), "line 2: why"),
        (lambda lines: lines[1].update(why="two\nlines"), "line 2: why"),
        (lambda lines: lines[1].update(start="x" * 65), "line 2: start"),
        (lambda lines: lines[1].update(host_ids=["x" * 65]), "line 2: host_ids"),
        (lambda lines: lines[1].update(row=1 << 53), "line 2: row"),
        (lambda lines: lines[0].update(input="\u202etxt.csv"), "line 1: input"),
        (lambda lines: lines[0].update(expires_at="2026-11-23T22:00:00+00:00"), "line 1: it is not written"),
        (lambda lines: lines[1].update(row=lines[1].pop("row")), "line 2: it is not written"),
    ],
)  # fmt: skip
def test_a_made_up_plan_is_refused(plan: PlanFile, change: Change, message: str) -> None:
    forge(plan.path, change)
    with pytest.raises(PlanError, match=message):
        open_plan(plan.path, now=NOW)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (b'"row":2,', b'"row":7,"row":2,'),
        (b'"reason":"Closed"', b'"reason":"Nobody reads this","reason":"Closed"'),
        (b'"row":2,', b'"row": 2,'),
        (b'"row":2,', b'"row":2.0,'),
        (b'"reason":"Closed"', b'"reason":"\\u0043losed"'),
    ],
)
def test_a_line_in_another_spelling_is_refused(plan: PlanFile, part: bytes, other: bytes) -> None:
    """What a person read in it may be the other value."""
    *lines, _ = plan.path.read_bytes().splitlines(keepends=True)
    assert part in lines[1]
    content = b"".join([lines[0], lines[1].replace(part, other), *lines[2:]])
    plan.path.write_bytes(content + f'{{"digest":"{hashlib.sha256(content).hexdigest()}"}}\n'.encode())
    with pytest.raises(PlanError, match=r"line 2: (it is not written as this program writes it|row)"):
        open_plan(plan.path, now=NOW)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"appointment_id\nx\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"[" * 100_000,
        b"\0" * 200,
        '{"format":"ä"}'.encode(),
    ],
)
def test_a_file_that_is_not_a_plan_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(PlanError, match="is not a plan, or is damaged"):
        open_plan(path, now=NOW)


def test_a_forged_line_that_is_not_json_is_refused(plan: PlanFile) -> None:
    lines = plan.path.read_bytes().splitlines(keepends=True)[:-1]
    for nonsense in (b"{\n", b"[1]\n", '{"row":"ä"}\n'.encode(), b"[" * 5000 + b"\n", b'{"row":1e999}\n'):
        content = b"".join([*lines, nonsense])
        digest = hashlib.sha256(content).hexdigest()
        plan.path.write_bytes(content + f'{{"digest":"{digest}"}}\n'.encode())
        with pytest.raises(PlanError, match="line 14"):
            open_plan(plan.path, now=NOW)


def test_an_expired_plan_is_refused_and_can_be_looked_at(plan: PlanFile) -> None:
    open_plan(plan.path, now=NOW + DAY - 1)
    with pytest.raises(PlanError, match=r"expired at 2026-11-23 23:00 CET") as caught:
        open_plan(plan.path, now=NOW + DAY)
    assert "Make a new plan" in caught.value.advice
    assert caught.value.exit_code is Exit.BAD_INPUT
    assert open_plan(plan.path, now=NOW + 9 * DAY, ignore_expiry=True).header.expired(NOW + 9 * DAY)


def test_the_approved_digest_is_accepted(plan: PlanFile) -> None:
    for approved in (plan.digest, plan.digest.upper(), f"sha256:{plan.digest}", f" {plan.digest}\n"):
        assert open_plan(plan.path, now=NOW, expect_digest=approved).digest == plan.digest


@pytest.mark.parametrize("digits", [12, 32, 63])
def test_a_part_of_the_digest_approves_nothing(plan: PlanFile, digits: int) -> None:
    with pytest.raises(UsageError, match="not the whole digest"):
        open_plan(plan.path, now=NOW, expect_digest=plan.digest[:digits])


def test_a_digest_with_the_same_beginning_is_another_one(plan: PlanFile) -> None:
    forged = plan.digest[:32] + plan.digest[32:].translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
    with pytest.raises(PlanError, match="is not the approved plan"):
        open_plan(plan.path, now=NOW, expect_digest=forged)


def test_another_digest_is_refused_and_both_are_named(plan: PlanFile, tmp_path: Path) -> None:
    other = write_plan(tmp_path / "other", ABOUT, [*ONE_OF_EACH, line(15)])
    with pytest.raises(PlanError, match="is not the approved plan") as caught:
        open_plan(plan.path, now=NOW, expect_digest=other)
    assert plan.digest in str(caught.value)
    assert other in str(caught.value)


@pytest.mark.parametrize("approved", ["", "abc", "0123456789a", "x" * 64, "0" * 65])
def test_a_text_that_is_not_a_digest_is_a_wrong_option(plan: PlanFile, approved: str) -> None:
    with pytest.raises(UsageError, match="--expect-digest"):
        open_plan(plan.path, now=NOW, expect_digest=approved)


def test_a_change_after_opening_is_noticed_before_the_last_row(plan: PlanFile, tmp_path: Path) -> None:
    write_plan(tmp_path / "other", ABOUT, [line(row, Action.CANCEL) for row in range(2, 60)])
    (tmp_path / "other").replace(plan.path)
    for read in (plan.rows, plan.lines, plan.approved):
        with pytest.raises(PlanError, match="changed while it was in use"):
            list(read())


def test_a_plan_that_is_not_there(path: Path) -> None:
    with pytest.raises(InputMissingError, match="There is no plan"):
        open_plan(path, now=NOW)
    assert is_plan(str(path))


def test_a_folder_or_pipe_in_place_of_a_plan_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(PlanError, match=r"not a file|cannot be read"):
            open_plan(place, now=NOW)
        assert not is_plan(str(place))


def test_a_plan_is_known_by_its_name_or_its_beginning(plan: PlanFile, tmp_path: Path) -> None:
    other = tmp_path / "renamed.txt"
    other.write_bytes(plan.path.read_bytes())
    table = tmp_path / "rows.ndjson"
    table.write_text('{"appointment_id": "x"}\n')
    answers = [is_plan(str(place)) for place in (plan.path, other, table, tmp_path / "no.csv")]
    assert answers == [True, True, False, False]
    assert not is_plan("-")
    assert not is_plan("s3://bucket/rows.csv")
    assert not is_plan("a\0b")
