"""The order of reading, and where a list ends, with a server that is scripted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date

import pytest

from bulk_cancel.api.port import Query
from bulk_cancel.core.model import Appointment
from bulk_cancel.core.selection import Days, Fit, Selection
from bulk_cancel.engine import reader as engine_reader
from bulk_cancel.engine.search import Search
from bulk_cancel.errors import CredentialError, UnreachableError

pytestmark = pytest.mark.anyio

DAYS = Days(date(2026, 12, 24), date(2026, 12, 24), UTC)
Pages = dict[str | None, list[list[int]]]


def appointment(number: int) -> Appointment:
    return Appointment(f"{number:036}", is_cancelled=False, start="2026-12-24T09:00:00Z")


@dataclass
class ScriptedReader:
    """Answers with the numbered appointments of a host's pages, with none after the last."""

    pages: Pages
    parts: Callable[[int], tuple[str, ...]] = lambda _: ()
    queries: list[Query] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)

    async def page(self, query: Query) -> tuple[Appointment, ...]:
        self.queries.append(query)
        pages = self.pages[query.host_id]
        return tuple(appointment(number) for number in (pages[query.page] if query.page < len(pages) else []))

    async def users(self, offset: int) -> tuple[str, ...]:
        self.offsets.append(offset)
        return self.parts(offset)

    @property
    def asked(self) -> list[tuple[str | None, int]]:
        return [(query.host_id, query.page) for query in self.queries]


async def searched(reader: ScriptedReader, **wanted: object) -> Search:
    search = Search(reader, Selection(DAYS, **wanted))  # type: ignore[arg-type]
    await search.run()
    return search


def count(search: Search) -> int:
    return search.gathering.count(Fit.ACTIVE)


def full(first: int) -> list[int]:
    return list(range(first, first + 100))


@pytest.mark.parametrize(
    ("pages", "requests", "found"),
    [
        ([[]], 1, 0),
        ([[1, 2]], 1, 2),
        ([full(0), full(100), [200]], 3, 201),
        ([full(0), full(100)], 3, 200),  # full to the last: the next page is empty
        ([full(0), full(0), full(100)], 2, 100),  # the same page again: this server does not know pages
        ([full(0)[:98], full(100), []], 3, 198),  # two items of a page could not be read: it was not the last
    ],
    ids=["empty", "short", "several", "full", "repeated", "unreadable items"],
)
async def test_a_list_is_read_to_its_end(pages: list[list[int]], requests: int, found: int) -> None:
    reader = ScriptedReader({None: pages})
    assert count(await searched(reader)) == found
    assert reader.asked == [(None, number) for number in range(requests)]


async def test_every_page_is_asked_for_with_the_bounds() -> None:
    reader = ScriptedReader({"b": [full(0), [1]]})
    await searched(reader, host_ids=("b",), meeting_type_id="t")
    begin, end = "2026-12-24T00:00:00.000Z", "2026-12-24T23:59:59.999Z"
    query = Query(0, page_size=100, start=begin, end=end, host_id="b", meeting_type_id="t")
    assert reader.queries == [query, Query(1, 100, begin, end, None, "b", "t")]


async def test_a_host_whose_first_page_is_known_from_another_is_read_on() -> None:
    reader = ScriptedReader({"a": [full(0), []], "b": [full(0), [100]]})
    search = await searched(reader, host_ids=("a", "b", "a"))
    assert count(search) == 101
    assert reader.asked == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert (search.hosts, search.hosts_read) == (2, 2)


@pytest.mark.parametrize(
    ("parts", "offsets"),
    [
        (lambda offset: ("a", "b", "c")[offset:], [0, 3]),
        (lambda offset: ("a", "b", "c")[offset : offset + 2], [0, 2, 3]),  # fewer than the limit that was asked for
        (lambda _: ("a", "b", "c"), [0, 3]),  # does not know offsets
    ],
)
async def test_all_hosts_are_everybody(parts: Callable[[int], tuple[str, ...]], offsets: list[int]) -> None:
    reader = ScriptedReader({"a": [[1, 2]], "b": [[2]], "c": [[]]}, parts)
    search = await searched(reader, all_hosts=True)
    assert reader.offsets == offsets
    assert reader.asked == [("a", 0), ("b", 0), ("c", 0)]
    assert count(search) == 2


async def test_a_company_without_users_is_no_answer() -> None:
    with pytest.raises(UnreachableError, match="no users"):
        await searched(ScriptedReader({}), all_hosts=True)


async def test_a_list_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_reader, "MOST_PAGES", 3)
    with pytest.raises(UnreachableError, match="no end"):
        await searched(ScriptedReader({None: [full(100 * number) for number in range(9)]}))


class Refusing(ScriptedReader):
    async def page(self, query: Query) -> tuple[Appointment, ...]:
        if query.host_id in (None, "b"):
            raise CredentialError("The API does not show the list (403): no.", advice="Check it.")
        return await super().page(query)


async def test_a_refusal_names_the_host() -> None:
    with pytest.raises(CredentialError, match="403") as caught:
        await searched(Refusing({"a": [[1]]}), host_ids=("a", "b"))
    assert caught.value.advice.startswith("This was about b: only an admin")
    assert caught.value.advice.endswith("Check it.")


async def test_a_refusal_of_ones_own_list_is_left_as_it_is() -> None:
    with pytest.raises(CredentialError) as caught:
        await searched(Refusing({}))
    assert caught.value.advice == "Check it."
