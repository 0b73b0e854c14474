"""The database goes away in the middle of a run and comes back: the workers survive it, and nothing is sent twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from processes.cluster.conftest import MakeCluster
from support.cluster_lab import ended, share_out, terminate
from support.postgres import Server, serving


@pytest.fixture(scope="module")
def other_server() -> Iterator[Server]:
    """A server that may be stopped: the session's own is others' as well."""
    with serving() as server:
        yield server


@pytest.mark.parametrize("how", ["stopped", pytest.param("killed", marks=pytest.mark.long)])
def test_the_run_goes_on_when_the_database_is_back(make_cluster: MakeCluster, other_server: Server, how: str) -> None:
    with other_server.database() as url:
        cluster = make_cluster(120, url=url, limits='rate = "40/s"\nburst = 10')
        workers = cluster.workers("one", "two")
        rows = share_out(cluster.sandbox.world.appointments, ("berlin", "paris"))
        run = cluster.start_run(cluster.write_rows(rows), "--wait", "--chunk", "50")
        cluster.wait_for(lambda: len(cluster.cancels()) > 40, "it is in the middle")
        other_server.restart(kill=how == "killed")
        assert ended(run)["counts"]["cancelled"] == 120
        assert cluster.sandbox.truth().applied == dict.fromkeys(cluster.sandbox.world.appointments, 1)
        assert [terminate(worker) for worker in workers] == [0, 0]
        cluster.check()
        cluster.kill_all()
