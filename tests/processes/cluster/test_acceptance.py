"""Thousands of rows, four accounts, two workers, one killed in the middle: each cancelled once, each limit used."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from bulk_cancel.sandbox.credentials import fingerprint
from processes.cluster.conftest import MakeCluster
from support.cluster_lab import NAMES, Cluster, ended, share_out, token_of


@dataclass(frozen=True)
class Key:
    """The limit that each account has, and that the server enforces."""

    rate_per_s: float
    burst: int


@pytest.mark.long
@pytest.mark.alone
def test_five_thousand_rows_and_a_killed_worker(make_cluster: MakeCluster) -> None:
    used = _survive(make_cluster, 5000, Key(25, 200), chunk=250)
    assert min(used.values()) >= 0.95


def _survive(make_cluster: MakeCluster, count: int, key: Key, *, chunk: int) -> Mapping[str, float]:
    cluster = make_cluster(count, rate_per_s=key.rate_per_s, burst=key.burst)
    cluster.workers("one", "two")
    began = time.monotonic()
    rows = share_out(cluster.sandbox.world.appointments, NAMES)
    run = cluster.start_run(cluster.write_rows(rows), "--wait", "--chunk", str(chunk))
    cluster.wait_for(lambda: len(cluster.cancels()) >= count / 2, "half of it is done")
    died_at, lost, survivor = _kill_a_busy_worker(cluster)
    _wait_for_takeover(cluster, lost, survivor)
    rescued_s = time.monotonic() - died_at
    told = ended(run, seconds=180)
    took_s = time.monotonic() - began
    assert told["counts"]["cancelled"] == count
    assert dict(cluster.sandbox.truth().applied) == dict.fromkeys(cluster.sandbox.world.appointments, 1)
    cluster.check()
    used = {name: share_used(cluster, name, key) for name in NAMES}
    shown = ", ".join(f"{name} {share:.1%}" for name, share in used.items())
    print(
        f"{count} rows in {took_s:.1f} s; {len(lost)} chunks taken over after {rescued_s:.1f} s; of the rates: {shown}"
    )
    return used


def _kill_a_busy_worker(cluster: Cluster) -> tuple[float, list[int], str]:
    """Kill a worker that has several chunks; return when, which ones, and which worker survives."""
    lost: dict[str, list[int]] = {}

    def is_one_dead() -> bool:
        for key, name in (("1 one", "one"), ("2 two", "two")):
            process = cluster.processes[key]
            process.send(signal.SIGSTOP)  # what it has cannot end while we look
            lost[name] = [chunk.chunk.chunk_no for chunk in cluster.held_by(name)]
            if len(lost[name]) > 1:
                process.kill()
                return True
            process.send(signal.SIGCONT)
        return False

    cluster.wait_for(is_one_dead, "one has several chunks", 20)
    victim = max(lost, key=lambda name: len(lost[name]))
    return time.monotonic(), lost[victim], "two" if victim == "one" else "one"


def _wait_for_takeover(cluster: Cluster, lost: list[int], survivor: str) -> None:
    def is_taken() -> bool:
        chunks = cluster.chunks()
        return all(chunks[number - 1].owner.startswith(survivor) for number in lost)

    cluster.wait_for(is_taken, "the chunks are taken over", 30)


def share_used(cluster: Cluster, name: str, key: Key) -> float:
    """The share of an account's limit that was used while its work lasted.

    All its requests, over all that its limit would have let through between its first and its last one: the whole burst
    and the full rate. So the silence after the kill, the gaps between chunks, the 2 % and the part of the burst that
    nobody spends, and the waiting for what was unknown all count against it; reads count as requests, as they do for
    the server.
    """
    at = [arrival.at for arrival in cluster.sandbox.arrivals() if arrival.credential == fingerprint(token_of(name))]
    return len(at) / (key.burst + key.rate_per_s * (max(at) - min(at)))
