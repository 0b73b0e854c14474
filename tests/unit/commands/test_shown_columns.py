"""`--show COLUMN`: a person's columns beside the ids, where somebody asks for them. And what a plan's results have."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulk_cancel.sandbox.server import Sandbox
from bulk_cancel.sandbox.world import Wanted, World
from support.find import QUICK, Result, options

Command = Callable[..., Result]
WORLD = World.of([Wanted() for _ in range(3)], seed=9)
NAME = "Jörg Müller-Lüdenscheidt"
SHOWN = ("--show", "kunde", "--show", "Telefon")


@pytest.fixture
def source(sandbox: Sandbox) -> Path:
    """As a German spreadsheet saves it: semicolons, cp1252, umlauts; the second row cannot be used."""
    sandbox.reset(options(WORLD))
    first, second, third = WORLD.appointments
    rows = ("Termin;Kunde;Telefon", f"{first};{NAME};0151 23", "keine;Elfi Groß;", f"{second};<b>Öz</b>;=1+1", third)
    path = Path("schließung.csv")
    path.write_bytes("\r\n".join(rows).encode("cp1252"))
    return path


READ = ("--encoding", "cp1252", "--map", "appointment_id=Termin")


def plan(command: Command, source: Path, *words: str) -> Result:
    made = command("plan", source, *READ, *QUICK, *words)
    assert made.code == 3, made.stderr
    return made


def columns(path: str) -> Iterator[tuple[str, str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            yield row["Kunde"], row["status"]


def test_nothing_of_a_person_is_shown_unasked(command: Command, source: Path) -> None:
    told = plan(command, source, "--out", "audit").stdout
    done = command("run", source, *READ, *QUICK, "--yes", "--out", "done")
    assert done.code == 3
    for text in (told, done.stderr, Path("audit/plan.html").read_text(), Path("done/report.html").read_text()):
        assert NAME not in text
        assert "Telefon" not in text
    assert "Appointments and people go by their ids." in Path("done/report.html").read_text()


def test_the_plan_and_both_pages_show_the_columns_beside_the_id(command: Command, source: Path) -> None:
    told = plan(command, source, "--out", "audit", *SHOWN).stdout
    lines = told.splitlines()
    at = next(number for number, line in enumerate(lines) if f"Kunde: {NAME}" in line)
    assert next(iter(WORLD.appointments)) in lines[at]
    assert lines[at + 1].strip() == "Telefon: 0151 23"
    assert lines[at + 2].strip() == "(no reason)"
    assert "Kunde: Elfi Groß" in told, "an invalid row, too"
    assert command("run", source, *READ, *QUICK, "--yes", "--out", "done", *SHOWN).code == 3
    for page in ("audit/plan.html", "done/report.html"):
        text = Path(page).read_text(encoding="utf-8")
        assert f'<span class="muted">Kunde:</span> <bdi>{NAME}</bdi>' in text
        assert text.count("Elfi Groß") == 2, "in the table, and among what needs a person"
        assert "&lt;b&gt;Öz&lt;/b&gt;" in text
        assert text.count("Telefon:</span>") == 2, "an empty cell shows nothing"
        assert "Shows Kunde, Telefon of the input, as somebody asked for it: personal data." in text


def test_report_shows_them_when_it_is_asked_and_not_otherwise(command: Command, source: Path) -> None:
    assert command("run", source, *READ, *QUICK, "--yes", "--out", "done", *SHOWN).code == 3
    assert command("report", "--out", "plain").code == 0
    assert NAME not in Path("plain/report.html").read_text(encoding="utf-8")
    assert command("report", "--out", "named", "--show", "Kunde").code == 0
    assert NAME in Path("named/report.html").read_text(encoding="utf-8")
    refused = command("report", "--out", "other", "--show", "Name")
    assert (refused.code, Path("other").exists()) == (2, False)
    assert "The input has no column Name, which --show names." in refused.stderr


@pytest.mark.parametrize("words", [("plan",), ("run", "--yes")])
def test_a_column_that_is_not_there_is_refused_before_anything(
    command: Command, source: Path, sandbox: Sandbox, words: tuple[str, ...]
) -> None:
    refused = command(words[0], source, *READ, *QUICK, "--show", "Name", *words[1:])
    assert refused.code == 2
    assert "The input has no column Name, which --show names." in refused.stderr
    assert "Nothing was sent or written. It has: Termin, Kunde, Telefon." in refused.stderr
    assert not sandbox.truth().applied


def test_what_an_approved_plan_did_has_the_columns_of_its_input(command: Command, source: Path) -> None:
    plan(command, source, "-o", "closure.plan")
    assert NAME not in Path("closure.plan").read_text(encoding="ascii").encode().decode("unicode_escape")
    done = command("run", "closure.plan", *QUICK, "--yes", "--out", "done", *SHOWN)
    assert done.code == 3, done.stderr
    assert [*columns("done/results.csv")] == [
        (NAME, "cancelled"), ("Elfi Groß", "invalid"), ("<b>Öz</b>", "cancelled"), ("", "cancelled"),
    ]  # fmt: skip
    assert "Elfi Groß" in Path("done/invalid.csv").read_text(encoding="utf-8-sig")
    assert NAME in Path("done/report.html").read_text(encoding="utf-8")
    assert "not at hand" not in done.stderr


@pytest.mark.parametrize(
    ("happened", "why"),
    [("gone", "schließung.csv is not here."), ("another", "schließung.csv has changed since.")],
)
def test_columns_of_another_file_are_never_taken_for_those_of_the_plan(
    command: Command, source: Path, sandbox: Sandbox, happened: str, why: str
) -> None:
    plan(command, source, "-o", "closure.plan")
    before = source.read_bytes()
    source.unlink()
    if happened == "another":
        source.write_bytes(before.replace(b"0151", b"0152"))
    refused = command("run", "closure.plan", *QUICK, "--yes", "--out", "done", *SHOWN)
    assert refused.code == 2
    assert why in refused.stderr
    assert not sandbox.truth().applied
    done = command("run", "closure.plan", *QUICK, "--yes", "--out", "done")
    assert f"The columns of the plan's input are not at hand: {why}" in done.stderr.partition("cancels sent")[0]
    header = Path("done/results.csv").read_text(encoding="utf-8-sig").partition("\n")[0]
    assert header.startswith("appointment_id,attendee_id,")
    assert not [*Path("done").glob("input*.parquet")]


def test_results_never_replace_the_input_of_a_plan(command: Command, source: Path, sandbox: Sandbox) -> None:
    source.rename("failed.csv")
    plan(command, Path("failed.csv"), "-o", "closure.plan")
    refused = command("run", "closure.plan", *QUICK, "--yes", "--out", ".")
    assert refused.code == 2
    assert "is a file that the results in . would replace" in refused.stderr
    assert Path("failed.csv").exists()
    assert not sandbox.truth().applied


def test_a_plan_of_a_search_says_that_it_has_no_columns(command: Command, sandbox: Sandbox) -> None:
    sandbox.reset(options(WORLD))
    day = next(iter(WORLD.appointments.values())).start.date()
    table = f'[select]\nfrom = {day}\nto = {day}\ntimezone = "UTC"\n'
    Path("day.toml").write_text(f'rate = "500/s"\nburst = 500\n{table}', encoding="utf-8")
    assert command("plan", "day.toml", "-o", "day.plan").code == 0
    done = command("run", "day.plan", *QUICK, "--yes", "--out", "done")
    assert done.code == 0, done.stderr
    assert "The columns of the plan's input are not at hand: a search found them." in done.stderr
