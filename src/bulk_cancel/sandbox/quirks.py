"""Ways in which the API may differ from its documentation, as switches: `--quirks pages-of-25,slots-times`."""

from __future__ import annotations

from enum import StrEnum


class Quirk(StrEnum):
    """One difference. Little is documented of these routes, and clients have seen other shapes."""

    PAGES_OF_25 = "pages-of-25"  #: the list of appointments has 25 on a page at most, whatever is asked for
    BROKEN_ITEMS = "broken-items"  #: every tenth item of a list has an id that is none
    NO_TOTAL = "no-total"  #: lists do not say how many items they have
    PENDING_NAMES = "pending-names"  #: provisional bookings: the names of all parameters but the page's are refused
    PENDING_ANY_STATUS = "pending-any-status"  #: provisional bookings: the filter by status is ignored
    PENDING_RIGHTS = "pending-rights"  #: provisional bookings: refused with 403
    PENDING_ITEMS = "pending-items"  #: provisional bookings: the list has another name
    SLOTS_TIMES = "slots-times"  #: availability as an older shape: slots[]{date, times[]}
    SLOTS_AVAILABLE = "slots-available"  #: availability as another older shape: availableSlots[]
    SLOTS_BARE = "slots-bare"  #: availability: spots without unavailabilityEvents
    SLOTS_MISSING = "slots-missing"  #: availability: the route does not exist


def parse_quirks(text: str) -> frozenset[Quirk]:
    """Return the quirks of a list with commas. Raises ValueError for an unknown name."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in set(Quirk)]:
        raise ValueError(f"there is no quirk {unknown[0]!r}; known are {', '.join(Quirk)}")
    return frozenset(Quirk(name) for name in names)
