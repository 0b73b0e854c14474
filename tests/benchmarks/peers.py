"""Other ways to send many cancels, as most people write them: each a process that benchmarks start and measure.

`python peers.py NAME URL FILE`, where FILE has an appointment's id per line. They record nothing and keep no limit.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measured import REASON, TOKEN

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
BODY = {"reason": REASON}
WORKERS, THREADS = 64, 16


async def with_aiohttp(addresses: Sequence[str]) -> None:
    """One session, a semaphore, all at once."""
    import aiohttp

    free = asyncio.Semaphore(WORKERS)
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        async def cancel(address: str) -> None:
            async with free, session.post(address, json=BODY) as answer:
                await answer.read()
                answer.raise_for_status()

        await asyncio.gather(*map(cancel, addresses))


async def with_httpx(addresses: Sequence[str]) -> None:
    """One client with its default limits, a semaphore, all at once."""
    import httpx

    free = asyncio.Semaphore(WORKERS)
    async with httpx.AsyncClient(headers=HEADERS) as client:

        async def cancel(address: str) -> None:
            async with free:
                (await client.post(address, json=BODY)).raise_for_status()

        await asyncio.gather(*map(cancel, addresses))


def with_requests(addresses: Sequence[str]) -> None:
    """Threads, each with a session."""
    import requests

    local = threading.local()

    def cancel(address: str) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.headers.update(HEADERS)
        local.session.post(address, json=BODY, timeout=30).raise_for_status()

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(cancel, addresses):
            pass


PEERS: dict[str, Callable[[Sequence[str]], None]] = {
    "aiohttp": lambda addresses: asyncio.run(with_aiohttp(addresses)),
    "httpx": lambda addresses: asyncio.run(with_httpx(addresses)),
    "requests": with_requests,
}


if __name__ == "__main__":
    name, url, file = sys.argv[1:]
    PEERS[name]([f"{url}/appointment/{one}/cancel" for one in Path(file).read_text().split()])
