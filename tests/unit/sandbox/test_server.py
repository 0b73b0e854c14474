"""Starting, stopping and serving from the command line's side."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest

from bulk_cancel.sandbox.credentials import OWNER_TOKEN, fingerprint
from bulk_cancel.sandbox.server import SandboxOptions, running, serve
from support.signals import heed_signals

AUTHORIZATION = {"authorization": f"Bearer {OWNER_TOKEN}"}


def test_the_server_answers_within_the_block_and_not_after_it():
    threads = set(threading.enumerate())
    with running(SandboxOptions(count=3)) as sandbox:
        assert httpx.get(f"{sandbox.url}/user/me", headers=AUTHORIZATION, trust_env=False).status_code == 200
        url = sandbox.url
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)
    assert set(threading.enumerate()) == threads


def test_the_server_stops_at_once_even_with_a_hanging_client():
    with running(SandboxOptions(count=3, faults="hang")) as sandbox:
        client = threading.Thread(target=post_and_fail, args=(sandbox,))
        client.start()
        while not sandbox.arrivals():
            time.sleep(0.005)
        began = time.monotonic()
    client.join(2)
    assert not client.is_alive()
    assert time.monotonic() - began < 1


def post_and_fail(sandbox):
    id_ = next(iter(sandbox.world.appointments))
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{sandbox.url}/appointment/{id_}/cancel", headers=AUTHORIZATION, trust_env=False)


def test_a_taken_port_is_an_os_error():
    with running(SandboxOptions(count=1)) as sandbox:
        port = int(sandbox.url.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="in use"):
            serve(SandboxOptions(count=1, port=port), print)


def test_wrong_faults_are_refused_before_anything_is_served():
    with pytest.raises(ValueError, match="no known shape"), running(SandboxOptions(faults="bogus")):
        pass


def test_latency_is_added_to_every_answer():
    with running(SandboxOptions(count=1, latency_s=0.03)) as sandbox:
        answer = httpx.get(f"{sandbox.url}/user/me", headers=AUTHORIZATION, trust_env=False)
    assert answer.elapsed.total_seconds() >= 0.03


def test_the_sandbox_serves_its_truth_and_arrivals_over_http():
    with running(SandboxOptions(count=3)) as sandbox:
        id_ = next(iter(sandbox.world.appointments))
        began = time.monotonic()
        httpx.get(f"{sandbox.url}/appointment/{id_}", headers=AUTHORIZATION, trust_env=False)
        base = sandbox.url.removesuffix("/v4")
        truth = httpx.get(f"{base}/_truth", trust_env=False).json()
        (arrival,) = httpx.get(f"{base}/_arrivals", trust_env=False).json()
    assert truth["requests"] == {"GET appointment 200": 1}
    assert (truth["applied"], truth["throttled"], truth["late"]) == ({}, 0, 0)
    assert (arrival["method"], arrival["route"], arrival["target"]) == ("GET", "appointment", id_)
    assert began <= arrival["at"] <= time.monotonic()


def test_no_token_that_it_receives_is_kept():
    mine = "5f3c9a7eKqZx81LmQw02nVbTTui"
    with running(SandboxOptions(count=3)) as sandbox:
        base = sandbox.url.removesuffix("/v4")
        refused = httpx.get(f"{sandbox.url}/user/me", headers={"Authorization": f"Bearer {mine}"}, trust_env=False)
        told = httpx.get(f"{base}/_arrivals", trust_env=False).text
        assert (refused.status_code, sandbox.arrivals()[0].credential) == (401, fingerprint(mine))
    assert mine not in told + repr(sandbox.record) + repr(sandbox.limits)


@pytest.mark.parametrize("host", ["rebound.example", "127.0.0.1.rebound.example", "10.0.0.1", ""])
def test_a_request_with_another_host_name_is_refused(host):
    with running(SandboxOptions(count=3)) as sandbox:
        base = sandbox.url.removesuffix("/v4")
        for url in (f"{sandbox.url}/user/me", f"{base}/_arrivals", f"{base}/_truth"):
            assert httpx.get(url, headers=AUTHORIZATION | {"Host": host}, trust_env=False).status_code == 400
        assert httpx.post(f"{base}/_reset", headers={"Host": host}, trust_env=False).status_code == 400
        by_name = f"{sandbox.url.replace('127.0.0.1', 'localhost')}/user/me"
        assert httpx.get(by_name, headers=AUTHORIZATION, trust_env=False).status_code == 200


@pytest.mark.process
@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_in_the_foreground_it_says_where_and_at_its_end_what_it_counted(ending, code):
    options = "SandboxOptions(count=5, second_cancel='mail_again')"
    tell = "lambda told: print(told, file=sys.stderr)"
    script = f"import sys; from bulk_cancel.sandbox.server import *; serve({options}, {tell})"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals
    ) as process:
        assert process.stdout is not None
        headline, url, token = (process.stdout.readline().strip() for _ in range(3))
        address = url.removeprefix("export MEETERGO_API_URL=")
        answer = httpx.get(f"{address}/user/me", headers=AUTHORIZATION, trust_env=False)
        (id_, *_) = SandboxOptions(count=5).make_world().appointments
        for _ in range(2):
            httpx.post(f"{address}/appointment/{id_}/cancel", headers=AUTHORIZATION, trust_env=False)
        process.send_signal(ending)
        _, told = process.communicate(timeout=10)
    assert headline.startswith("# sandbox with 5 appointments at http://127.0.0.1:")
    assert token == f"export MEETERGO_TOKEN={OWNER_TOKEN}"
    assert answer.status_code == 200
    assert process.returncode == code
    assert told == "1 cancellation: 1 that were sent, and 0 that a series took along; 1 of them twice.\n"
