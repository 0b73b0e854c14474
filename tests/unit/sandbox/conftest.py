"""One served sandbox for all tests here, on a clock that they turn by hand; each test starts it afresh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from bulk_cancel.sandbox.credentials import OWNER_TOKEN
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions, running
from bulk_cancel.sandbox.world import Kind, Wanted, World
from support.worlds import of_kind


@dataclass
class Dial:
    """A clock that stands still until it is turned."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def turn(self, seconds: float) -> None:
        self.seconds += seconds


ALL_KINDS = World.of(
    [*(Wanted(kind) for kind in Kind if kind is not Kind.SERIES), *[Wanted(Kind.SERIES)] * 5, Wanted()], seed=7
)
PLENTY = SandboxOptions(world=ALL_KINDS, burst=10_000)


@pytest.fixture(scope="session")
def dial() -> Dial:
    return Dial()


@pytest.fixture(scope="session")
def served(dial: Dial) -> Iterator[Sandbox]:
    with running(PLENTY, now=dial) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    """The sandbox with one appointment of each kind, five of them a series, and no limit in the way."""
    served.reset(PLENTY)
    return served


@pytest.fixture
def connect(sandbox: Sandbox) -> Iterator[Callable[..., httpx.Client]]:
    """Makes clients with a credential and further headers."""
    clients: list[httpx.Client] = []

    def make(token: str | None = OWNER_TOKEN, **headers: str) -> httpx.Client:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            named["authorization"] = f"Bearer {token}"
        clients.append(httpx.Client(base_url=sandbox.url, headers=named, timeout=5, trust_env=False, verify=False))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def api(connect: Callable[..., httpx.Client]) -> httpx.Client:
    """A client with the admin's token."""
    return connect()


@pytest.fixture
def an(sandbox: Sandbox) -> Callable[[str], str]:
    """The id of the first appointment of a kind."""
    return lambda kind: of_kind(sandbox.world, Kind(kind))[0].id


@pytest.fixture
def cancel(api: httpx.Client) -> Callable[..., httpx.Response]:
    """Sends a cancel with the fields as its body."""
    return lambda id_, **fields: api.post(f"/appointment/{id_}/cancel", json=fields)
