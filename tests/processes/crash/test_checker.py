"""The checker notices: evidence in which every invariant is broken, and the sentences that say so."""

from __future__ import annotations

from pathlib import Path

from bulk_cancel.sandbox.record import Arrival
from bulk_cancel.sandbox.world import CANARY
from support.checker import Crash, read_past, violations
from support.lab import Lab, made_ids
from support.ledger_files import raw

FIRST, SECOND = made_ids(2)


def _double(lab: Lab) -> None:
    lab.sandbox.book.applied[FIRST] += 1


def _cancel_unlisted(lab: Lab) -> None:
    lab.sandbox.book.applied["an appointment that no row names"] += 1


def _post_without_intent(lab: Lab) -> None:
    lab.crashes[0] = Crash(lab.crashes[0].ledger, {FIRST: 7})


def _rewrite_history(lab: Lab) -> None:
    _edit(lab.ledger, "UPDATE events SET at = at - 1 WHERE event_id = 1", "events_stay")


def _forget_an_effect(lab: Lab) -> None:
    del lab.sandbox.book.applied[SECOND]


def _send_again_unread(lab: Lab) -> None:
    arrivals = lab.sandbox.record.arrivals
    arrivals[:] = [arrival for arrival in arrivals if arrival.method == "POST"]
    arrivals.append(Arrival(arrivals[-1].at, "POST", "cancel", _recovered(lab)))


def _recovered(lab: Lab) -> str:
    return str(next(event[0] for event in read_past(lab.ledger).events if event[4] == "recovered"))


def _lose_a_row(lab: Lab) -> None:
    results = lab.runs[-1].out / "results.csv"
    results.write_text("".join(results.read_text().splitlines(keepends=True)[:-1]))


def _send_after_the_end(lab: Lab) -> None:
    lab.runs.append(lab.runs[-1])  # it sent something, and is told to have come after itself


def _exceed_the_limit(lab: Lab) -> None:
    lab.sandbox.record.throttled += 1


def _leak(lab: Lab) -> None:
    (lab.folder / "a log").write_text(f"name: {CANARY.upper()}")


def _follow_a_redirect(lab: Lab) -> None:
    lab.sandbox.record.trapped += 1


def _edit(ledger: Path, sql: str, *drop: str) -> None:
    with raw(ledger, *drop) as connection:
        connection.execute(sql)


BREAKAGES = [
    (1, _double, f"2 cancels took effect on {FIRST}"),
    (1, _cancel_unlisted, "no row of the input names it"),
    (2, _post_without_intent, f"7 cancels of {FIRST} arrived, but the ledger held 1 intents"),
    (3, _rewrite_history, "was changed after it was written"),
    (3, _rewrite_history, "is not the beginning of the later one"),
    (4, _forget_an_effect, f"{SECOND} is marked cancelled, but no cancel of it took effect"),
    (5, _send_again_unread, "with fewer than two reads in between"),
    (6, _lose_a_row, "results.csv has 5 rows"),
    (7, _send_after_the_end, "a run after a complete one sent"),
    (8, _exceed_the_limit, "the server's own limit refused 1 requests"),
    (9, _leak, "a log contains zaunkoenig"),
    (10, _follow_a_redirect, "followed a redirect"),
]


def test_every_broken_invariant_is_told(lab: Lab) -> None:
    lab.run({"after cancel:2": "kill"})
    lab.until_done()
    assert violations(lab.evidence()) == []
    for breakage in dict.fromkeys(breakage for _, breakage, _ in BREAKAGES):
        breakage(lab)
    told = violations(lab.evidence())
    for number, _, sentence in BREAKAGES:
        assert any(line.startswith(f"invariant {number}: ") and sentence in line for line in told), (sentence, told)
