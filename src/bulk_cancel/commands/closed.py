"""`closed`: checks whether days are really closed, what remains on them, and what to do. Only reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bulk_cancel.access.ledgers import LedgerPlace
from bulk_cancel.access.setup import Setup, set_up
from bulk_cancel.commands.doctor.check import Check, Level, good, untold, warning
from bulk_cancel.core.credential import CredentialKind
from bulk_cancel.core.model import Appointment
from bulk_cancel.core.moments import moment_of, show_hour, show_moment
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.core.selection import Days, Fit, Selection
from bulk_cancel.core.states import State
from bulk_cancel.core.text import clean, counted
from bulk_cancel.engine.closure_reads import ClosureReads
from bulk_cancel.engine.search import Search
from bulk_cancel.errors import BulkCancelError, Exit, UsageError
from bulk_cancel.execution.caller import Caller
from bulk_cancel.ledger.port import Ledger, RunRecord
from bulk_cancel.planning.search import Found, find_appointments
from bulk_cancel.reports.closed_files import ClosedFacts, Left, LeftKind, write_closed
from bulk_cancel.settings.job import Job

_MOST_RUNS = 20
#: Hosts or notes that a sentence names.
_MOST_NAMED = 5
_NEW = "new since the run"
_NOT_IN = "not in"
_IN_NONE = f"{_NOT_IN} any run of this ledger"
#: What is still active on the days.
_LEFT = (Fit.ACTIVE, Fit.REACHES_IN)
#: Nothing shows that they belong to the closure: they may be of another day's run, or of another office.
_DECIDE = "whether they belong to the closure, a person decides"
_THEN = "Find and cancel those that belong to the closure."
_BLOCK = "Block the day in the dashboard (out of office, or no hours that day) for these hosts, then look again."
_DECLINE = "Decline them in the dashboard: confirmed, each becomes an appointment with an id of its own."
_REMINDER = (
    "The API does not show waitlists, out-of-office entries and mails that are held back: a waitlist invites people "
    "onto each slot that became free, every 30 minutes."
)
_WHERE = "In the dashboard: the waitlist of each meeting type, the hosts' out-of-office entries, and the e-mail log."


@dataclass(frozen=True, slots=True)
class Closed:
    """The result of the check."""

    selection: Selection
    provenance: Provenance  #: who looked, with which command
    checks: tuple[Check, ...]
    left: tuple[Left, ...]
    requests: int

    @property
    def exit_code(self) -> Exit:
        """REFUSED_ROWS when something remains, else UNKNOWN when a part could not be read, else OK."""
        levels = {check.level for check in self.checks}
        if Level.FAIL in levels:
            return Exit.REFUSED_ROWS
        return Exit.UNKNOWN if Level.UNTOLD in levels else Exit.OK


def look_if_closed(job: Job, caller: Caller, *, with_contacts: bool = False) -> Closed:
    """Check the days of the job's [select] table, and write the files that the job asks for.

    Sends nothing. Raises UsageError for contacts without a folder, and as reading and writing do.
    """
    if with_contacts and job.out is None:
        raise UsageError("Names and addresses go into a file that only you can read.", advice="Name a folder: --out.")
    setup = set_up(job, caller.log, caller.machine, caller.display)
    closed = _checked(setup, with_contacts=with_contacts)
    if job.out is not None:
        parts = [(check.name, clean(f"{check.found} {check.advice}", 1000)) for check in closed.checks]
        now = caller.machine.clock.now()
        facts = ClosedFacts(closed.selection, int(closed.exit_code), parts, now, closed.provenance)
        write_closed(closed.left, facts, job.out, with_contacts=with_contacts)
    return closed


def _checked(setup: Setup, *, with_contacts: bool) -> Closed:
    if setup.job.select is not None:
        selection = setup.job.select.selection()
        days = selection.days
        if days.end_at <= setup.machine.clock.now():
            over = good("days", f"{days} is over: nothing can be booked on it any more, and nothing was asked.")
            return Closed(selection, setup.provenance, (over,), (), 0)
    reads: list[ClosureReads] = []

    async def read_on(search: Search) -> None:
        kind = setup.accounts.find(setup.job.account).credential.kind
        reads.append(ClosureReads(search.reader, acts_for_all=kind is CredentialKind.PLATFORM))
        await reads[0].run(search)

    found = find_appointments(setup, with_contacts=with_contacts, then=read_on)
    appointments = tuple(_appointments(found, setup.place))
    pending, slots = tuple(_pending(reads[0])), tuple(_slots(found, reads[0]))
    checks = (
        *_check_appointments(found, appointments),
        *_check_pending(found, pending, reads[0].pending_doubts),
        *_check_slots(found, reads[0], slots),
        warning("reminder", _REMINDER, _WHERE),
    )
    left = (*appointments, *pending, *slots)
    return Closed(found.selection, setup.provenance, checks, left, found.requests)


# -- appointments ------------------------------------------------------------------------------------------------------


def _notes(place: LedgerPlace, active: Sequence[Appointment]) -> list[str]:
    """Return a clause on what the ledger knows of each active appointment."""
    note = _IN_NONE
    if place.exists():
        try:
            with place.reading() as ledger:
                if run := next((run for run in ledger.runs(limit=_MOST_RUNS) if run.input_digest), None):
                    return [_note(ledger, one, run) for one in active]
        except BulkCancelError as error:
            note = f"the ledger cannot be read: {error}"
    return [note] * len(active)


def _note(ledger: Ledger, appointment: Appointment, run: RunRecord) -> str:
    """Return what the ledger knows. Only what was created after the run's start is new: a run knows its own rows."""
    works = ledger.find_targets(appointment.appointment_id)
    if not works:
        created_at = appointment.created_at
        is_new = created_at is not None and created_at > run.started_at
        return f"{_NEW} {run.run_id}" if is_new else f"{_NOT_IN} the run {run.run_id}"
    work = works[-1]
    if work.state in (State.CANCELLED, State.ALREADY_CANCELLED):
        return "cancelled by an earlier run, and active: look at it"
    detail = next((line.detail for line in reversed(ledger.history(work.target_id)) if line.detail), "")
    return f"{work.state.value} in an earlier run{f': {detail}' if detail else ''}"


def _appointments(found: Found, place: LedgerPlace) -> Iterator[Left]:
    active = found.gathering.chosen(*_LEFT)
    for one, note in zip(active, _notes(place, active), strict=True):
        if found.gathering.found[one.appointment_id][0] is Fit.REACHES_IN:
            note += "; it began before these days and goes on into them"
        span, hosts = (one.start, one.end), one.host_ids or ()
        yield Left(LeftKind.APPOINTMENT, one.appointment_id, *span, hosts, one.meeting_type_id, note, one.contacts)


def _check_appointments(found: Found, left: tuple[Left, ...]) -> Iterator[Check]:
    name, days = "appointments", found.selection.days
    if left:
        many = counted(len(left), "appointment")
        are = "is" if len(left) == 1 else "are"
        what = f"{many}{found.selection.narrowing} {are} active on {days}, {_span(left, days)}."
        yield _left_over(name, " ".join((what, _by_host(left), *_unknown_of(left))), _THEN)
    elif not found.doubts:
        gone = found.gathering.count(Fit.CANCELLED)
        none = f"None{found.selection.narrowing} is active on {days}"
        yield good(name, f"{none}; {counted(gone, 'is', 'are')} cancelled. {_whose(found)}")
    if found.doubts:
        yield untold(name, " ".join(found.doubts), "Try again. If it stays so, compare with the calendar.")


def _unknown_of(left: tuple[Left, ...]) -> Iterator[str]:
    """Yield how many of them the run did not name: the new ones, and those that nothing ties to the closure."""
    for start, decide in ((_NEW, ""), (_NOT_IN, f": {_DECIDE}")):
        if those := [one for one in left if one.note.startswith(start)]:
            yield f"{counted(len(those), 'is', 'are')} {those[0].note.partition(';')[0]}{decide}."


def _whose(found: Found) -> str:
    if found.selection.all_hosts:
        return f"The lists of all {counted(len(found.host_ids), 'host')} were read."
    if found.selection.host_ids:
        return f"{counted(len(found.host_ids), 'list was', 'lists were')} read; other hosts' were not."
    return "The credential's own list was read; other hosts' were not."


# -- pending bookings --------------------------------------------------------------------------------------------------


def _pending(reads: ClosureReads) -> Iterator[Left]:
    for one in sorted(reads.pending.values(), key=lambda one: moment_of(one.start) or 0.0):
        type_id = one.meeting_type_id
        yield Left(LeftKind.PENDING, one.booking_id, one.start, None, one.host_ids, type_id, one.kind, one.contacts)


def _check_pending(found: Found, left: tuple[Left, ...], doubts: list[str]) -> Iterator[Check]:
    name, days = "pending bookings", found.selection.days
    narrowing = replace(found.selection, location=None, channel=None).narrowing  # the API does not tell these
    if left:
        kinds = ", ".join(
            f"{sum(one.note == kind for one in left)} {kind}" for kind in sorted({one.note for one in left})
        )
        where = " The API does not tell where they take place." if found.selection.location else ""
        wait = counted(len(left), f"booking{narrowing} waits", f"bookings{narrowing} wait")
        what = f"{wait} for a confirmation on {days}, {_span(left, days)}: {kinds}."
        yield _left_over(name, f"{what} {_by_host(left)}{where}", _DECLINE)
    elif not doubts:
        yield good(name, f"None{narrowing} waits for a confirmation on {days}.")
    if doubts:
        yield untold(name, " ".join(doubts), "Look in the dashboard, under pending bookings.")


# -- bookable slots ----------------------------------------------------------------------------------------------------


def _slots(found: Found, reads: ClosureReads) -> Iterator[Left]:
    names = {one.meeting_type_id: one.meeting for one in found.gathering.chosen(*Fit) if one.meeting}
    for offer, starts in sorted(reads.slots.items()):
        if starts:
            type_id, count = offer.meeting_type_id, len(starts)
            name, span = names.get(type_id) or type_id, (starts[0], starts[-1])
            slots = Left(LeftKind.SLOTS, "", *span, (offer.host_id,), type_id, "", name=name, count=count)
            start = counted(count, "slot starts", "slots start")
            yield replace(slots, note=f"{start} {_span([slots], found.selection.days)}")


def _check_slots(found: Found, reads: ClosureReads, left: tuple[Left, ...]) -> Iterator[Check]:
    name, days, doubts = "bookable slots", found.selection.days, reads.slot_doubts
    narrowing = found.selection.narrowing
    types, hosts = ({getattr(offer, name) for offer in reads.slots} for name in ("meeting_type_id", "host_id"))
    those = f"{counted(len(types), 'meeting type')} of {counted(len(hosts), 'host')}"
    asked = f"Looked at: {those}{f', those of appointments{narrowing}' if narrowing else ''}."
    if left:
        count = sum(one.count for one in left)
        named = [f"{one.name} with {one.host_ids[0]} {_span([one], days)}" for one in left[:_MOST_NAMED]]
        more = f"; and {len(left) - _MOST_NAMED} more" if len(left) > _MOST_NAMED else ""
        what = f"{counted(count, 'slot')} on {days} can be booked: {'; '.join(named)}{more}."
        yield _left_over(name, f"{what} {asked}", _BLOCK)
    elif not doubts and reads.slots:
        active = found.gathering.count(Fit.ACTIVE)
        proof = " While appointments are active, that proves nothing: they fill the slots." if active else ""
        yield (untold if active else good)(name, f"None on {days} can be booked. {asked}{proof}")
    elif not doubts:
        yield untold(name, "There was no meeting type to ask about.", "Name one with --meeting-type and --host.")
    if doubts:
        yield untold(name, " ".join(doubts), "Look at the booking pages yourself, in a private window.")


# -- sentences ---------------------------------------------------------------------------------------------------------


def _left_over(name: str, found: str, advice: str) -> Check:
    return Check(name, Level.FAIL, found, advice, Exit.REFUSED_ROWS)


def _span(left: Iterable[Left], days: Days) -> str:
    """Return the first and the last moment, in the zone of the days."""
    moments = sorted(at for one in left for at in (moment_of(one.start), moment_of(one.last)) if at is not None)
    told = show_hour if days.first == days.last else lambda at, _, zone: show_moment(at, zone)
    first, last = (told(at, days.begin_at, days.zone) for at in (moments[0], moments[-1]))
    return f"at {first}" if first == last else f"from {first} to {last}"


def _by_host(left: Iterable[Left]) -> str:
    counts = Counter(host_id for one in left for host_id in one.host_ids or ("an unknown host",))
    named = [f"{count} with {host_id}" for host_id, count in sorted(counts.items())]
    more = f", and {counted(len(named) - _MOST_NAMED, 'more host')}" if len(named) > _MOST_NAMED else ""
    return f"{', '.join(named[:_MOST_NAMED])}{more}."
