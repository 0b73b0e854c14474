"""The accounts that work on a run: their credentials, limits and lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bulk_cancel.access.credential_locks import CredentialLocks
from bulk_cancel.api.port import ApiSettings, Line
from bulk_cancel.core.model import Scope
from bulk_cancel.core.pacing import Pace
from bulk_cancel.engine.clock import Clock
from bulk_cancel.engine.counters import Counters
from bulk_cancel.ledger.port import Ledger
from bulk_cancel.ops.descriptors import fewer_at_a_time
from bulk_cancel.settings.accounts import OWN, label_of


@dataclass(frozen=True, slots=True)
class ActiveAccount:
    """An account that works on a run."""

    name: str
    settings: ApiSettings
    pace: Pace
    lines: Sequence[Line]
    counters: Counters = field(default_factory=Counters)

    @property
    def key(self) -> str:
        """The credential's fingerprint."""
        return self.settings.credential.fingerprint


def pace_of(active: Sequence[ActiveAccount]) -> Pace | None:
    """Return the sum of all limits; None without accounts."""
    rate_per_s, burst = sum(one.pace.rate_per_s for one in active), sum(one.pace.burst for one in active)
    return Pace(rate_per_s, burst) if active else None


def credential_of(active: Sequence[ActiveAccount]) -> str:
    """Return where a person finds the credential that was used; of several accounts the halt names the account."""
    return active[0].settings.credential.origin if len(active) == 1 else "the credential"


def active_accounts(keys: CredentialLocks, ledger: Ledger, run_no: int) -> list[ActiveAccount]:
    """Return the accounts that have work and whose limits are locked; without an accounts file, the run's own."""
    names = sorted(keys.locked.intersection(ledger.accounts(run_no))) if keys.accounts.given else [OWN]
    active = []
    for name, count in zip(names, _line_counts(keys, names), strict=True):
        settings = keys.settings(name)
        make_line = keys.setup.machine.line_factory(settings)
        active.append(ActiveAccount(name, settings, keys.accounts.pace(name), [make_line() for _ in range(count)]))
    return active


def _line_counts(keys: CredentialLocks, names: Sequence[str]) -> list[int]:
    """Return how many requests each account may have in flight: its setting, or fewer if this machine allows fewer."""
    wanted, room = [keys.accounts.find(name).concurrency for name in names], keys.setup.machine.room_for_connections()
    total = sum(wanted)
    if total <= room:
        return wanted
    fitting = [max(1, one * room // total) for one in wanted]
    keys.setup.log.warning("run.fewer_at_a_time", told=fewer_at_a_time(sum(fitting), "request", total))
    return fitting


def leave_others(left: Iterable[str], ledger: Ledger, run_no: int, clock: Clock) -> dict[str, int]:
    """Recover the targets of accounts that are not active; return the number of unknown outcomes of each account."""
    left = sorted(left)
    for name in left:
        ledger.recover(run_no, clock.now(), Scope(name))
    counts = {name: ledger.unknown_count(Scope(name)) for name in left}
    return {name: count for name, count in counts.items() if count}


def about_left(left: Mapping[str, int]) -> str:
    """Return a sentence on the unknown outcomes of accounts without a credential; empty when there are none."""
    if not left:
        return ""
    named = ", ".join(f"{count:,} of {label_of(name)}" for name, count in left.items())
    known = "Make their credentials known and run again."
    return f"Outcomes stay unknown, since their credentials are missing here: {named}. {known}"
