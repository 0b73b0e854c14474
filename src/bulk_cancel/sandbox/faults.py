"""Faults on request: the grammar of their specification, and the choice of the fault for each request.

A specification is a list of faults, separated by commas: [get:]SHAPE[-WHEN][=CHANCE | @UUID][:DURATION]

SHAPE     what the client gets instead of the answer: see Shape. Also 400 to 599, page-400 to page-599, and late, short
          for lost-late
WHEN      before, the default; after; late: see When. A read has no effect, so no WHEN
CHANCE    from 0 to 1, the share of requests; without it every request. The same seed meets the same faults
@UUID     exactly one request for this appointment; named twice, two requests, in this order
get:      for reads; without it for cancels
DURATION  such as 500ms, 3s, 2m

Examples: lost-after=0.1,late=0.05:3s,429=0.05,get:500=0.02   cut-after@3f2b8c1e-5a77-4d0e-9b1c-0a6f2d9e7c55
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

HANG_LIMIT_S = 120.0
_DEFAULT_LATE_S = 3.0
_ITEM = re.compile(
    r"(?P<get>get:)?(?P<name>[a-z0-9-]+?)(-(?P<when>before|after|late))?"
    r"(=(?P<chance>[^:@]+)|@(?P<target>[^:]+))?(:(?P<duration>\w[\w.]*))?"
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Shape(StrEnum):
    """What the client gets instead of the answer."""

    LOST = "lost"  #: the connection is closed without one byte
    RESET = "reset"  #: the connection is reset
    CUT = "cut"  #: half of the body arrives, then the connection is closed
    TRUNCATED = "truncated"  #: half of the JSON arrives as if it were whole
    HANG = "hang"  #: nothing arrives until the client gives up, or the duration (at most 120s) has passed
    DRIP = "drip"  #: the answer arrives byte by byte, one each duration (80ms)
    DELAY = "delay"  #: the answer arrives later by the duration (500ms); the cancel takes effect all the same
    STATUS = "status"  #: this status, 429 as the API words it, and 502, 503 and 504 as the HTML page of a gateway
    PAGE = "page"  #: the HTML page of a gateway under this status
    HTML = "html"  #: 200 with a login page
    REDIRECT = "redirect"  #: 307 to a trap on another host name
    NO_CONTENT = "204"  #: success without a body, as is the next
    EMPTY = "empty"
    OTHER_ID = "other-id"  #: success that shows another appointment
    NOT_CANCELLED = "not-cancelled"  #: success that shows the appointment still active
    SILENT = "silent"  #: success that does not say whether the appointment is cancelled
    STALE = "stale"  #: no answer of its own: reads show the state before a change for the duration (2s)


class When(StrEnum):
    """Whether the cancel itself takes effect. Of statuses below 500 only 408, 409, 421 and 425 can come after it."""

    BEFORE = "before"  #: the answer goes wrong before any effect
    AFTER = "after"  #: it has taken effect
    LATE = "late"  #: it takes effect later by the duration (3s)


class Meets(StrEnum):
    """Which requests a fault is for. Staleness is drawn on its own: a stale read may go wrong as well."""

    CANCELS = "cancels"
    READS = "reads"
    STALE_READS = "stale reads"


#: They may come after an effect: an application's own time limit answers 408 while its handler goes on.
_UNCLEAR = (408, 409, 421, 425)
_DURATIONS_S = {Shape.HANG: HANG_LIMIT_S, Shape.DRIP: 0.08, Shape.DELAY: 0.5, Shape.STALE: 2.0}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what the client gets, what happens to the appointment, and whom it meets."""

    shape: Shape
    when: When = When.BEFORE
    meets: Meets = Meets.CANCELS
    status: int = 0
    duration_s: float = 0.0
    late_s: float = 0.0
    chance: float = 1.0
    target: str | None = None

    @property
    def label(self) -> str:
        """Its name in the record of answers."""
        name = {Shape.STATUS: f"{self.status}", Shape.PAGE: f"page-{self.status}"}.get(self.shape, self.shape.value)
        return f"{name}-{self.when}" if self.meets is Meets.CANCELS else name


def parse_faults(spec: str) -> tuple[Fault, ...]:
    """Parse a specification of faults. Raises ValueError, a sentence."""
    faults = tuple(_parse(item.strip()) for item in spec.split(",") if item.strip())
    for meets in Meets:
        total = sum(fault.chance for fault in faults if fault.meets is meets and not fault.target)
        if total > 1 + 1e-9:
            raise ValueError(f"The chances of the faults for {meets} add up to {total:g}, which is more than 1.")
    return faults


class FaultPlan:
    """Chooses the fault of each request.

    The draw depends on the seed, the request's target and how often that target was asked for, not on the order in
    which requests of many workers happen to arrive: otherwise no concurrent run could be repeated.
    """

    def __init__(self, spec: str = "", seed: int = 1) -> None:
        self._seed = seed
        self._asked: Counter[tuple[Meets, str]] = Counter()
        self._once: defaultdict[tuple[Meets, str], deque[Fault]] = defaultdict(deque)
        self._by_chance: defaultdict[Meets, list[Fault]] = defaultdict(list)
        for fault in parse_faults(spec):
            if fault.target:
                self._once[fault.meets, fault.target].append(fault)
            else:
                self._by_chance[fault.meets].append(fault)

    def decide(self, meets: Meets, target: str = "") -> Fault | None:
        """Return the fault of this request; None without one."""
        once = self._once.get((meets, target))
        if once:
            return once.popleft()
        candidates = self._by_chance.get(meets)
        return self._draw(candidates, meets, target) if candidates else None

    def _draw(self, candidates: list[Fault], meets: Meets, target: str) -> Fault | None:
        self._asked[meets, target] += 1
        rng = random.Random(f"{self._seed}/{meets}/{target}/{self._asked[meets, target]}")  # noqa: S311  repeatable
        drawn = rng.random()
        for fault in candidates:
            drawn -= fault.chance
            if drawn < 0:
                return fault
        return None


def _parse(item: str) -> Fault:
    match = _ITEM.fullmatch(item)
    if not match:
        raise ValueError(f"The fault {item!r} cannot be read; write SHAPE[-WHEN][=CHANCE | @UUID][:DURATION].")
    name, when = match["name"], When(match["when"] or When.BEFORE)
    if name == "late":
        name, when = Shape.LOST, When.LATE
    shape, status = _shape(name, item)
    fault = Fault(
        shape=shape,
        when=when,
        meets=Meets.STALE_READS if shape is Shape.STALE else Meets.READS if match["get"] else Meets.CANCELS,
        status=status,
        chance=_chance(match["chance"], item),
        target=_target(match["target"], item),
    )
    _check_when(fault, item)
    return _with_duration(fault, match["duration"], item)


def _shape(name: str, item: str) -> tuple[Shape, int]:
    if match := re.fullmatch(r"(page-)?([45]\d\d)", name):
        return Shape.PAGE if match[1] else Shape.STATUS, int(match[2])
    try:
        shape = Shape(name)
    except ValueError:
        shape = Shape.STATUS
    if shape in (Shape.STATUS, Shape.PAGE):
        known = ", ".join(each for each in Shape if each not in (Shape.STATUS, Shape.PAGE))
        what = f"known are late, 400 to 599, page-400 to page-599, {known}"
        raise ValueError(f"The fault {item!r} has no known shape; {what}.")
    return shape, 0


def _check_when(fault: Fault, item: str) -> None:
    if fault.when is When.BEFORE:
        return
    if fault.meets is not Meets.CANCELS:
        raise ValueError(f"The fault {item!r} is for reads, which have no effect: leave out -{fault.when}.")
    if fault.shape is Shape.STATUS and fault.status < 500 and fault.status not in _UNCLEAR:
        raise ValueError(f"The fault {item!r} cannot be: a {fault.status} says that nothing took effect.")
    if fault.shape is Shape.DELAY and fault.when is When.LATE:
        raise ValueError(f"The fault {item!r} cannot be: write delay-before, whose effect comes after the delay.")


def _with_duration(fault: Fault, text: str | None, item: str) -> Fault:
    """Return the durations of a fault: a late one's is that of its effect, any other's that of its answer."""
    late = fault.when is When.LATE
    if text and not late and fault.shape not in _DURATIONS_S:
        raise ValueError(f"The fault {item!r} takes no duration.")
    usual = _DURATIONS_S.get(fault.shape, 0.0)
    if late:
        return replace(fault, duration_s=usual, late_s=_duration_s(text, item) if text else _DEFAULT_LATE_S)
    return replace(fault, duration_s=_duration_s(text, item) if text else usual)


def _duration_s(text: str, item: str) -> float:
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"The duration {text!r} of the fault {item!r} cannot be read; write 500ms, 3s or 2m.")
    return float(match[1]) * _UNITS_S[match[2]]


def _chance(text: str | None, item: str) -> float:
    try:
        chance = float(text) if text else 1.0
    except ValueError:
        chance = -1.0
    if not 0 <= chance <= 1:
        raise ValueError(f"The chance {text!r} of the fault {item!r} is not a number from 0 to 1.")
    return chance


def _target(text: str | None, item: str) -> str | None:
    try:
        return str(UUID(text)) if text else None
    except ValueError:
        raise ValueError(f"The target {text!r} of the fault {item!r} is not a UUID.") from None
