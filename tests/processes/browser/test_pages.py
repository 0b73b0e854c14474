"""The pages as a person meets them: in light and dark, on a phone, without scripts, with hostile texts in them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from processes.browser.conftest import HOSTILE, Open

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
MANY = 4999  #: rows with a target; an invalid one comes besides

Files = Callable[[int], Path]


@pytest.fixture(params=["report", "plan", "closed"])
def file(request: pytest.FixtureRequest, run_file: Files, plan_file: Path, closed_file: Path) -> Path:
    return {"report": run_file(60), "plan": plan_file, "closed": closed_file}[request.param]


#: Each colour and each width once; what only both together could show is left to the long sweeps.
LOOKS = [("light", 375), ("dark", 1200)]
LOOKS += [pytest.param(*look, marks=pytest.mark.long) for look in (("light", 1200), ("dark", 375))]


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_a_page_has_no_accessibility_violations(open_page: Open, file: Path, scheme: str, width: int) -> None:
    page = open_page(file, scheme=scheme, width=width)
    page.evaluate("document.querySelectorAll('tbody tr').forEach(row => { row.style.contentVisibility = 'visible'; })")
    page.evaluate(AXE)
    found = page.evaluate("axe.run()")
    told = [(rule["id"], [node["html"] for node in rule["nodes"]][:3]) for rule in found["violations"]]
    assert told == []


def test_a_page_makes_no_request_to_the_network(open_page: Open, file: Path, requests: list[str]) -> None:
    open_page(file).wait_for_load_state("networkidle")
    assert requests == [file.as_uri()]


def test_the_policy_of_a_page_allows_its_own_parts_and_nothing_else(open_page: Open, file: Path) -> None:
    complaints: list[str] = []
    page = open_page(file)
    expect(page.locator("#find")).to_be_visible()  # the script ran
    assert page.evaluate("getComputedStyle(document.querySelector('header')).borderRadius") == "12px"
    page.on("console", lambda message: complaints.append(message.text))
    page.evaluate(
        """() => { document.body.insertAdjacentHTML('beforeend', '<p id="more" style="color: red">more</p>');
        const script = document.createElement('script'); script.textContent = 'document.title = "taken"';
        document.body.append(script); }"""
    )
    assert page.title() != "taken"
    assert any("Content Security Policy" in text for text in complaints)


def test_hostile_texts_are_shown_as_text(open_page: Open, file: Path) -> None:
    page = open_page(file)
    assert page.title() not in ("taken", "")
    assert page.locator("img").count() == 0
    assert page.locator("h1").count() == 1
    shown = page.locator("#rows").text_content() or ""
    for text in HOSTILE:
        assert text in shown


def test_a_phone_shows_every_column_without_scrolling_sideways(open_page: Open, file: Path) -> None:
    page = open_page(file, width=375)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.evaluate(
        "[...document.querySelectorAll('header, section, .card')].every(one => one.scrollWidth <= 375)"
    )
    page.evaluate("document.querySelectorAll('tbody tr').forEach(row => { row.style.contentVisibility = 'visible'; })")
    cells = "[...document.querySelectorAll('tbody td')].filter(cell => cell.offsetParent)"
    assert page.evaluate(f"{cells}.every(cell => cell.getBoundingClientRect().right <= 375 && cell.offsetWidth > 0)")
    assert page.evaluate(f"{cells}.some(cell => cell.dataset.label)"), "each cell says what it is"


def test_without_scripts_everything_is_there(open_page: Open, file: Path) -> None:
    page = open_page(file, script=False)
    expect(page.locator("#find")).to_be_hidden()
    assert page.locator("#rows tbody tr:visible").count() == page.locator("#rows tbody tr").count() > 10


def visible(page: Page) -> int:
    return page.locator("#rows tbody tr:visible").count()


def test_the_table_can_be_searched_and_filtered(open_page: Open, run_file: Files) -> None:
    page = open_page(run_file(60))
    assert visible(page) == 60
    page.fill("#words", "000000000007")
    assert visible(page) == 1
    expect(page.locator("#shown")).to_have_text("1 of 60 rows")
    page.fill("#words", "  <SCRIPT>  taken")
    assert 0 < visible(page) < 60
    page.fill("#words", "")
    page.select_option("#kind", "person")
    people = visible(page)
    page.select_option("#kind", "=rejected")
    assert 0 < visible(page) < people < 60
    page.keyboard.press("Enter")  # nothing is sent anywhere
    page.select_option("#kind", "")
    assert visible(page) == 60


def test_a_page_of_five_thousand_rows(open_page: Open, run_file: Files) -> None:
    page = open_page(run_file(MANY + 1))
    expect(page.locator("#shown")).to_have_text("5,000 of 5,000 rows")
    page.fill("#words", "000000004321")
    expect(page.locator("#shown")).to_have_text("1 of 5,000 rows")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1200


def test_a_printed_page_is_light_and_whole(open_page: Open, file: Path) -> None:
    page = open_page(file, scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.locator("#find")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('.box')).overflowY") == "visible"
    page.set_viewport_size({"width": 688, "height": 1000})  # A4 with the page's margins
    assert page.evaluate("document.querySelector('#rows').getBoundingClientRect().right") <= 688, "no column is cut off"
