"""What would be done to each target, and why: the dry run. A plan owns no sender and writes nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bulk_cancel.core.actions import Action, Approved
from bulk_cancel.core.deadline import TimeLimit
from bulk_cancel.core.estimate import Hours
from bulk_cancel.core.model import Appointment, InputRow, Request, Target
from bulk_cancel.core.moments import widened
from bulk_cancel.core.pacing import Pace, duration_s
from bulk_cancel.core.provenance import Provenance
from bulk_cancel.core.states import OPEN, SENDABLE, SETTLED, State
from bulk_cancel.core.text import counted

#: What would be a blank in the job's reason.
_BLANK = re.compile(r"\{[^{}]+\}")


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One row's action with its reason."""

    row: InputRow
    action: Action
    why: str
    seen: Appointment | None = None  #: as a reading showed it
    unread: str = ""  #: why it could not be read, a clause; empty: it was, or nobody has tried
    was_group: bool = False  #: a reading showed a group booking when the approved plan was made
    state: State | None = None  #: of its target, as the ledger knows it; None: it does not

    @property
    def is_sent(self) -> bool:
        """Whether a run would send it."""
        return self.action is Action.CANCEL

    @property
    def is_for_a_group(self) -> bool:
        """Whether everyone in a group is meant: `cancel_all` may be given for all rows, most of which are none."""
        is_group = self.seen.group_booking is True if self.seen else self.was_group
        return self.row.cancel_all and is_group


_ROWS_NAMED = 5
#: Number of lines of each kind that are kept to be shown.
PREVIEW = 10


@dataclass(frozen=True, slots=True)
class Approval:
    """What an approved plan allows."""

    expires_at: float  #: seconds since the epoch
    by_target: Mapping[Target, Approved]
    in_row_order: Callable[[], Iterator[tuple[int, Target, Approved]]]
    provenance: Provenance = field(default_factory=Provenance)  #: ticket, who approved, and the plan's digest
    input: str = ""  #: what the plan was made of
    retry_refused: bool = False  #: what was refused is sent again as it was


@dataclass(slots=True)
class LookSummary:
    """What the readings say about the people concerned."""

    requests: int = 0  #: that the reads took
    unseen: int = 0  #: rows to be sent that were not read
    unreadable: int = 0  #: of these, rows of which no answer of the API came
    unreadable_first: str = ""  #: the first of them, and why
    offline: str = ""  #: why nothing could be read, a sentence
    mails: Counter[str] = field(default_factory=Counter, repr=False)  #: address → mails; never leaves memory
    paid: int = 0
    hosts: set[str] = field(default_factory=set)
    starts: tuple[float, float] | None = None  #: the first and the last, seconds since the epoch
    recorded: tuple[int, int] | None = None  #: people with a mail, and with several, as a plan file says

    @property
    def mailed(self) -> int:
        """Number of people who get a mail, at least."""
        return self.recorded[0] if self.recorded else len(self.mails)

    @property
    def mailed_again(self) -> int:
        """Number of people who get more than one mail."""
        return self.recorded[1] if self.recorded else sum(count > 1 for count in self.mails.values())

    @property
    def people(self) -> str:
        """How many people get a mail, a sentence; empty when nothing was read."""
        again = f", {self.mailed_again:,} of them more than one" if self.mailed_again else ""
        return f"{counted(self.mailed, 'person gets', 'people get')} a mail{again}." if self.mailed else ""


def parts_told(series: int, groups: int) -> str:
    """Return which part of the cancels takes more along than its own appointment, a clause with a comma before it."""
    of_series = f", {series:,} of a whole series" if series else ""
    for_groups = f", {groups:,} for everyone in a group" if groups else ""
    return f"{of_series}{for_groups}"


@dataclass(slots=True)
class Unmailed:
    """Rows whose reason is not mailed: an earlier row names their target, with another one."""

    count: int = 0
    first: list[int] = field(default_factory=list)

    def take(self, row: InputRow) -> None:
        """Count a row, if it is one of them."""
        self.count += row.other_reason
        if row.other_reason and len(self.first) < _ROWS_NAMED:
            self.first.append(row.row)

    @property
    def told(self) -> str:
        """How many there are, and which, a sentence."""
        rows = ", ".join(map(str, self.first)) + (" and more" if self.count > len(self.first) else "")
        if self.count == 1:
            return f"1 row names a target again with another reason, which is not mailed (row {rows})."
        return f"{self.count:,} rows name a target again with another reason, which is not mailed (rows {rows})."


@dataclass(slots=True)
class Share:
    """The part of a plan that one account carries out."""

    cancels: int = 0
    open: int = 0  #: rows whose targets a run has to work on
    with_user: int = 0  #: valid rows that name an acting user
    without_user: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cancels of a plan go: to which API, with whose credential, recorded in which ledger."""

    api: str  #: the host, with its port where that is given
    credential: str  #: where a person finds it, and of which kind it is; nothing of its value
    ledger: str


@dataclass(slots=True)
class Plan:
    """The sum of a plan: counts, and its first lines. Flat in memory whatever the input's size."""

    pace: Pace
    rows: int = 0
    actions: Counter[Action] = field(default_factory=Counter)
    settled: Counter[State] = field(default_factory=Counter)  #: rows that need nothing, by what the ledger knows
    first: list[PlanLine] = field(default_factory=list)  #: the first rows that would be sent
    invalid: list[PlanLine] = field(default_factory=list)  #: the first invalid rows
    left_out: list[PlanLine] = field(default_factory=list)  #: the first rows that are not sent because of a reading
    shares: dict[str, Share] = field(default_factory=dict)  #: by account; "" is the run's own credential
    paces: Mapping[str, Pace] = field(default_factory=dict)  #: by account, where there is an accounts file
    look: LookSummary | None = None  #: None: nothing was to be read
    digest: str | None = None  #: of the plan file, when one was written
    time: TimeLimit | None = None  #: how long the job lets a run send
    hours: Hours = field(default_factory=Hours)  #: when cancels may be sent, and the zone of its readers
    notes: tuple[str, ...] = ()  #: sentences on how the input was read
    own_reasons: int = 0  #: rows to be sent with a reason of their own
    blank_reasons: int = 0  #: of these, reasons with something in braces, which nothing fills in
    given_reasons: int = 0  #: rows to be sent with the job's reason
    no_reasons: int = 0  #: rows to be sent without any: their mails give none
    unmailed: Unmailed = field(default_factory=Unmailed)
    series: int = 0  #: rows to be sent that take their whole series along
    groups: int = 0  #: rows to be sent that cancel for everyone in a group, as readings show
    place: Place | None = None  #: where its cancels go
    provenance: Provenance = field(default_factory=Provenance)  #: who plans or runs it, and why
    closure: str = ""  #: the command that checks the days of a closure; empty: this plan is of no closure
    shown: Mapping[int, Sequence[tuple[str, str]]] = field(default_factory=dict)  #: row -> columns that are shown
    nothing: str = ""  #: why there is nothing to do, a sentence: the job allows its input to be missing

    @property
    def cancels(self) -> int:
        """Number of cancels that a run would send, if every one is answered."""
        return self.actions[Action.CANCEL]

    @property
    def may_send(self) -> int:
        """Number of cancels that a run may send at most: also those that are read first."""
        return self.cancels + self.actions[Action.READ_FIRST]

    @property
    def targets(self) -> int:
        """Number of distinct targets that the valid rows name."""
        return self.rows - self.actions[Action.SAME] - self.actions[Action.INVALID]

    @property
    def named_rows(self) -> list[int]:
        """The rows that a person is shown."""
        return [line.row.row for lines in (self.first, self.invalid, self.left_out) for line in lines]

    @property
    def duration_s(self) -> float:
        """Seconds that the cancels take at least, with a full burst; of several accounts, those of the slowest."""
        if not self.paces:
            return duration_s(self.cancels + 1, self.pace)  # one read precedes them
        return max((self.duration_of(name) for name, share in self.shares.items() if share.cancels), default=0.0)

    @property
    def needs_s(self) -> float:
        """Seconds until a run that starts now has sent its cancels, at least: with what is left of a pause."""
        return self.hours.paused_s + self.duration_s

    def duration_of(self, account: str) -> float:
        """Return the seconds that the cancels of one account take at least."""
        return duration_s(self.shares[account].cancels + 1, self.paces[account])


def target_of(row: InputRow) -> Target:
    """Return the target that a valid row names."""
    assert row.appointment_id is not None  # noqa: S101 - only of valid rows
    return Target(row.appointment_id, row.attendee_id, row.entire_series)


def request_of(row: InputRow) -> Request:
    """Return what a valid row asks of the API."""
    return Request(row.reason, row.cancel_all, row.user_id, row.account or "")


def decided(row: InputRow, state: State | None) -> PlanLine:
    """Decide a row's action, given what the ledger knows of its target."""
    return PlanLine(row, *_decide(row, state), state=state)


def _decide(row: InputRow, state: State | None) -> tuple[Action, str]:
    if row.problems is not None:
        return Action.INVALID, row.problems
    if row.first_row != row.row:
        return Action.SAME, f"same target as row {row.first_row}"
    if state is None or state in SENDABLE:
        return Action.CANCEL, "to be cancelled"
    if state in OPEN:
        return (
            Action.READ_FIRST,
            "an earlier cancel has no known outcome: the appointment is read before anything is sent",
        )
    return Action.NOTHING, f"{state.value} in an earlier run"


LookAt = Callable[[Sequence[PlanLine]], Sequence[PlanLine]]


def make_plan(
    chunks: Iterable[Sequence[InputRow]],
    states_of: Callable[[Sequence[InputRow]], Sequence[State | None]],
    pace: Pace,
    look: LookAt | None = None,
    each: Callable[[PlanLine], None] | None = None,
) -> Plan:
    """Plan every row. `states_of` asks the ledger about a chunk, `look` reads the API, `each` receives every line."""
    plan = Plan(pace, look=LookSummary() if look else None)
    for rows in chunks:
        lines: Sequence[PlanLine] = [decided(row, state) for row, state in zip(rows, states_of(rows), strict=True)]
        for line in look(lines) if look else lines:
            _count(plan, line)
            if each is not None:
                each(line)
    return plan


def _count(plan: Plan, line: PlanLine) -> None:
    plan.rows += 1
    plan.actions[line.action] += 1
    if line.action is Action.NOTHING and line.state in SETTLED:
        plan.settled[line.state] += 1
    shown = {Action.CANCEL: plan.first, Action.INVALID: plan.invalid}.get(line.action)
    if shown is None and line.action not in (Action.SAME, Action.NOTHING, Action.READ_FIRST):
        shown = plan.left_out
    if shown is not None and len(shown) < PREVIEW:
        shown.append(line)
    if line.action is not Action.INVALID:
        _count_share(plan.shares.setdefault(line.row.account or "", Share()), line)
    plan.unmailed.take(line.row)
    if line.is_sent:
        _count_sent(plan, line)


def _count_sent(plan: Plan, line: PlanLine) -> None:
    row = line.row
    plan.series += row.entire_series
    plan.groups += line.is_for_a_group
    plan.no_reasons += row.reason is None
    plan.given_reasons += row.reason is not None and row.reason_given
    is_own = row.reason is not None and not row.reason_given
    plan.own_reasons += is_own
    plan.blank_reasons += is_own and _BLANK.search(row.reason or "") is not None
    if plan.look is not None:
        _count_look(plan.look, line)


def _count_share(share: Share, line: PlanLine) -> None:
    share.cancels += line.action is Action.CANCEL
    share.open += line.action not in (Action.NOTHING, Action.SAME)
    share.with_user += bool(line.row.user_id)
    share.without_user += not line.row.user_id


def _count_look(look: LookSummary, line: PlanLine) -> None:
    """Count the mails: everybody in the appointment gets one (documented), even when only one attendee is removed."""
    seen = line.seen
    if line.unread:
        look.unreadable += 1
        look.unreadable_first = look.unreadable_first or f"row {line.row.row}: {line.unread}"
    if seen is None:
        look.unseen += 1
        return
    look.mails.update(contact.email.lower() or f"{seen.appointment_id}/{n}" for n, contact in enumerate(seen.contacts))
    look.paid += seen.paid
    look.hosts.update(seen.host_ids or ())
    look.starts = widened(look.starts, seen.start)
