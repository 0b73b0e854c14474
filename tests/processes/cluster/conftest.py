"""Fixtures of the cluster tests: a database with the ledger and the queue in it, and a cluster over it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bulk_cancel.ledger.high_water import LEDGER_ID
from bulk_cancel.sandbox.server import SandboxOptions, running
from bulk_cancel.sandbox.world import Wanted, World
from support.cluster_lab import NAMES, Cluster
from support.postgres import Server
from support.processes import Zygote

MakeCluster = Callable[..., Cluster]


@pytest.fixture(scope="session")
def cluster_template(postgres_server: Server) -> str:
    """The name of a database with an empty ledger and an empty queue."""
    from bulk_cancel.cluster import queue

    name = "cluster_template"
    postgres_server.run(f"CREATE DATABASE {name} TEMPLATE ledger_template STRATEGY file_copy")
    queue.migrate(postgres_server.url(name))
    postgres_server.run(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    return name


@pytest.fixture
def make_cluster(
    tmp_path: Path, postgres_server: Server, cluster_template: str, zygote: Zygote
) -> Iterator[MakeCluster]:
    """Makes a cluster over a sandbox with so many appointments, or with those wanted."""
    with ExitStack() as stack:

        def make(
            count: int = 0, *, wanted: list[Wanted] | None = None, url: str = "", limits: str = "", **options: Any
        ) -> Cluster:
            world = World.of(wanted if wanted is not None else [Wanted()] * count, seed=5)
            given = {"rate_per_s": 2000, "burst": 2000, "second_cancel": "mail_again", **options}
            sandbox = stack.enter_context(running(SandboxOptions(world=world, any_personal_token=True, **given)))
            url = url or stack.enter_context(postgres_server.database(cluster_template))
            folder = tmp_path / "work"
            folder.mkdir()
            cluster = Cluster(
                folder, url, sandbox, zygote, lambda: _another_database(postgres_server, cluster_template)
            )
            cluster.limits = limits or f'rate = "{given["rate_per_s"]}/s"\nburst = {given["burst"]}'
            cluster.write_accounts(*NAMES)
            stack.callback(cluster.kill_all)
            _made.append(cluster)
            return cluster

        yield make
    _made.clear()


@contextmanager
def _another_database(server: Server, template: str) -> Iterator[str]:
    """Make a database whose ledger has an id of its own: with the template's it is a copy of the first one."""
    with server.database(template) as url:
        with psycopg.connect(url) as connection:
            values = (secrets.token_hex(16), LEDGER_ID)
            connection.execute("UPDATE bulk_cancel.meta SET value = %s WHERE key = %s", values)
        yield url


_made: list[Cluster] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes said when a test fails."""
    report = yield
    if report.when == "call" and report.failed:
        report.sections.extend(("what the processes said", cluster.logs()) for cluster in _made)
    return report
