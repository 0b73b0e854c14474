"""What a seed decides: appointments and rows, what API, network, people and machine do wrong, the operator's flags.

Everything is drawn from keyed chance and can be switched off by name (`without`) or row by row (`dropped`), so that a
failing history shrinks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bulk_cancel.core.actions import Look
from bulk_cancel.core.model import InputRow
from bulk_cancel.core.window import parse_window
from world.chance import Chance, pick
from world.queue import EPOCH, WorldClock
from world.truth import HOST, OTHER_HOST, Meeting, Truth

#: The operator's flags, all in one table: setting of a job -> weight by value.
FLAGS: Mapping[str, Mapping[Any, float]] = {
    "concurrency": {16: 3, 1: 2, 2: 2, 4: 3},
    "max_attempts": {5: 6, 1: 1, 2: 1},
    "wait": {False: 3, True: 1},
    "look": {Look.AUTO: 3, Look.EACH: 2, Look.NEVER: 2},
    "skip_past": {True: 5, False: 1},
    "late_within": {0.0: 4, 7200.0: 1},
    "canary": {0: 4, 1: 1, 3: 1},
    "max_errors": {"": 6, "20%": 1, "2": 1},
    "send_window": {"": 6, "09:00-10:00 UTC": 1, "09:00-09:05 UTC": 1},
    "outside_window": {"wait": 2, "stop": 1},
    "max_duration": {None: 6, 60.0: 1, 3600.0: 1},
    "retry_refused": {False: 4, True: 1},
    "settle": {600.0: 8, 1200.0: 1},
}
#: What a theme's operator types instead.
THEME_FLAGS: Mapping[str, Mapping[str, Mapping[Any, float]]] = {
    "closing": {"send_window": {"": 1, "09:00-09:01 UTC": 2}, "max_duration": {None: 1, 1.0: 1, 5.0: 1}},
    "outage": {"concurrency": {16: 1, 1: 4}, "look": {Look.NEVER: 2, Look.EACH: 2, Look.AUTO: 1}},
    "late": {"wait": {False: 1, True: 2}, "settle": {600.0: 2, 1200.0: 1}, "look": {Look.AUTO: 1, Look.NEVER: 2}},
    "throttled": {"concurrency": {16: 1, 1: 1}},
    "lists": {"look": {Look.AUTO: 4, Look.EACH: 1}, "concurrency": {16: 3, 4: 1}},
    "refusals": {"retry_refused": {False: 1, True: 1}, "wait": {False: 1, True: 1}},
    "canaries": {"canary": {0: 1, 1: 2, 3: 2}},
    "colleagues": {"look": {Look.AUTO: 1, Look.EACH: 2}},
    "clocks": {"retry_refused": {False: 1, True: 1}},
    "stale": {"look": {Look.AUTO: 1, Look.EACH: 5}},
    "crowds": {"concurrency": {16: 1}, "canary": {0: 1}, "look": {Look.NEVER: 2, Look.EACH: 1}},
}
#: What may go wrong, and how often a history has it. A theme makes what it names certain, and most others rare.
FEATURES: Mapping[str, float] = {
    "trouble": 0.75,  # answers to cancels that prove nothing
    "late": 0.5,  # effects after the answer
    "read_trouble": 0.5,
    "lag": 0.4,  # replicas
    "cache": 0.15,
    "slim": 0.2,  # lists with short documents
    "odd_pages": 0.25,
    "throttle": 0.3,  # 429 without cause: others use the key
    "outage": 0.2,
    "revoked": 0.1,
    "passing_refusals": 0.2,
    "unreachable": 0.3,  # connections refused or slow
    "people": 0.35,
    "kill": 0.5,
    "freeze": 0.15,
    "suspend": 0.1,
    "reboot": 0.1,
    "clock": 0.15,
    "slow_disk": 0.25,
    "full_disk": 0.08,
    "signal": 0.12,
    "mischief": 0.1,  # with the ledger's files
    "edits": 0.15,  # of the input between runs
    "series": 0.3,
    "groups": 0.4,
    "strange_rows": 0.3,  # invalid ones, repeated ones, unknown ids
    "plan": 0.2,  # an approved plan, hours old
    "accounts": 0.2,  # several keys in one run
    "reconcile": 0.2,  # the operator types reconcile in between
    "users": 0.12,  # a key that acts as the user whom a row names, and as nobody else
    "second": 0.1,  # another command, typed while one is at work
    "swapped": 0.06,  # the ledger's files are changed while a run is at work
    "stalls": 0.08,  # commits that take seconds
    "no_route": 0.04,  # for a while the server has no such address
    "forbidden": 0.06,  # for a while the credential may not cancel, or not even read
    "throttled_posts": 0.04,  # for a while cancels are throttled, and reads are not
    "after_effects": 0.1,  # of cancels, that went wrong
    "transit": 0.3,  # requests arrive after delays that differ
    "haste": 0.1,  # the operator runs again at once, against a small burst
    "punctual": 0.1,  # the operator runs again when a settle time is nearly over
    "vain": 0.08,  # no cancel without a proof has taken effect
    "wider": 0.08,  # an earlier input names the whole of a group of which this one names somebody; some are hidden then
    "postponed": 0.04,  # what was past is held later, and the operator's next runs do not look
    "fading": 0.05,  # the right to cancel is taken away after a few cancels, which come to nothing
    "impatient": 0.2,  # a person decides at once what is unknown
    "forgets": 0.08,  # documents do not show who was removed
    "breakers": 0.0,  # once in a history the API breaks its documented contract, in a theme of their own
    "workers": 0.0,  # on a shared ledger, in a theme of their own
    "database": 0.0,  # of the workers: away, or a connection lost
    "stopped": 0.0,  # a run of the workers, by its operator
}
_CALM = ("accounts", "series", "groups", "strange_rows", "edits", "reconcile")
THEMES: Mapping[str, tuple[str, ...]] = {
    "mixed": (),
    "kills": ("kill",),
    "late": ("trouble", "late", "kill", "stalls", "unreachable", "freeze"),
    "replicas": ("lag", "people", "trouble"),
    "throttled": ("throttle", "slow_disk"),
    "closing": ("slow_disk", "throttle", "freeze", "stalls"),
    "outage": ("outage", "unreachable"),
    "colleagues": ("people", "plan"),
    "stale": ("cache", "people"),
    "clocks": ("clock", "reboot", "suspend", "kill", "trouble"),
    "lists": ("slim", "odd_pages", "plan", "people"),
    "refusals": ("forbidden", "passing_refusals", "edits", "plan", "groups", "trouble"),
    "canaries": ("cache", "passing_refusals", "trouble"),
    "files": ("mischief", "swapped", "kill"),
    "breakers": ("breakers", "trouble", "late", "passing_refusals"),
    "workers": ("workers",),
    "crowds": ("transit",),
}
#: What a theme has more often, or less, than others.
THEME_FEATURES: Mapping[str, Mapping[str, float]] = {
    "replicas": {"wider": 0.6, "groups": 0.8, "haste": 0.7},
    "lists": {"cache": 0.5, "haste": 0.5, "slow_disk": 0.5},
    "late": {"punctual": 0.5, "vain": 0.4},
    "clocks": {"passing_refusals": 0.5},
    "throttled": {"kill": 0.6, "haste": 0.5, "accounts": 0.4},
    "workers": {
        "kill": 0.6, "freeze": 0.6, "signal": 0.3, "database": 0.4, "late": 0.5, "series": 0.4, "trouble": 0.75,
        "stopped": 0.3, "revoked": 0.25, "clock": 0.15, "throttle": 0.3,
        "mischief": 0.0, "swapped": 0.0, "full_disk": 0.0, "reboot": 0.0, "suspend": 0.0,
    },
}  # fmt: skip

#: What a theme's limit allows at once.
_BURSTS: Mapping[str, tuple[int, ...]] = {"closing": (3, 6), "crowds": (30,)}
_BY_THE_CLOCK = ("send_window", "outside_window", "late_within")
ACCOUNTS = ("north", "south")
THEME_WEIGHTS: Mapping[str, float] = {
    name: {"mixed": 4.0, "breakers": 0.5, "crowds": 0.5}.get(name, 1.0) for name in THEMES
}


def uuid(number: int) -> str:
    """Return the id with this number."""
    return f"00000000-0000-4000-8000-{number:012d}"


@dataclass(frozen=True)
class Scenario:
    """One history before it has happened."""

    seed: int
    without: frozenset[str] = frozenset()  #: features that are switched off
    dropped: frozenset[int] = frozenset()  #: rows that are left out, by their places
    certain: frozenset[str] = frozenset()  #: features that it has in any case
    by_the_clock: bool = True  #: whether the operator's rules and the API's pages go by the wall clock
    whole: bool = False  #: through the whole of `run`, files and all; else from the plan down

    @cached_property
    def chance(self) -> Chance:
        return Chance(self.seed)

    @cached_property
    def theme(self) -> str:
        found = pick(self.chance.of("theme"), dict(THEME_WEIGHTS))
        return "mixed" if found == "workers" and self.whole else found

    @cached_property
    def features(self) -> frozenset[str]:
        """What may go wrong here."""
        certain, own = THEMES[self.theme], THEME_FEATURES.get(self.theme, {})
        found = []
        for name, share in FEATURES.items():
            rarely = own.get(name, share if self.theme == "mixed" or name in _CALM else share / 3)
            if name in certain or name in self.certain or self.chance.of("feature", name).random() < rarely:
                found.append(name)
        if "wider" in found and "groups" not in found:
            found.append("groups")
        if "users" in found:  # keys of single accounts act as nobody else, and what is handed over is another's
            found = [name for name in found if name not in ("accounts", "people")]
        return frozenset(found) - self.without

    def has(self, feature: str) -> bool:
        """Whether this may go wrong here."""
        return feature in self.features

    @cached_property
    def level(self) -> float:
        """How much goes wrong: the share of requests that meet trouble."""
        return self.chance.of("level").choice((0.1, 0.3, 0.5, 0.8))

    @cached_property
    def burst(self) -> int:
        if self.has("haste"):
            return self.chance.of("burst of haste").choice((3, 6, 12, 20))
        return self.chance.of("burst").choice(_BURSTS.get(self.theme, (200, 200, 20, 6, 3)))

    @cached_property
    def rate(self) -> float:
        return self.chance.of("rate").choice((100 / 60, 100 / 60, 10.0))

    def flags(self, run: int) -> dict[str, Any]:
        """Return the settings of one run: an operator keeps them, and now and then types others."""
        kept = self.chance.of("keeps flags", run).random() < (0.5 if self.theme == "late" else 0.8)
        found: dict[str, Any] = {}
        for name, usual in FLAGS.items():
            weights = THEME_FLAGS.get(self.theme, {}).get(name, usual)
            if f"flag {name}" in self.without:
                continue
            rng = self.chance.of("flag", name, 0 if kept else run)
            value = rng.choices(list(weights), list(weights.values()))[0]
            if value != next(iter(usual)):
                found[name] = parse_window(value) if name == "send_window" else value
        if self.has("fading"):
            found["wait"] = True
        if self.has("postponed"):
            found["look"] = Look.EACH if run == 1 else Look.NEVER
        if not self.by_the_clock:
            found = {name: value for name, value in found.items() if name not in _BY_THE_CLOCK}
            found |= {"skip_past": False, "look": Look.EACH if self.chance.of("looks").random() < 0.5 else Look.NEVER}
        return found

    @property
    def places(self) -> list[int]:
        """The places of the rows that are not dropped."""
        return [place for place in range(len(self._drawn)) if place not in self.dropped]

    @cached_property
    def rows(self) -> list[InputRow]:
        return numbered([row for place, (row, _) in enumerate(self._drawn) if place not in self.dropped])

    def truth(self, clock: WorldClock) -> Truth:
        """Return the appointments as they are when the history begins."""
        truth = Truth(clock, repeats=self.chance.of("repeats").random() < 0.8, forgets=self.has("forgets"))
        for place, (_, meetings) in enumerate(self._drawn):
            if place not in self.dropped:
                for make in meetings:
                    meeting = make()
                    if meeting.appointment_id not in truth.meetings:
                        truth.add(meeting)
        return truth

    @cached_property
    def _drawn(self) -> list[tuple[InputRow, list[Callable[[], Meeting]]]]:
        rng = self.chance.of("size")
        if self.theme == "outage":  # which is long enough for a breaker to open
            return [self._draw(place) for place in range(rng.choice((10, 12, 15)))]
        if self.theme == "crowds":  # that use up a limit at once
            return [self._draw(place) for place in range(40)]
        if self.theme == "canaries":  # of which a run may have nothing but canaries
            return [self._draw(place) for place in range(rng.choice((1, 2, 3, 5, 6, 8)))]
        count = rng.choice((5, 6, 8, 10, 12, 15, 20, 30, 60) if rng.random() < 0.3 else (5, 6, 8, 10))
        return [self._draw(place) for place in range(count)]

    def _draw(self, place: int) -> tuple[InputRow, list[Callable[[], Meeting]]]:
        rng, number = self.chance.of("row", place), place + 2
        kinds = {"plain": 6.0}
        kinds |= {"attendee": 2.0, "stranger": 0.5, "all": 1.0, "refused": 0.3} if self.has("groups") else {}
        kinds |= {"series": 1.5} if self.has("series") else {}
        kinds |= {"invalid": 0.5, "again": 0.5, "missing": 0.5, "past": 0.5} if self.has("strange_rows") else {}
        kinds |= {"past": 2.0} if self.has("postponed") else {}
        is_pair = self.has("groups") and self.chance.of("pair", place // 2).random() < 0.15
        kind, starts = (
            "attendee" if is_pair else pick(rng, kinds),
            rng.choice((86400, 7 * 86400, 3 * 3600, 1800)) + 60 * place,
        )
        appointment = uuid(place + 1)
        account = self.chance.of("account", place).choice(ACCOUNTS) if self.has("accounts") else None
        row = InputRow(number, appointment, None, False, False, "closed", None, number, None, account)
        plain = _meeting(appointment, starts)
        if self.has("users"):
            kind = "plain" if kind in ("attendee", "stranger", "series") else kind
            own = self.chance.of("user", place)
            host, is_wrong = own.choice((HOST, OTHER_HOST)), place in (1, 3) and own.random() < 0.5
            asked = {HOST: OTHER_HOST, OTHER_HOST: HOST}[host] if is_wrong else host
            row = row._replace(user_id=None if asked == HOST and own.random() < 0.5 else asked)
            plain = _meeting(appointment, starts, hosts=(host,))
        match kind:
            case "invalid":
                return row._replace(appointment_id=None, first_row=None, problems="appointment_id: not a UUID"), []
            case "again" if place:
                earlier, meetings = self._draw(place - 1)
                return earlier._replace(row=number), meetings
            case "missing":
                return row._replace(user_id=None), [_meeting(appointment, starts, exists=False)]
            case "past":
                return row._replace(user_id=None), [_meeting(appointment, -3600.0)]
            case "attendee" | "stranger":
                group = uuid(1000 + place // 2)
                guests = (uuid(5000 + 2 * (place // 2)), uuid(5001 + 2 * (place // 2)), uuid(9000 + place // 2))
                asked_for = guests[place % 2] if kind == "attendee" else uuid(9500 + place)
                asked = row._replace(appointment_id=group, attendee_id=asked_for)
                return asked, [_meeting(group, 86400.0, guests)]
            case "all" | "refused":
                guests = (uuid(2000 + place), uuid(3000 + place))
                return row._replace(cancel_all=kind == "all", user_id=None), [_meeting(appointment, starts, guests)]
            case "series":
                occurrence = uuid(7000 + place)
                # Or the row names one of the series alone.
                is_whole = self.chance.of("occurrence", place).random() < 0.7
                asked = row._replace(appointment_id=occurrence, entire_series=is_whole)
                more = [
                    _meeting(uuid(7000 + other), 86400.0 * (1 + other), series=place % 2) for other in range(61, 63)
                ]
                return asked, [_meeting(occurrence, 86400.0 * (1 + place), series=place % 2), *more]
        return row, [plain]


def numbered(rows: Iterable[InputRow]) -> list[InputRow]:
    """Number rows as the lines of a file, and have each name the first one with its target."""
    found: list[InputRow] = []
    first: dict[tuple[object, ...], int] = {}
    for number, row in enumerate(rows, 2):
        earliest = None if row.problems else first.setdefault(row[1:4], number)
        found.append(row._replace(row=number, first_row=earliest))
    return found


def _meeting(name: str, starts: float, guests: tuple[str, ...] = (), **more: Any) -> Callable[[], Meeting]:
    return lambda: Meeting(name, float(starts), guests or (f"9{name[1:]}",), bool(guests), **more)


def moment(at: float) -> float:
    """Translate true time into seconds since the epoch."""
    return EPOCH + at
