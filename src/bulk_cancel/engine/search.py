"""Reads all lists in which a selection may be found, until nothing is missing. Owns no sender.

A list shifts while it is read: each cancel by somebody else moves the following entries one place forward, perhaps onto
a page that was read already. So each list is read again until two readings agree, and is compared with the API's own
count. What remains uncertain is a doubt, a sentence: people whose appointments are missed come to a closed door.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bulk_cancel.api.port import Page, Query
from bulk_cancel.core.selection import LEAD, Fit, Gathering, Selection
from bulk_cancel.core.text import counted
from bulk_cancel.engine.reader import MOST_PAGES, Reader, each_page
from bulk_cancel.errors import CredentialError, UnreachableError

#: Most readings of one list that keeps changing.
MOST_READINGS = 5


@dataclass
class ListReading:
    """One reading of one list, from its first page to its last."""

    gathering: Gathering
    ids: set[str] = field(default_factory=set)
    unreadable: int = 0
    total: int | None = None
    _last: Page | None = None

    def take(self, page: Page) -> bool:
        """Take a page; return False when it has nothing new, since some servers repeat their last page."""
        known, last = len(self.ids), self._last
        if last is not None and (last.appointments, last.unreadable) == (page.appointments, page.unreadable):
            return False
        appointments = page.appointments or ()
        self.gathering.take(appointments)
        self.ids.update(appointment.appointment_id for appointment in appointments)
        self.unreadable += page.unreadable
        self.total, self._last = page.total, page
        return len(self.ids) > known or page.unreadable > 0

    def agrees_with(self, other: ListReading) -> bool:
        """Whether two readings showed the same appointments."""
        return (self.ids, self.unreadable) == (other.ids, other.unreadable)

    def doubts(self, whose: str) -> Iterator[str]:
        """Yield sentences on what may be missing."""
        read = len(self.ids) + self.unreadable
        if self.total is not None and self.total > read:
            yield f"The API counts {counted(self.total, 'appointment')} in {whose} and shows {read:,}."
        if self.unreadable:
            yield f"{counted(self.unreadable, 'item')} in {whose} cannot be read: without the id of an appointment."


@dataclass
class Search:
    """One search. `hosts` and `hosts_read` count its lists, for the progress."""

    reader: Reader
    selection: Selection
    gathering: Gathering = field(init=False)
    host_ids: tuple[str | None, ...] = ()  #: hosts whose lists are read; None: the credential's own list
    hosts_read: int = 0
    doubts: list[str] = field(default_factory=list)  #: sentences: what may be missing
    _in_this_list: int = 0  #: what its readings have shown at most, until they agree

    def __post_init__(self) -> None:
        self.gathering = Gathering(self.selection)

    @property
    def hosts(self) -> int:
        """The number of lists to be read."""
        return len(self.host_ids)

    @property
    def found(self) -> int:
        """How many are found so far."""
        return self.gathering.count(Fit.ACTIVE) + self._in_this_list

    async def run(self) -> None:
        """Read all lists. Raises as the reader does, naming the list that could not be read."""
        self.host_ids = tuple(await self._host_ids())
        for host_id in self.host_ids:
            with _explained(host_id):
                await self._read_list(host_id)
            self.hosts_read, self._in_this_list = self.hosts_read + 1, 0
        if unreadable := self.gathering.count(Fit.UNREADABLE):
            has = "has a start or an end" if unreadable == 1 else "have starts or ends"
            self.doubts.append(f"{counted(unreadable, 'appointment')} {has} that cannot be read.")

    async def _host_ids(self) -> list[str | None]:
        """Return the users whose lists are to be read; None stands for the credential's own list."""
        if self.selection.all_hosts:
            with _explained("all hosts"):
                return [*await self._everybody()]
        return [*dict.fromkeys(self.selection.host_ids)] or [None]

    async def _everybody(self) -> list[str]:
        """Return the ids of all users. Parts may overlap or repeat, where a server has other page parameters."""
        known: dict[str, None] = {}
        offset, unreadable, total = 0, 0, None
        for _ in range(MOST_PAGES):
            part = await self.reader.users(offset)
            user_ids, total = part.items or (), part.total
            if known.keys() >= set(user_ids):
                break
            known |= dict.fromkeys(user_ids)
            unreadable += part.unreadable
            offset += len(user_ids) + part.unreadable
        if not known:
            raise UnreachableError("The API lists no users.", advice="Name the hosts with --host.")
        if unreadable or (total or 0) > len(known):
            count = max(total or 0, len(known) + unreadable)
            self.doubts.append(f"The API counts {counted(count, 'user')} and shows the ids of {len(known):,}.")
        return list(known)

    async def _read_list(self, host_id: str | None) -> None:
        """Read a list until two readings agree; if none do, keep everything that any of them showed."""
        readings = [await self._read_once(host_id)]
        while len(readings) < MOST_READINGS:
            readings.append(await self._read_once(host_id))
            if readings[-1].agrees_with(readings[-2]):
                self.gathering.merge(readings[-1].gathering)
                self.doubts += readings[-1].doubts(_list_of(host_id))
                return
        for reading in readings:
            self.gathering.merge(reading.gathering)
        whose = _list_of(host_id)
        self.doubts += [
            f"{whose.capitalize()} changed at each of {MOST_READINGS} readings.",
            *readings[-1].doubts(whose),
        ]

    async def _read_once(self, host_id: str | None) -> ListReading:
        """Read a list once, with a gathering of its own: a co-host's list may have shown the same appointments."""
        reading = ListReading(Gathering(self.selection))

        def take(page: Page) -> bool:
            brought_new = reading.take(page)
            self._in_this_list = max(self._in_this_list, reading.gathering.count(Fit.ACTIVE))
            return brought_new

        await each_page(self.reader, lambda number, size: self._query(number, size, host_id), take)
        return reading

    def _query(self, number: int, size: int, host_id: str | None) -> Query:
        start, end = self.selection.days.bounds(LEAD)
        meeting_type_id = self.selection.meeting_type_id
        return Query(number, size, start=start, end=end, host_id=host_id, meeting_type_id=meeting_type_id)


def _list_of(host_id: str | None) -> str:
    return "the credential's own list" if host_id is None else f"the list of host {host_id}"


@contextmanager
def _explained(whose: str | None) -> Iterator[None]:
    """Add to a refusal whose list was refused."""
    try:
        yield
    except CredentialError as error:
        if whose is None:
            raise
        only = f"This was about {whose}: only an admin may read other hosts' appointments."
        raise CredentialError(str(error), advice=f"{only} {error.advice}") from error
