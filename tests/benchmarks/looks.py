"""What looks cost in requests, beside "POST and see": `make bench`. 1,000 rows of which others have cancelled 300."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bulk_cancel.sandbox.credentials import OWNER_TOKEN
from bulk_cancel.sandbox.options import SandboxOptions
from bulk_cancel.sandbox.people import COLLEAGUE
from bulk_cancel.sandbox.server import Sandbox, running
from bulk_cancel.sandbox.world import Cancellation, Wanted, World

ROWS, CANCELLED = 1000, 300
#: Requests per row that needs a cancel, and per row that does not, where the list shows them.
MOST_PER_CANCEL, MOST_PER_OTHER = 1.02, 0.03


@dataclass(frozen=True)
class Cost:
    """What one way of looking took."""

    look: str
    posts: int
    gets: int

    @property
    def requests(self) -> int:
        return self.posts + self.gets

    @property
    def minutes(self) -> float:
        """How long that takes at the documented limit: 100 a minute after a burst of 200."""
        return max(0.0, (self.requests - 200) / 100)


def main() -> int:
    """Print what each way took; 1 when `auto` takes more than it may."""
    costs = list(_costs())
    for cost in costs:
        name = "POST and see" if cost.look == "never" else f"--look {cost.look}"
        print(f"{name:<14} {cost.requests:>6,} requests ({cost.posts:,} cancels), {cost.minutes:.0f} min at 100/min")
    most = MOST_PER_CANCEL * (ROWS - CANCELLED) + MOST_PER_OTHER * CANCELLED
    reached = costs[0].requests <= most
    print(f"--look auto may take {most:.0f}: {'met' if reached else 'MISSED'}")
    return 0 if reached else 1


def _costs() -> Iterator[Cost]:
    for look in ("auto", "each", "never"):
        world = World.of([Wanted() for _ in range(ROWS)], seed=7)
        with running(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000)) as sandbox:
            for id_ in list(world.appointments)[: CANCELLED * 3 : 3]:
                _cancel_elsewhere(sandbox, id_)
            yield _run(look, sandbox)


def _cancel_elsewhere(sandbox: Sandbox, id_: str) -> None:
    with sandbox.lock:
        cancellation = Cancellation(datetime.now(UTC), COLLEAGUE.id, "host", "cancelled elsewhere")
        sandbox.book.replace(replace(sandbox.appointment(id_), cancellation=cancellation))


def _run(look: str, sandbox: Sandbox) -> Cost:
    """The burst is too small to read everything for nothing, as it is in a large run."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "rows.csv")
        source.write_text("id\n" + "\n".join(sandbox.world.appointments) + "\n", encoding="utf-8")
        words = ["run", str(source), "--yes", "--json", "--quiet", "--rate", "400/s", "--burst", "20", "--look", look]
        environ = {"PATH": os.environ["PATH"], "HOME": folder, "MEETERGO_API_URL": sandbox.url}
        done = subprocess.run(
            [sys.executable, "-m", "bulk_cancel", *words, "--out", f"{folder}/out"],
            cwd=folder, env={**environ, "MEETERGO_TOKEN": OWNER_TOKEN}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        requests = json.loads(done.stdout)["requests"]
    return Cost(look, requests["posts"], requests["gets"])


if __name__ == "__main__":
    raise SystemExit(main())
