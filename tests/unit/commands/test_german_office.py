"""A German office closes for a day: its clerk from find to closed, then what its manager and an auditor want to know.

Each answer comes from what the program wrote, with nobody left to ask.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from bulk_cancel.sandbox.server import Sandbox
from support.find import QUICK, Result, options
from unit.commands.test_closed import DAY, SPREAD, on_the_day

Command = Callable[..., Result]
NAMES = ("Jörg Müller-Lüdenscheidt", "Änne Süß", "Özlem Çelik")
DAYS = ("--from", str(DAY), "--to", str(DAY), "--timezone", "Europe/Berlin")
GERMAN_DAY = DAY.strftime("%d.%m.%Y")
OWN_REASON = "Wegen Wasserschadens geschlossen – bitte neu buchen."
GIVEN_REASON = f"Unser Büro ist am {GERMAN_DAY} geschlossen."
HEADER = ("Nr.", "Termin-ID", "Kunde", "Datum", "Grund")


def as_workbook(rows: list[tuple[str, str, str, str]]) -> Path:
    """A title above the names, dates as dates, a row that nobody has cleared up."""
    book = openpyxl.Workbook()
    book.active.append(["Schließung des Büros"])
    book.active.append([])
    book.active.append([*HEADER])
    for number, (id_, name, day, reason) in enumerate(rows, 1):
        cell = date(*reversed([int(part) for part in day.split(".")])) if day else None
        book.active.append([number, id_, name, cell, reason or None])
        book.active.cell(book.active.max_row, 4).number_format = "DD.MM.YYYY"
    book.save("Schließung.xlsx")
    return Path("Schließung.xlsx")


def as_csv(rows: list[tuple[str, str, str, str]]) -> Path:
    """As Excel saves it in Germany: semicolons, cp1252, dates as they are read."""
    with Path("Schließung.csv").open("w", encoding="cp1252", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(HEADER)
        writer.writerows((number, *row) for number, row in enumerate(rows, 1))
    return Path("Schließung.csv")


@pytest.mark.parametrize(
    ("write", "words", "blank"),
    [(as_workbook, (), "{Datum:%d.%m.%Y}"), (as_csv, ("--encoding", "cp1252"), "{Datum}")],
    ids=["xlsx", "csv"],
)
def test_a_german_office_closes_and_can_prove_it(
    command: Command,
    sandbox: Sandbox,
    write: Callable[[list[tuple[str, str, str, str]]], Path],
    words: tuple[str, ...],
    blank: str,
) -> None:
    sandbox.reset(options(SPREAD))
    assert command("find", *DAYS, *QUICK, "-o", "gefunden.csv").code == 0
    with Path("gefunden.csv").open(encoding="utf-8-sig", newline="") as file:
        found = [row["appointment_id"] for row in csv.DictReader(file)]
    rows = [(id_, NAMES[place % 3], GERMAN_DAY, OWN_REASON if place % 3 else "") for place, id_ in enumerate(found)]
    source = write([*rows, ("noch zu klären", "Karl Kühn", "", "")])

    reading = ("--map", "appointment_id=Termin-ID", "--map", "reason=Grund", *words)
    reason = f"Unser Büro ist am {blank} geschlossen."
    why = ("--reason", reason, "--ticket", "INC-4711 Wasserschaden", "--timezone", "Europe/Berlin")
    planned = command("plan", source, *reading, *why, "-o", "zu.plan", "--out", "prüfung", "--show", "Kunde", *QUICK)
    assert planned.code == 3, planned.stderr
    assert f"{len(found):>8}  to cancel" in planned.stdout
    assert GIVEN_REASON in planned.stdout
    shown = command("show", "zu.plan").stdout
    (digest,) = re.findall(r"digest\s+([0-9a-f]{64})", shown)
    assert digest in planned.stdout
    sandbox.block(DAY)  # a person does, as the program says before it asks
    approved = ("--expect-digest", digest, "--approved-by", "Änne Groß", "--yes")
    done = command("run", "zu.plan", *approved, "--out", "erledigt", "--show", "Kunde", *QUICK)
    assert done.code == 3, done.stderr
    assert "Block the day first" in done.stderr.partition("cancels sent")[0]

    # What was cancelled?
    assert sandbox.truth().applied == dict.fromkeys(found, 1)
    assert {*found} == {each.id for each in on_the_day(SPREAD)}
    semicolons = source.suffix == ".csv"
    with Path("erledigt/results.csv").open(encoding="utf-8-sig", newline="") as file:
        results = [*csv.DictReader(file, delimiter=";" if semicolons else ",")]
    assert [(row["Termin-ID"], row["Kunde"]) for row in results][:-1] == [row[:2] for row in rows]
    assert [row["status"] for row in results] == ["cancelled"] * len(found) + ["invalid"]
    # Why, in whose words?
    assert [row["mailed_reason"] for row in results][:3] == [GIVEN_REASON, OWN_REASON, OWN_REASON]
    history = command("explain", found[0]).stdout
    assert GIVEN_REASON in history.replace("\n  ", " ")
    # By whom, on which ticket, on whose approval, by which plan?
    status = command("status").stdout
    for told in (history, status):
        assert "ticket INC-4711 Wasserschaden, approved by Änne Groß" in told.replace("\n  ", " ")
    assert f"the plan's digest {digest}" in status
    page = Path("erledigt/report.html").read_text(encoding="utf-8")
    for fact in ("INC-4711 Wasserschaden", "Änne Groß", digest, "bulk-cancel run zu.plan", NAMES[0]):
        assert fact in page, fact
    assert command("ledger", "export", "-o", "verlauf.jsonl").code == 0
    begun = json.loads(Path("verlauf.jsonl").read_text(encoding="utf-8").partition("\n")[0])
    expected = {"ticket": "INC-4711 Wasserschaden", "approved_by": "Änne Groß", "plan_digest": digest}
    assert expected.items() <= begun.items()
    assert command("ledger", "verify").code == 0
    assert digest in Path("prüfung/plan.html").read_text(encoding="utf-8")
    # When, by their clocks?
    assert all(re.search(r"\+0[12]:00$", row["settled_at"]) for row in results[:-1])
    assert re.search(rf"{DAY} \d\d:\d\d CES?T", Path("prüfung/plan.html").read_text(encoding="utf-8"))
    # What is left?
    assert f"Results in {Path('erledigt').resolve()}" in status
    assert "invalid.csv (1 row)" in status
    assert "Karl Kühn" in Path("erledigt/invalid.csv").read_text(encoding="utf-8-sig")
    assert f"Type: MEETERGO_API_URL={sandbox.url} bulk-cancel closed {' '.join(DAYS)}" in status
    looked = command("closed", *DAYS, *QUICK, "--out", "blick")
    assert looked.code == 0, looked.stdout
    assert "Closed: nothing is left." in looked.stdout
    assert Path("blick/left.csv").read_text(encoding="utf-8").count("\n") == 1
