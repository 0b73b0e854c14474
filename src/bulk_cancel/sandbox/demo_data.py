"""The demo: an office closure. Its world and its faults; sample_inputs/office_closure.csv names its appointments."""

from __future__ import annotations

from bulk_cancel.sandbox.options import SandboxOptions
from bulk_cancel.sandbox.people import made_id
from bulk_cancel.sandbox.world import OCCURRENCES_PER_SERIES, Kind, Wanted, World

_SINGLES = 40
_UNLISTED = 10
_SPECIAL = (
    Wanted(Kind.GROUP, made_id("demo/group-whole")),
    Wanted(Kind.GROUP, made_id("demo/group-attendee"), (made_id("demo/attendee-1"), made_id("demo/attendee-2"))),
    Wanted(Kind.GROUP, made_id("demo/group-unclear")),
    Wanted(Kind.PAID, made_id("demo/paid")),
    Wanted(Kind.PAST, made_id("demo/past")),
    Wanted(Kind.COHOSTED, made_id("demo/cohosted")),
    Wanted(Kind.OTHER_HOST, made_id("demo/other-host")),
    Wanted(Kind.SYNC_ERROR, made_id("demo/sync-error")),
    Wanted(Kind.CANCELLED, made_id("demo/cancelled-1")),
    Wanted(Kind.CANCELLED, made_id("demo/cancelled-2")),
)


def _single(number: int) -> str:
    return made_id(f"demo/single-{number}")


#: One answer lost after its effect, one refused by the limit.
DEMO_FAULTS = f"cut-after@{_single(7)},429@{_single(12)}"


def demo_world() -> World:
    """The appointments of the demo; those named `unlisted` stand in no row and must stay as they are."""
    singles = [Wanted(id=_single(number)) for number in range(_SINGLES)]
    series = [Wanted(Kind.SERIES, made_id(f"demo/series-{number}")) for number in range(OCCURRENCES_PER_SERIES)]
    unlisted = [Wanted(id=made_id(f"demo/unlisted-{number}")) for number in range(_UNLISTED)]
    return World.of([*singles, *_SPECIAL, *series, *unlisted], seed=20)


def demo_options() -> SandboxOptions:
    """A sandbox with the demo's world and faults; each demo comes with a token of its own."""
    return SandboxOptions(world=demo_world(), faults=DEMO_FAULTS, any_personal_token=True)
