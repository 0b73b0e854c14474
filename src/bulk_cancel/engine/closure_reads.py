"""Reads what may remain on a closed day beside its appointments. What cannot be read is a doubt, never "nothing".

Owns no sender: a person declines pending bookings and blocks days.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from bulk_cancel.api.port import PendingPage, PendingQuery, SlotsQuery, Users
from bulk_cancel.core.closure import Offer, PendingBooking, offers_of
from bulk_cancel.core.model import Answer
from bulk_cancel.core.moments import moment_of
from bulk_cancel.core.selection import Fit, Selection
from bulk_cancel.core.text import counted
from bulk_cancel.engine.reader import Reader
from bulk_cancel.engine.search import Search
from bulk_cancel.errors import BulkCancelError, UnreachableError

T = TypeVar("T")

#: Most requests, besides those for the appointments: a check every hour must not use up the key's limit.
MOST_REQUESTS = 40
_OK = 200


@dataclass
class ClosureReads:
    """The reads that follow a search, for the same days and hosts."""

    reader: Reader
    acts_for_all: bool  #: a Platform key: it may act as any user
    pending: dict[str, PendingBooking] = field(default_factory=dict)
    slots: dict[Offer, tuple[str, ...]] = field(default_factory=dict)  #: when each bookable slot starts
    pending_doubts: list[str] = field(default_factory=list)
    slot_doubts: list[str] = field(default_factory=list)
    _begun: int = 0

    async def run(self, search: Search) -> None:
        """Read everything. Errors of the API are not raised but noted as doubts."""
        self._begun = self.reader.requests
        for host_id in search.host_ids:
            if not self._may_ask():
                self.pending_doubts.append(
                    f"Not all hosts' bookings were read: at most {counted(MOST_REQUESTS, 'request')} are made."
                )
                break
            with _doubted(self.pending_doubts):
                await self._read_pending(host_id, search.selection)
        await self._read_slots(search)

    def _may_ask(self) -> bool:
        return self.reader.requests - self._begun < MOST_REQUESTS

    # -- pending bookings ------------------------------------------------------------------------------------------

    async def _read_pending(self, host_id: str | None, selection: Selection) -> None:
        """Keep the bookings that start on the days. Only the filter tells their status, so it is tested."""
        found = await self._listed("pending", host_id)
        if found and found.keys() & (await self._listed("declined_by_host", host_id)).keys():
            same = f"{counted(len(found), 'booking')} as pending and as declined"
            self.pending_doubts.append(f"The API lists {same}: it ignores the filter by status.")
            return
        if host_id and any(host_id not in booking.host_ids for booking in found.values()):
            self.pending_doubts.append(f"Asked for the bookings of host {host_id}, the API lists those of others.")
        for booking in found.values():
            at, type_id = moment_of(booking.start), (booking.meeting_type_id or "").lower()
            if at is not None and selection.days.hold(at) and selection.meeting_type_id in (None, type_id):
                self.pending[booking.booking_id] = booking

    async def _listed(self, status: str, host_id: str | None) -> dict[str, PendingBooking]:
        """Read a whole list of bookings, until it ends or the requests are used up."""
        found: dict[str, PendingBooking] = {}
        read, page, number, size = 0, PendingPage(Answer(), ()), 0, 100
        while self._may_ask():
            page = await self._pending_page(PendingQuery(number, size, status, host_id))
            shown = {booking.booking_id: booking for booking in page.bookings or ()}
            if shown and shown.keys() <= found.keys():
                break  # this server repeats its last page
            found |= shown
            read += page.size
            if page.unreadable:
                self.pending_doubts.append(f"{counted(page.unreadable, 'booking')} cannot be read.")
            if not page.size or (page.total is not None and read >= page.total):
                break
            size = min(size, page.size) if number == 0 else size
            number += 1
        if page.total is not None and page.total > read:
            self.pending_doubts.append(
                f"The API counts {counted(page.total, 'booking')} as {status} and shows {read:,}."
            )
        return found

    async def _pending_page(self, query: PendingQuery) -> PendingPage:
        async def ask() -> tuple[Answer, PendingPage | None]:
            page = await self.reader.line.pending(query)
            return page.answer, None if page.bookings is None else page

        return await self._known_shape(ask, "pending bookings")

    # -- what can be booked ----------------------------------------------------------------------------------------

    async def _read_slots(self, search: Search) -> None:
        offers = await self._offers(search)
        for offer in offers:
            if not self._may_ask():
                asked = f"{len(self.slots):,} of {counted(len(offers), 'meeting type')} and hosts"
                self.slot_doubts.append(
                    f"The slots of only {asked} were read: at most {counted(MOST_REQUESTS, 'request')} are made."
                )
                return
            with _doubted(self.slot_doubts):
                self.slots[offer] = await self._starts(offer, search.selection)

    async def _offers(self, search: Search) -> list[Offer]:
        """Return the offers to read: first those of the most appointments, then the hosts' other meeting types.

        With a selection by location, channel or meeting type, only the types of the found appointments.
        """
        selection, is_own = search.selection, None in search.host_ids
        is_part = bool(selection.location or selection.channel or selection.meeting_type_id)
        me = await self._me() if is_own or not (is_part or self.acts_for_all) else None
        hosts = [host_id or me for host_id in search.host_ids]
        asked = None if selection.all_hosts or hosts == [None] else {host_id for host_id in hosts if host_id}
        booked = offers_of(search.gathering.chosen(Fit.ACTIVE, Fit.CANCELLED), asked).most_common()
        offers = [offer for offer, _ in booked]
        if selection.meeting_type_id:
            offers += [Offer(selection.meeting_type_id, host_id) for host_id in sorted(asked or ())]
        elif not is_part:
            offers += await self._own_offers([host_id for host_id in hosts if host_id], me)
        return [*dict.fromkeys(offers)]

    async def _own_offers(self, hosts: Sequence[str], me: str | None) -> list[Offer]:
        """Return the hosts' own meeting types, also those without bookings on the days."""
        shown = [host_id for host_id in hosts if self.acts_for_all or host_id == me]
        if untold := len(hosts) - len(shown):
            self.slot_doubts.append(
                f"The meeting types of {counted(untold, 'host')} cannot be listed with a personal token: "
                "of these hosts, only the types booked on these days were read."
            )
        offers: list[Offer] = []
        for host_id in shown:
            with _doubted(self.slot_doubts):
                types = await self._type_ids(None if host_id == me else host_id)
                offers += [Offer(type_id, host_id) for type_id in types]
        return offers

    async def _me(self) -> str | None:
        async def ask() -> tuple[Answer, Users | None]:
            users = await self.reader.line.me()
            return users.answer, users if users.user_ids else None

        me: tuple[str, ...] | None = None
        with _doubted(self.slot_doubts):
            me = (await self._known_shape(ask, "the acting user")).user_ids
        return me[0] if me else None

    async def _type_ids(self, user_id: str | None) -> tuple[str, ...]:
        async def ask() -> tuple[Answer, tuple[str, ...] | None]:
            types = await self.reader.line.meeting_types(user_id)
            return types.answer, types.type_ids

        return await self._known_shape(ask, "the meeting types")

    async def _starts(self, offer: Offer, selection: Selection) -> tuple[str, ...]:
        """Return the bookable starts that are on the days, whatever the server returns."""
        start, end = selection.days.bounds()
        query = SlotsQuery(offer, start, end, str(selection.days.zone))

        async def ask() -> tuple[Answer, tuple[str, ...] | None]:
            slots = await self.reader.line.slots(query)
            return slots.answer, slots.starts

        starts = await self._known_shape(ask, "what can be booked")
        there = [(at, start) for start in starts if (at := moment_of(start)) is not None and selection.days.hold(at)]
        return tuple(start for _, start in sorted(there))

    async def _known_shape(self, ask: Callable[[], Awaitable[tuple[Answer, T | None]]], what: str) -> T:
        """Ask as the reader does, but not again after a 200 of unknown shape. Raises UnreachableError for one."""

        async def once() -> tuple[Answer, tuple[T | None] | None]:
            answer, value = await ask()
            return answer, (value,) if value is not None or answer.status == _OK else None

        (value,) = await self.reader.surely(once, what)
        if value is None:
            raise UnreachableError(f"The API shows {what} in a shape that is not known.")
        return value


@contextmanager
def _doubted(doubts: list[str]) -> Iterator[None]:
    """Note an error of the block as a doubt, once for the same reason."""
    try:
        yield
    except BulkCancelError as error:
        if str(error) not in doubts:
            doubts.append(str(error))
