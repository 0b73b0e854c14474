"""Reads everything that a selection may be found in, list after list, to the end. Owns no sender."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bulk_cancel.api.port import Query
from bulk_cancel.core.model import Appointment
from bulk_cancel.core.selection import Gathering, Selection
from bulk_cancel.engine.reader import MOST_PAGES, Reader, each_page
from bulk_cancel.errors import CredentialError, UnreachableError


@dataclass
class Search:
    """One search. `hosts` and `hosts_read` show how far it is: a list each."""

    reader: Reader
    selection: Selection
    gathering: Gathering = field(init=False)
    hosts: int = 0
    hosts_read: int = 0

    def __post_init__(self) -> None:
        self.gathering = Gathering(self.selection)

    async def run(self) -> None:
        """Read it all. Raises as the reader does, naming whose list could not be read: half of it is nothing."""
        host_ids = await self._host_ids()
        self.hosts = len(host_ids)
        for host_id in host_ids:
            with _explained(host_id):
                await self._read_list(host_id)
            self.hosts_read += 1

    async def _host_ids(self) -> list[str | None]:
        """Return the users whose lists are to be read; None stands for the credential's own list."""
        if self.selection.all_hosts:
            with _explained("all hosts"):
                return [*await self._everybody()]
        return [*dict.fromkeys(self.selection.host_ids)] or [None]

    async def _everybody(self) -> list[str]:
        """Parts overlap, or are all the same, where the server understands its page parameters otherwise."""
        known: dict[str, None] = {}
        offset = 0
        for _ in range(MOST_PAGES):
            part = await self.reader.users(offset)
            if known.keys() >= set(part):
                break
            known |= dict.fromkeys(part)
            offset += len(part)
        if not known:
            raise UnreachableError("The API lists no users.", advice="Name the hosts with --host.")
        return list(known)

    async def _read_list(self, host_id: str | None) -> None:
        """What is new counts within this list: all of it may have been seen in a co-host's."""
        seen: set[str] = set()

        def take(page: tuple[Appointment, ...]) -> bool:
            self.gathering.take(page)
            known = len(seen)
            seen.update(appointment.appointment_id for appointment in page)
            return len(seen) > known

        await each_page(self.reader, lambda number: self._query(number, host_id), take)

    def _query(self, number: int, host_id: str | None) -> Query:
        start, end = self.selection.days.bounds()
        meeting_type_id = self.selection.meeting_type_id
        return Query(number, start=start, end=end, host_id=host_id, meeting_type_id=meeting_type_id)


@contextmanager
def _explained(whose: str | None) -> Iterator[None]:
    """Say about whom the API refused to speak."""
    try:
        yield
    except CredentialError as error:
        if whose is None:
            raise
        only = f"This was about {whose}: only an admin may read other hosts' appointments."
        raise CredentialError(str(error), advice=f"{only} {error.advice}") from error
