"""The pages in the system's Chromium, without a network."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from bulk_cancel.core.actions import Action
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.plan import PlanLine
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.core.selection import Days, Selection
from bulk_cancel.core.states import Event, State
from bulk_cancel.ledger.port import Ledger, RunStart
from bulk_cancel.ledger.sqlite.ledger import SqliteLedger
from bulk_cancel.reports.closed_files import ClosedFacts, Left, LeftKind, write_closed
from bulk_cancel.reports.pages import layout
from bulk_cancel.reports.pages.plan_page import PlanFacts, writing_plan_page
from bulk_cancel.reports.pages.run_page import write_run_page
from support.given import AT, BASE, HISTORIES, entries, invalid, row
from support.plans import ONE_OF_EACH, line, uuid

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]

#: What a page must show as the text that it is. None of it is an instruction to anybody.
HOSTILE = (
    "<script>document.title = 'taken'</script>",
    '"><img src=x onerror="document.title = \'taken\'">',
    "{{7*7}} {% raw %} ${7*7}",
    "</style></script><h1>taken",
    "אין פגישה كهذه",
    "👩 🎄 北京",
)

#: Opens a page; every request that it makes is in `requests` of the page's context.
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of one module, and closed with it: while it is open, its event loop keeps other tests from having one."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None and os.environ.get("CI") == "true":
        pytest.fail(f"none of {', '.join(_NAMES)} is installed, and here the pages have to be seen")
    if path is None:
        pytest.skip(f"none of {', '.join(_NAMES)} is installed: the pages were not seen in a browser")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def requests() -> list[str]:
    """The addresses that the pages of a test asked for."""
    return []


@pytest.fixture
def open_page(browser: Browser, requests: list[str]) -> Iterator[Open]:
    made = []

    def opens(file: Path, *, scheme: str = "light", width: int = 1200, script: bool = True) -> Page:
        page = browser.new_page(
            color_scheme=scheme, viewport={"width": width, "height": 800}, java_script_enabled=script
        )  # type: ignore[arg-type]
        made.append(page)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        page.goto(file.as_uri())
        return page

    yield opens
    for page in made:
        page.close()


def staged(ledger: Ledger, count: int, folder: Path) -> int:
    """Stage a run of so many rows, the last of them invalid."""
    run_no = ledger.begin_run(RunStart("20261122-093015-4f1c", AT, BASE, "closures/berlin.csv", "ab", str(folder)))
    ledger.stage(run_no, [*(row(number, number) for number in range(2, count + 1)), invalid(count + 1)], AT)
    ledger.start_run(run_no)
    return run_no


def carried_out(ledger: Ledger, run_no: int) -> None:
    """Bring the run's targets into all states in turn, with hostile details."""
    made = []
    for place, (_, work) in enumerate(ledger.work(run_no, 0, series=False, limit=100_000)):
        events = HISTORIES[list(State)[place % len(State)]]
        for one in entries(work, *events):
            detail = "" if one.event is Event.INTENT else HOSTILE[place % len(HOSTILE)]
            made.append(replace(one, at=AT + place * 0.6, detail=detail))
    ledger.append(run_no, made)


@pytest.fixture(scope="session")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Writes the page of a run of so many rows, once."""

    @cache
    def write(count: int) -> Path:
        folder = tmp_path_factory.mktemp("run")
        ledger = SqliteLedger.open(folder / "ledger.db")
        run_no = staged(ledger, count, folder)
        carried_out(ledger, run_no)
        limit = {"rate_per_s": 100 / 60, "burst": 200}
        summary = json.dumps({"limit": limit, "counts": {}, "elapsed_s": 1.0, "next": "Done.", "exit_code": 3})
        ledger.end_run(run_no, AT + count, summary)
        write_run_page(ledger, ledger.runs()[0], folder, AT)
        ledger.close()
        return folder / "report.html"

    return write


@pytest.fixture(scope="session")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a plan with a line of every kind, and hostile ones; a column of the input stands beside each id."""
    folder = tmp_path_factory.mktemp("plan")
    facts = PlanFacts("closures/berlin.csv", "ab" * 32, AT, Pace(100 / 60, 200), shown=with_names)
    with writing_plan_page(folder, facts) as page:
        for each in ONE_OF_EACH:
            page.add(each)
        for number, text in enumerate(HOSTILE, 20):
            page.add(PlanLine(line(number, reason=text).row, Action.REFUSED, text))
    return folder / "plan.html"


def with_names(page: layout.Page) -> layout.Page:
    """Show names beside the ids as `--show` does: hostile ones, and one that is no words."""
    names = (*HOSTILE, "Donaudampfschifffahrtsgesellschaft" * 5)
    rows = [replace(one, shown=[("Kunde", names[place % len(names)])]) for place, one in enumerate(page.rows)]
    return replace(page, rows=rows, shown=["Kunde"])


@pytest.fixture(scope="session")
def closed_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of days of which something is left."""
    folder = tmp_path_factory.mktemp("closed")
    days = Days(date(2026, 12, 24), date(2026, 12, 31), ZoneInfo("Europe/Berlin"))
    at = "2026-12-24T09:00:00Z"
    left = [
        Left(kind, uuid(number), at, at, (uuid(800), uuid(801), uuid(802)), uuid(700), HOSTILE[number % len(HOSTILE)])
        for number, kind in enumerate([*LeftKind] * 5)
    ]
    parts = [("bookable slots", f"Consultation with {uuid(801)} from 2026-12-24 09:00 CET; " * 9)]
    write_closed(left, ClosedFacts(Selection(days), 3, parts, AT, Provenance()), folder, with_contacts=False)
    return folder / "closed.html"
