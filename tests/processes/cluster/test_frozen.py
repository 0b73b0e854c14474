"""Workers that stand still until others have taken their chunks over, and then go on: they must send nothing more.

Each worker has a token of its own for the one account, so the server tells who has sent what.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from bulk_cancel.core.states import Event
from bulk_cancel.sandbox.credentials import fingerprint
from processes.cluster.conftest import MakeCluster
from support.cluster_lab import SECRET, Cluster, ended, share_out
from support.processes import Process

ONE, TWO = f"{SECRET}-by-one", f"{SECRET}-by-two"
#: One after the other, so that it is known what a worker does when it is stopped.
ALONE = 'rate = "40/s"\nburst = 10\nconcurrency = 1'


def start(cluster: Cluster, points: dict[str, str] | None = None) -> tuple[Process, Process]:
    """A worker that has the run's only chunk, and the run; another worker has nothing to do yet."""
    one = cluster.worker("one", points=points, TOKEN_BERLIN=ONE)
    run = cluster.start_run(cluster.write_rows(share_out(cluster.sandbox.world.appointments, ("berlin",))), "--wait")
    cluster.wait_for(lambda: cluster.held_by("one"), "one has the chunk")
    cluster.worker("two", TOKEN_BERLIN=TWO)
    return one, run


def take_over(cluster: Cluster, frozen: Process) -> None:
    """Another worker takes the chunk of one that stands still."""
    cluster.wait_for(lambda: is_stopped(frozen), "it stands still")
    cluster.wait_for(lambda: cluster.chunks()[0].owner.startswith("two/"), "the chunk is taken over", 20)


def thaw(cluster: Cluster, frozen: Process) -> None:
    """Let it go on; it finds that it has lost its chunk, and has sent nothing since it was stopped."""
    before = requests_by(cluster, ONE)
    frozen.send(signal.SIGCONT)
    cluster.wait_for(lambda: "chunk.lost" in frozen.stderr.read_text(), "it notices", 20)
    assert requests_by(cluster, ONE) == before


def requests_by(cluster: Cluster, token: str) -> int:
    return sum(arrival.credential == fingerprint(token) for arrival in cluster.sandbox.arrivals())


def is_stopped(process: Process) -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def check_end(cluster: Cluster, run: Process, count: int) -> None:
    assert ended(run)["counts"]["cancelled"] == count
    assert cluster.sandbox.truth().applied == dict.fromkeys(cluster.sandbox.world.appointments, 1)
    cluster.check()


@pytest.mark.long
def test_a_thawed_worker_sends_nothing_more(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(100, limits='rate = "40/s"\nburst = 10', latency_s=0.05)
    one, run = start(cluster)
    cluster.wait_for(lambda: requests_by(cluster, ONE) > 15, "it is in the middle")
    one.send(signal.SIGSTOP)
    take_over(cluster, one)
    thaw(cluster, one)
    check_end(cluster, run, 100)
    assert requests_by(cluster, ONE) < 100 < requests_by(cluster, ONE) + requests_by(cluster, TWO)


@pytest.mark.parametrize(
    "point", ["after intent:6", pytest.param("http send_request_headers.started:8", marks=pytest.mark.long)]
)
def test_one_that_froze_between_its_intent_and_its_send_does_not_send(make_cluster: MakeCluster, point: str) -> None:
    """What it had announced is unknown to the other one, who looks twice, and then sends it himself."""
    cluster = make_cluster(12, limits=ALONE)
    one, run = start(cluster, {point: "stop"})
    take_over(cluster, one)
    thaw(cluster, one)
    check_end(cluster, run, 12)
    with cluster.ledger() as ledger:
        seen = [event[0] for event in ledger.all_events() if event[4] == Event.SEEN_ACTIVE]
    assert len(seen) == 1
    assert len([arrival for arrival in cluster.cancels() if arrival.target == seen[0]]) == 1


@pytest.mark.long
def test_one_that_froze_within_a_transaction_does_not_keep_the_others_out(make_cluster: MakeCluster) -> None:
    """It holds the lock of its chunk's row; the database gives up on it, and it does not take the chunk back."""
    cluster = make_cluster(12, limits=ALONE)
    one, run = start(cluster, {"after look:6": "stop"})
    take_over(cluster, one)
    thaw(cluster, one)
    check_end(cluster, run, 12)
