"""The limit is exact, per credential, and reads count too."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bulk_cancel.sandbox.bucket import TokenBucket
from bulk_cancel.sandbox.credentials import HOST_TOKEN


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_the_burst_then_the_rate():
    clock = Clock()
    bucket = TokenBucket(100 / 60, 200, clock)
    assert [bucket.take() for _ in range(201)] == [True] * 200 + [False]
    clock.at = 0.599
    assert not bucket.take()
    clock.at = 0.6
    assert bucket.take()
    assert not bucket.take()


def test_a_client_that_paces_itself_exactly_is_never_refused():
    clock = Clock()
    bucket = TokenBucket(40, 80, clock)
    for number in range(10_000):
        clock.at = max(0, number - 79) / 40
        assert bucket.take()


@given(st.lists(st.integers(0, 5000), max_size=200), st.integers(1, 50), st.integers(1, 20))
def test_the_bucket_grants_exactly_what_exact_arithmetic_allows(waits_ms, rate, burst):
    clock = Clock()
    bucket = TokenBucket(rate, burst, clock)
    tokens, at_ms = Fraction(burst), 0
    for wait_ms in waits_ms:
        at_ms += wait_ms
        clock.at = at_ms / 1000
        tokens = min(Fraction(burst), tokens + Fraction(wait_ms * rate, 1000))
        granted = tokens >= 1
        tokens -= granted
        assert bucket.take() is granted


def test_over_the_limit_is_429_and_counts_only_as_throttled(sandbox, dial, api, connect, an):
    sandbox.reset(replace(sandbox.options, rate_per_s=2.0, burst=3))
    statuses = [api.get("/user/me").status_code for _ in range(2)]
    statuses += [api.post(f"/appointment/{an(kind)}/cancel").status_code for kind in ("single", "paid")]
    assert statuses == [200, 200, 201, 429]
    answer = api.get("/user/me")
    assert answer.json() == {"statusCode": 429, "message": "Too Many Requests", "error": "Too Many Requests"}
    assert "retry-after" not in answer.headers
    assert sandbox.truth().throttled == 2
    assert sandbox.truth().applied == {an("single"): 1}
    assert connect(HOST_TOKEN).get("/user/me").status_code == 200
    dial.turn(0.5)
    assert [api.get("/user/me").status_code for _ in range(2)] == [200, 429]


def test_retry_after_comes_when_asked_for(sandbox, api):
    sandbox.reset(replace(sandbox.options, burst=1, retry_after="7", faults="429"))
    assert api.post("/appointment/x/cancel").headers["retry-after"] == "7"
    assert api.get("/user/me").headers["retry-after"] == "7"
