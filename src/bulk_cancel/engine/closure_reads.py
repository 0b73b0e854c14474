"""Reads what may remain on a closed day beside its appointments. What cannot be read is a doubt, never "nothing".

Owns no sender: a person declines pending bookings and blocks days.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from bulk_cancel.api.port import Listed, PendingQuery, SlotsQuery
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
        page: Listed[PendingBooking] = Listed(Answer(), ())
        read, number, size = 0, 0, 100
        while self._may_ask():
            query = PendingQuery(number, size, status, host_id)
            page = await self._known_shape(partial(self.reader.line.pending, query), "pending bookings")
            shown = {booking.booking_id: booking for booking in page.items or ()}
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
                ask = partial(self.reader.line.meeting_types, None if host_id == me else host_id)
                found = await self._known_shape(ask, "the meeting types")
                offers += [Offer(type_id, host_id) for type_id in found.items or ()]
        return offers

    async def _me(self) -> str | None:
        found: Listed[str] | None = None
        with _doubted(self.slot_doubts):
            found = await self._known_shape(self.reader.line.me, "the acting user")
            if not found.items:
                raise _unknown_shape("the acting user")
        return found.items[0] if found and found.items else None

    async def _starts(self, offer: Offer, selection: Selection) -> tuple[str, ...]:
        """Return the bookable starts that are on the days, whatever the server returns."""
        start, end = selection.days.bounds()
        query = SlotsQuery(offer, start, end, str(selection.days.zone))
        found = await self._known_shape(partial(self.reader.line.slots, query), "what can be booked")
        starts = [(at, start) for start in found.items or () if (at := moment_of(start)) is not None]
        return tuple(start for at, start in sorted(starts) if selection.days.hold(at))

    async def _known_shape(self, ask: Callable[[], Awaitable[Listed[T]]], what: str) -> Listed[T]:
        """Ask as the reader does, but not again after a 200 of unknown shape. Raises UnreachableError for one."""

        async def once() -> tuple[Answer, Listed[T] | None]:
            found = await ask()
            return found.answer, found if found.items is not None or found.answer.status == _OK else None

        found = await self.reader.surely(once, what)
        if found.items is None:
            raise _unknown_shape(what)
        return found


def _unknown_shape(what: str) -> UnreachableError:
    return UnreachableError(f"The API shows {what} in a shape that is not known.")


@contextmanager
def _doubted(doubts: list[str]) -> Iterator[None]:
    """Note an error of the block as a doubt, once for the same reason."""
    try:
        yield
    except BulkCancelError as error:
        if str(error) not in doubts:
            doubts.append(str(error))
