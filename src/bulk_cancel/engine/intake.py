"""Controls whether workers take work. Closing it drains the run: nothing new starts, requests in flight settle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from bulk_cancel.core.exit_codes import Halt, gravest


class Intake:
    """Open until a halt. Waiting for a turn happens inside `waiting()`, which a halt interrupts."""

    def __init__(self) -> None:
        self.halt: Halt | None = None
        self._scopes: dict[anyio.CancelScope, None] = {}  #: in the order in which they began

    @property
    def closed(self) -> bool:
        """Whether nothing new may start."""
        return self.halt is not None

    def close(self, halt: Halt) -> None:
        """Halt the run. The gravest reason is kept, and the first of equally grave ones."""
        if self.halt is None or gravest((self.halt.exit_code, halt.exit_code)) is not self.halt.exit_code:
            self.halt = halt
            for scope in self._scopes:
                scope.cancel()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Interrupt the block when the intake closes: nothing may be in flight in it. Check `closed` afterwards."""
        with anyio.CancelScope() as scope:
            if self.closed:
                scope.cancel()
            self._scopes[scope] = None
            try:
                yield
            finally:
                del self._scopes[scope]
