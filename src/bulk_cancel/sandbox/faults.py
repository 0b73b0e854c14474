"""Faults on request: the grammar of their specification, and the choice of the fault for each request.

GRAMMAR and `fault_tables` say how a fault is written.

Examples: lost-after=0.1,late=0.05:3s,429=0.05,get:500=0.02   cut-after@3f2b8c1e-5a77-4d0e-9b1c-0a6f2d9e7c55
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self
from uuid import UUID

#: A specification is a list of these, separated by commas.
GRAMMAR = "[get:]SHAPE[-WHEN][=CHANCE | @UUID][:DURATION]"
_PARTS = (
    ("get:", "For reads; without it for cancels. A read has no effect, so no WHEN."),
    ("=CHANCE", "The share of requests, from 0 to 1; without it every request. The same seed meets the same faults."),
    ("@UUID", "Exactly one request for this appointment; named twice, two requests, in this order."),
    (":DURATION", "Such as 500ms, 3s, 2m."),
)
HANG_LIMIT_S = 120.0
_DEFAULT_LATE_S = 3.0
_ITEM = re.compile(
    r"(?P<get>get:)?(?P<name>[a-z0-9-]+?)(-(?P<when>before|after|late))?"
    r"(=(?P<chance>[^:@]+)|@(?P<target>[^:]+))?(:(?P<duration>\w[\w.]*))?"
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class _Told(StrEnum):
    """Words of the grammar, each with what it means."""

    meaning: str

    def __new__(cls, word: str, meaning: str = "") -> Self:
        """Make a member that is a word with its meaning."""
        member = str.__new__(cls, word)
        member._value_, member.meaning = word, meaning
        return member


class Shape(_Told):
    """What the client gets instead of the answer."""

    STATUS = "400 to 599", "This status: 429 as the API words it; 502, 503 and 504 as the HTML page of a gateway."
    PAGE = "page-400 to page-599", "The HTML page of a gateway under this status."
    LOST = "lost", "The connection is closed without one byte."
    RESET = "reset", "The connection is reset."
    CUT = "cut", "Half of the body arrives, then the connection is closed."
    TRUNCATED = "truncated", "Half of the JSON arrives as if it were whole."
    HANG = "hang", "Nothing arrives until the client gives up, or the duration (120s, at most) has passed."
    DRIP = "drip", "The answer arrives byte by byte, one each duration (80ms)."
    DELAY = "delay", "The answer arrives later by the duration (500ms); the cancel takes effect all the same."
    HTML = "html", "200 with a login page."
    REDIRECT = "redirect", "307 to a trap on another host name."
    NO_CONTENT = "204", "Success without a body."
    EMPTY = "empty", "200 without a body."
    OTHER_ID = "other-id", "Success that shows another appointment."
    NOT_CANCELLED = "not-cancelled", "Success that shows the appointment still active."
    SILENT = "silent", "Success that does not say whether the appointment is cancelled."
    STALE = "stale", "Reads show the state before a change for the duration (2s)."


class When(_Told):
    """Whether the cancel itself takes effect. Of statuses below 500 only 408, 409, 421 and 425 can come after it."""

    BEFORE = "before", "Never: the answer goes wrong before any effect. This is the default."
    AFTER = "after", "It has taken effect."
    LATE = "late", "It takes effect later by the duration (3s). `late` alone is short for lost-late."


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


def fault_tables() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield how a fault is written: tables of two columns, each with its title."""
    yield f"Faults, separated by commas, are {GRAMMAR}", [*_PARTS]
    for name, words in (
        ("SHAPE: what the client gets instead of the answer", Shape),
        ("WHEN: whether the cancel takes effect", When),
    ):
        yield name, [(word.value, word.meaning) for word in words]


def parse_faults(spec: str) -> tuple[Fault, ...]:
    """Parse a specification of faults. Raises ValueError, a clause."""
    faults = tuple(_parse(item.strip()) for item in spec.split(",") if item.strip())
    for meets in Meets:
        total = sum(fault.chance for fault in faults if fault.meets is meets and not fault.target)
        if total > 1 + 1e-9:
            raise ValueError(f"the chances of the faults for {meets} add up to {total:g}, which is more than 1")
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
        raise ValueError(f"the fault {item!r} cannot be read; write {GRAMMAR}")
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
    if name not in {*Shape}:
        raise ValueError(f"the fault {item!r} has no known shape; known are late, {', '.join(Shape)}")
    return Shape(name), 0


def _check_when(fault: Fault, item: str) -> None:
    if fault.when is When.BEFORE:
        return
    if fault.meets is not Meets.CANCELS:
        raise ValueError(f"the fault {item!r} is for reads, which have no effect: leave out -{fault.when}")
    if fault.shape is Shape.STATUS and fault.status < 500 and fault.status not in _UNCLEAR:
        raise ValueError(f"the fault {item!r} cannot be: a {fault.status} says that nothing took effect")
    if fault.shape is Shape.DELAY and fault.when is When.LATE:
        raise ValueError(f"the fault {item!r} cannot be: write delay-before, whose effect comes after the delay")


def _with_duration(fault: Fault, text: str | None, item: str) -> Fault:
    """Return the durations of a fault: a late one's is that of its effect, any other's that of its answer."""
    late = fault.when is When.LATE
    if text and not late and fault.shape not in _DURATIONS_S:
        raise ValueError(f"the fault {item!r} takes no duration")
    usual = _DURATIONS_S.get(fault.shape, 0.0)
    if late:
        return replace(fault, duration_s=usual, late_s=_duration_s(text, item) if text else _DEFAULT_LATE_S)
    return replace(fault, duration_s=_duration_s(text, item) if text else usual)


def _duration_s(text: str, item: str) -> float:
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"the duration {text!r} of the fault {item!r} cannot be read; write 500ms, 3s or 2m")
    return float(match[1]) * _UNITS_S[match[2]]


def _chance(text: str | None, item: str) -> float:
    try:
        chance = float(text) if text else 1.0
    except ValueError:
        chance = -1.0
    if not 0 <= chance <= 1:
        raise ValueError(f"the chance {text!r} of the fault {item!r} is not a number from 0 to 1")
    return chance


def _target(text: str | None, item: str) -> str | None:
    try:
        return str(UUID(text)) if text else None
    except ValueError:
        raise ValueError(f"the target {text!r} of the fault {item!r} is not a UUID") from None
