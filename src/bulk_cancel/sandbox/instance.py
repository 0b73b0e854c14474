"""One sandbox: its world and everything that changes while it runs. It knows nothing of HTTP."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from functools import partial
from threading import RLock

from bulk_cancel.sandbox.appointments import Book
from bulk_cancel.sandbox.bucket import TokenBucket
from bulk_cancel.sandbox.cancelling import Desk
from bulk_cancel.sandbox.closure_reads import SlotsQuery
from bulk_cancel.sandbox.faults import FaultPlan
from bulk_cancel.sandbox.options import SandboxOptions
from bulk_cancel.sandbox.record import Arrival, Record, Truth
from bulk_cancel.sandbox.world import Appointment


class Sandbox:
    """A stand-in for the API. Tests read it in their own thread while the server changes it in another."""

    def __init__(self, options: SandboxOptions, now: Callable[[], float] = time.monotonic) -> None:
        self.options = options
        self.now = now
        self.lock = RLock()
        self.url = ""
        self.world = options.make_world()
        self.reset()

    def reset(self, options: SandboxOptions | None = None) -> None:
        """Start afresh: the world untouched, the buckets full, the faults as in the options, nothing recorded."""
        with self.lock:
            if options is not None and options != self.options:
                self.options, self.world = options, options.make_world()
            self.book = Book(self.world, self.now)
            limit = partial(TokenBucket, self.options.rate_per_s, self.options.burst, self.now)
            self.limits: defaultdict[str, TokenBucket] = defaultdict(limit)  #: by the fingerprint of the credential
            self.desk = Desk(self.book, self.options.second_cancel)
            self.record = Record()
            self.blocked: set[date] = set()
            self.slots: dict[SlotsQuery, dict[str, object]] = {}
            self.set_faults(self.options.faults)

    def set_faults(self, spec: str) -> None:
        """Use other faults from now on; ValueError when the specification cannot be read."""
        faults = FaultPlan(spec, self.options.seed)
        with self.lock:
            self.faults = faults

    def block(self, day: date) -> None:
        """Block a day for all hosts, as a person does in the dashboard: nothing can be booked on it."""
        with self.lock:
            self.blocked.add(day)

    def truth(self) -> Truth:
        """Return what really happened so far, including cancels that have come due."""
        with self.lock:
            self.book.settle()
            return Truth(
                applied=dict(self.book.applied),
                taken_along=dict(self.book.taken_along),
                mails=dict(self.book.mails),
                requests=dict(self.record.answers),
                throttled=self.record.throttled,
                trapped=self.record.trapped,
                late=len(self.book.late),
            )

    def arrivals(self) -> tuple[Arrival, ...]:
        """Every request that reached the API so far."""
        with self.lock:
            return tuple(self.record.arrivals)

    def appointment(self, id_: str) -> Appointment:
        """The appointment as it is now; KeyError when there is none."""
        with self.lock:
            found = self.book.find(id_)
        if found is None:
            raise KeyError(id_)
        return found
