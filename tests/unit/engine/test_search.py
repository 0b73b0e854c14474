"""The order of reading, and where a list ends, with a server that is scripted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date

import pytest

from bulk_cancel.api.port import Listed, Page, Query
from bulk_cancel.core.model import Answer, Appointment
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
    user_total: int | None = None

    async def page(self, query: Query) -> Page:
        self.queries.append(query)
        pages = self.pages[query.host_id]
        numbers = pages[query.page] if query.page < len(pages) else []
        return Page(Answer(200), tuple(appointment(number) for number in numbers))

    async def users(self, offset: int) -> Listed[str]:
        self.offsets.append(offset)
        return Listed(Answer(200), self.parts(offset), total=self.user_total)

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
        ([[1, 2]], 2, 2),
        ([full(0), full(100), [200]], 4, 201),
        ([full(0), full(100)], 3, 200),
        ([full(0), full(0), full(100)], 2, 100),  # the same page again: this server does not know pages
        ([full(0)[:25], full(25)[:25], full(50)[:10]], 4, 60),  # 25 a page, whatever is asked for
        ([full(0), full(100)[:1], full(200)], 4, 201),  # a short page in the middle is not the last
    ],
    ids=["empty", "short", "several", "full", "repeated", "25 a page", "short in the middle"],
)
async def test_a_list_is_read_to_an_empty_page_and_once_more(pages: list[list[int]], requests: int, found: int) -> None:
    reader = ScriptedReader({None: pages})
    search = await searched(reader)
    assert count(search) == found
    assert not search.doubts
    assert reader.asked == 2 * [(None, number) for number in range(requests)]


async def test_every_page_is_asked_for_with_the_bounds() -> None:
    """The day before is read as well: what began on it may reach into the day."""
    reader = ScriptedReader({"b": [full(0), [1]]})
    await searched(reader, host_ids=("b",), meeting_type_id="t")
    begin, end = "2026-12-23T00:00:00.000Z", "2026-12-24T23:59:59.999Z"
    query = Query(0, page_size=100, start=begin, end=end, host_id="b", meeting_type_id="t")
    assert reader.queries == 2 * [query, Query(1, 100, begin, end, None, "b", "t")]


async def test_a_first_page_of_25_makes_the_next_ones_25() -> None:
    """A server that gives 25 at most may count its offset by what was asked for: then 75 would be left out."""
    reader = ScriptedReader({None: [full(0)[:25], full(25)[:5]]})
    await searched(reader)
    assert [query.page_size for query in reader.queries] == 2 * [100, 25, 25]


async def test_a_host_whose_first_page_is_known_from_another_is_read_on() -> None:
    reader = ScriptedReader({"a": [full(0), []], "b": [full(0), [100]]})
    search = await searched(reader, host_ids=("a", "b", "a"))
    assert count(search) == 101
    once = {"a": [("a", 0), ("a", 1)], "b": [("b", 0), ("b", 1), ("b", 2)]}
    assert reader.asked == 2 * once["a"] + 2 * once["b"]
    assert (search.hosts, search.hosts_read) == (2, 2)


@pytest.mark.parametrize(
    ("parts", "offsets"),
    [
        (lambda offset: ("a", "b", "c")[offset:], [0, 3]),
        (lambda offset: ("a", "b", "c")[offset : offset + 2], [0, 2, 3]),  # fewer than the limit that was asked for
        (lambda _: ("a", "b", "c"), [0, 3]),  # does not know offsets
    ],
)
async def test_all_hosts_reads_the_lists_of_all_users_once(
    parts: Callable[[int], tuple[str, ...]], offsets: list[int]
) -> None:
    reader = ScriptedReader({"a": [[1, 2]], "b": [[2]], "c": [[]]}, parts)
    search = await searched(reader, all_hosts=True)
    assert reader.offsets == offsets
    assert list(dict.fromkeys(host for host, _ in reader.asked)) == ["a", "b", "c"]
    assert count(search) == 2
    assert not search.doubts


async def test_users_that_are_counted_and_not_shown_are_a_doubt() -> None:
    reader = ScriptedReader({"a": [[1]], "b": [[2]]}, lambda offset: ("a", "b")[offset:], user_total=80)
    search = await searched(reader, all_hosts=True)
    assert search.doubts == ["The API counts 80 users and shows the ids of 2."]


@dataclass
class Changing:
    """Gives a list as it is at each request, 100 a page; `at` is called with the number of the request before it."""

    listed: list[int]
    at: Callable[[int, list[int]], object] = lambda *_: None
    total: Callable[[list[int]], int | None] = len
    unreadable: Callable[[int], int] = lambda _: 0
    requests: int = 0

    async def page(self, query: Query) -> Page:
        self.requests += 1
        self.at(self.requests, self.listed)
        first = query.page * query.page_size
        shown = self.listed[first : first + query.page_size]
        unreadable = self.unreadable(query.page)
        found = tuple(appointment(number) for number in shown[unreadable:])
        return Page(Answer(200), found, min(unreadable, len(shown)), self.total(self.listed))


async def changing(reader: Changing) -> Search:
    search = Search(reader, Selection(DAYS))  # type: ignore[arg-type]  # it reads pages and nothing else
    await search.run()
    return search


async def test_an_appointment_that_slips_over_the_edge_of_a_page_is_found_by_the_next_reading() -> None:
    """Somebody cancels the first of 150 after page 0 was read: the 101st moves to page 0, which is not read again."""
    reader = Changing(list(range(150)), at=lambda request, listed: listed.remove(0) if request == 2 else None)
    search = await changing(reader)
    assert {one.appointment_id for one in search.gathering.chosen(Fit.ACTIVE)} == {
        appointment(number).appointment_id for number in range(1, 150)
    }
    assert not search.doubts
    assert reader.requests == 9


async def test_a_list_that_keeps_changing_is_a_doubt_and_all_of_it_is_kept() -> None:
    reader = Changing([0, 1], at=lambda request, listed: listed.append(request + 1))
    search = await changing(reader)
    assert search.doubts[0] == "The credential's own list changed at each of 5 readings."
    assert count(search) >= 10


async def test_a_list_that_is_counted_longer_than_it_is_shown_is_a_doubt() -> None:
    search = await changing(Changing(list(range(25)), total=lambda _: 400))
    assert search.doubts == ["The API counts 400 appointments in the credential's own list and shows 25."]


async def test_items_that_cannot_be_read_are_counted_and_what_follows_them_is_found() -> None:
    reader = Changing(list(range(400)), unreadable=lambda page: 55 if page == 0 else 0)
    search = await changing(reader)
    assert count(search) == 345
    assert search.doubts == ["55 items in the credential's own list cannot be read: without the id of an appointment."]


async def test_a_list_without_users_is_an_error() -> None:
    with pytest.raises(UnreachableError, match="no users"):
        await searched(ScriptedReader({}), all_hosts=True)


async def test_a_list_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_reader, "MOST_PAGES", 3)
    with pytest.raises(UnreachableError, match="does not end"):
        await searched(ScriptedReader({None: [full(100 * number) for number in range(9)]}))


class Refusing(ScriptedReader):
    async def page(self, query: Query) -> Page:
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
