"""Jobs that workers run on a schedule: one run per tick, never two at once."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from bulk_cancel.ledger.port import RunRecord
from processes.cluster.conftest import MakeCluster
from support.cluster_lab import Cluster, share_out
from support.processes import Process

_EVERY_TWO_SECONDS = "*/2 * * * * *"


def do(cluster: Cluster, *words: str, code: int = 0) -> Process:
    process = cluster.start(words[1], *words, "--ledger", cluster.url)
    assert process.wait() == code, process.stderr.read_text()
    return process


def job_of(cluster: Cluster) -> Path:
    path = cluster.folder / "nightly closure.toml"
    path.write_text('input = "input.csv"\naccounts = "accounts.toml"\nchunk = 40\n')
    cluster.write_rows(share_out(cluster.sandbox.world.appointments, ("berlin",)))
    return path


def runs(cluster: Cluster) -> list[RunRecord]:
    with cluster.ledger() as ledger:
        return ledger.runs(limit=100)


def test_a_tick_that_meets_a_run_at_work_does_nothing(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(120, limits='rate = "30/s"\nburst = 10')
    one, two = cluster.worker("one"), cluster.worker("two")
    do(cluster, "cluster", "schedule", str(job_of(cluster)), "--cron", _EVERY_TWO_SECONDS)
    cluster.wait_for(lambda: len(cluster.cancels()) == 120, "all is sent")
    cluster.wait_for(
        lambda: sum(run.status == "ended" for run in runs(cluster)) >= 2, "a later tick found nothing to do"
    )
    do(cluster, "cluster", "unschedule", "nightly-closure")
    spans = sorted((run.started_at, run.ended_at or float("inf")) for run in runs(cluster))
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans)), "never two at once"
    said = one.stderr.read_text() + two.stderr.read_text()
    assert "is still at work" in said
    assert said.count("schedule.started") == len(spans)
    cluster.check()


@pytest.mark.parametrize(
    "moment", [pytest.param("before plan_chunks:1", marks=pytest.mark.long), "after plan_chunks:1"]
)
def test_a_tick_whose_worker_died_does_not_keep_the_later_ones_waiting(make_cluster: MakeCluster, moment: str) -> None:
    cluster = make_cluster(20)
    one = cluster.worker("one", points={moment: "kill"})
    do(cluster, "cluster", "schedule", str(job_of(cluster)), "--cron", _EVERY_TWO_SECONDS)
    assert one.wait() == -9
    assert [run.status for run in runs(cluster)] == ["running"]
    cluster.worker("two")
    cluster.wait_for(lambda: len(cluster.cancels()) == 20, "another worker does it")
    do(cluster, "cluster", "unschedule", "nightly-closure")
    cluster.check()


def test_schedules_can_be_seen_replaced_and_taken_off(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(1)
    job = job_of(cluster)
    for cron in ("0 6 * * *", "0 7 * * 1-5"):
        do(cluster, "cluster", "schedule", str(job), "--cron", cron, "--timezone", "Europe/Berlin")
    told = do(cluster, "cluster", "schedules").stdout.read_text()
    assert told == f"nightly-closure: {job} at 0 7 * * 1-5 (Europe/Berlin)\n"
    do(cluster, "cluster", "unschedule", "nightly-closure")
    assert do(cluster, "cluster", "schedules").stdout.read_text() == ""
    assert "Nothing is scheduled" in do(cluster, "cluster", "unschedule", "nightly-closure", code=2).stderr.read_text()


def test_what_cannot_be_scheduled_is_refused(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(1)
    job = str(job_of(cluster))
    refused = [
        (("input.csv", "--cron", "0 6 * * *"), 2, "A schedule runs a job file"),
        (("missing.toml", "--cron", "0 6 * * *"), 66, "There is no job file"),
        ((job, "--cron", "at six"), 2, "Invalid cron schedule"),
        ((job, "--cron", "0 6 * * *", "--timezone", "Mars/Base"), 2, "Invalid timezone"),
    ]
    for words, code, sentence in refused:
        assert sentence in do(cluster, "cluster", "schedule", *words, code=code).stderr.read_text()
    assert do(cluster, "cluster", "schedules").stdout.read_text() == ""
