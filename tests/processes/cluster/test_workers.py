"""Workers that come and go: killed, restarted, told to stop."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from bulk_cancel.sandbox.credentials import fingerprint
from processes.cluster.conftest import MakeCluster
from support.cluster_lab import Cluster, ended, share_out, terminate, token_of
from support.worlds import post_count

#: So slow that a worker is in the middle of its chunk for a while.
SLOW = 'rate = "40/s"\nburst = 10'


def halfway(cluster: Cluster, name: str, sent: int = 15) -> None:
    """Return when a worker is in the middle of a chunk."""
    cluster.wait_for(lambda: cluster.held_by(name) and len(cluster.cancels()) >= sent, f"{name} is halfway")


@pytest.mark.long
def test_two_workers_share_the_accounts_of_a_run(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(160, limits=SLOW)
    one, two = cluster.workers("one", "two", at_once=2)
    rows = share_out(cluster.sandbox.world.appointments, ("berlin", "paris", "rome", "wien"))
    run = cluster.start_run(cluster.write_rows(rows), "--chunk", "20")
    cluster.wait_for(lambda: cluster.held_by("one") and cluster.held_by("two"), "both work")
    told = ended(run)
    assert told["counts"]["cancelled"] == told["requests"]["posts"] == 160
    prints = {id_: fingerprint(token_of(name)) for id_, name in rows}
    assert {arrival.target: arrival.credential for arrival in cluster.cancels()} == prints
    assert [terminate(one), terminate(two)] == [0, 0]
    cluster.check()


@pytest.mark.long
def test_another_worker_finishes_the_chunks_of_a_killed_one(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(90, limits=SLOW)
    cluster.worker("one")
    run = cluster.start_run(cluster.write_rows(share_out(cluster.sandbox.world.appointments, ("berlin",))), "--wait")
    halfway(cluster, "one")
    cluster.processes["1 one"].kill()
    cluster.worker("two")
    told = ended(run)
    assert told["counts"]["cancelled"] == 90
    (chunk,) = cluster.chunks()
    assert (chunk.owner[:4], chunk.epoch >= 2) == ("two/", True)
    cluster.check()


@pytest.mark.long
def test_a_worker_that_returns_gets_its_chunk_back_at_once(make_cluster: MakeCluster) -> None:
    """With the same executor id it need not wait until it would be taken for dead."""
    cluster = make_cluster(90, limits=SLOW)
    cluster.silence_s = 60.0
    cluster.worker("one")
    run = cluster.start_run(cluster.write_rows(share_out(cluster.sandbox.world.appointments, ("berlin",))), "--wait")
    halfway(cluster, "one")
    cluster.processes["1 one"].kill()
    died_at = time.monotonic()
    cluster.worker("one")
    cluster.wait_for(lambda: cluster.chunks()[0].epoch == 2, "the chunk is taken again", 10)
    assert time.monotonic() - died_at < 10
    assert ended(run)["counts"]["cancelled"] == 90
    cluster.check()


def test_a_worker_that_is_told_to_stop_hands_its_chunk_back(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(50, limits=SLOW)
    cluster.silence_s = 60.0
    one = cluster.worker("one")
    run = cluster.start_run(cluster.write_rows(share_out(cluster.sandbox.world.appointments, ("berlin",))))
    halfway(cluster, "one")
    told_at = time.monotonic()
    assert terminate(one, 10) == 0
    assert time.monotonic() - told_at < 8
    sent = len(cluster.cancels())
    assert post_count(cluster.sandbox.truth()) == sent
    assert cluster.chunks()[0].silent_s is None, "nobody holds it"
    cluster.worker("two")
    told = ended(run)
    assert told["counts"]["cancelled"] == 50
    assert len(cluster.cancels()) == 50, "nothing was left without an answer"
    cluster.check()


def test_a_worker_that_dies_before_its_first_sign_of_life(make_cluster: MakeCluster) -> None:
    """Between the claim and the ledger: there only the queue knows that somebody had it."""
    cluster = make_cluster(40)
    one = cluster.worker("one", points={"before take_chunk:1": "kill"})
    run = cluster.start_run(cluster.write_rows(share_out(cluster.sandbox.world.appointments, ("berlin",))))
    assert one.wait() == -9
    assert [(chunk.owner, chunk.epoch) for chunk in cluster.chunks()] == [("", 0)]
    cluster.worker("two")
    assert ended(run)["counts"]["cancelled"] == 40
    cluster.check()


@pytest.mark.long
def test_a_worker_that_dies_before_it_can_end_the_run(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(10)
    one = cluster.worker("one", points={"after end_chunk:1": "kill"})
    run = cluster.start_run(cluster.write_rows(share_out(cluster.sandbox.world.appointments, ("berlin",))))
    assert one.wait() == -9
    cluster.worker("two")
    assert ended(run)["counts"]["cancelled"] == 10
    assert Counter(cluster.sandbox.truth().applied.values()) == {1: 10}
    cluster.check()
