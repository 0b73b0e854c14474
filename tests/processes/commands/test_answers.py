"""Answers that prove less than they seem to: what becomes of their rows, over as many runs as it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bulk_cancel.sandbox.credentials import PLATFORM_KEY
from bulk_cancel.sandbox.people import HOST, OWNER
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import Kind, Wanted, World
from support.shell import Shell
from support.worlds import post_count

LEDGER = ("--ledger", "ledger.db")
STRANGER = "00000000-0000-4000-8000-00000000abcd"


@pytest.fixture
def serve(sandbox: Sandbox) -> Callable[..., list[str]]:
    """Serve appointments of these kinds, and return their ids."""

    def serve(*kinds: Kind, faults: str = "") -> list[str]:
        world = World.of([Wanted(kind) for kind in kinds], seed=5)
        many = {"rate_per_s": 10_000, "burst": 10_000}
        sandbox.reset(SandboxOptions(world=world, second_cancel="mail_again", faults=faults, **many))  # type: ignore[arg-type]
        return list(world.appointments)

    return serve


Serve = Callable[..., list[str]]
Write = Callable[..., Path]


def ids_as_csv(ids: list[str]) -> str:
    return "\n".join(["appointment_id", *ids, ""])


def test_a_wrong_base_address_is_told_as_such(serve: Serve, shell: Shell, sandbox: Sandbox, write: Write) -> None:
    source = write("ids.csv", ids_as_csv(serve(Kind.SINGLE)))
    shell.environ["MEETERGO_API_URL"] = sandbox.url.removesuffix("/v4") + "/v3"
    ended = shell.run(source, *LEDGER)
    assert ended.code == 78
    assert "MEETERGO_API_URL" in ended.stderr + ended.stdout


def test_nothing_of_another_appointments_document_is_used(serve: Serve, shell: Shell, write: Write) -> None:
    (id_,) = serve(Kind.SINGLE, faults="other-id")
    assert shell.run(write("ids.csv", ids_as_csv([id_])), *LEDGER).code == 4
    history = shell("explain", id_, *LEDGER).stdout
    assert "another appointment" in history


def test_retry_refused_reads_and_sends_a_refused_row_after_the_settle_time(
    serve: Serve, shell: Shell, sandbox: Sandbox, write: Write
) -> None:
    passing, gone = serve(Kind.SINGLE, Kind.SINGLE)
    sandbox.set_faults(f"404@{passing},get:404@{passing},403@{gone}")
    source = write("ids.csv", ids_as_csv([passing, gone]))
    ended = shell.run(source, *LEDGER, "--look", "never")
    assert ended.code == 3
    failed = f"{ended.summary['out']}/failed.csv"
    posts = post_count(sandbox.truth())

    assert shell.run(failed, *LEDGER).code == 3, "asked the same, it is refused the same"
    early = shell.run(failed, *LEDGER, "--retry-refused", "--settle", "60s")
    assert early.code == 5, "it may be asked again in a minute"
    (row, _) = shell.rows(f"{early.summary['out']}/failed.csv")
    assert "may be asked again in" in row["bulk_cancel_detail"]
    assert post_count(sandbox.truth()) == posts
    time.sleep(1.2)
    arrived = len(sandbox.arrivals())
    assert shell.run(failed, *LEDGER, "--retry-refused").code == 0
    asked = [arrival.method for arrival in sandbox.arrivals()[arrived:] if arrival.target == passing]
    assert asked == ["GET", "POST"]
    assert dict(sandbox.truth().applied) == {passing: 1, gone: 1}


@pytest.mark.parametrize("look", ["auto", "never"])
def test_another_acting_user_is_another_question(
    look: str, serve: Serve, shell: Shell, sandbox: Sandbox, write: Write
) -> None:
    """The host does not see it: a look says so, or the cancel is refused; what was sent is asked again only later."""
    (id_,) = serve(Kind.SINGLE)
    shell.environ["MEETERGO_TOKEN"] = PLATFORM_KEY
    source = write("ids.csv", ids_as_csv([id_]))
    words = (*LEDGER, "--look", look, "--user-id")
    assert shell.run(source, *words, HOST.id).code == 3
    assert shell.run(source, *words, HOST.id).code == 3
    if look == "never":
        early = shell.run(source, *words, OWNER.id, "--settle", "60s")
        assert (early.code, early.summary["requests"]["posts"]) == (5, 0), "it may be asked again after the settle time"
        time.sleep(1.2)
    assert shell.run(source, *words, OWNER.id).code == 0
    assert dict(sandbox.truth().applied) == {id_: 1}


def test_a_settle_time_below_a_minute_is_for_a_sandbox_only(shell: Shell, write: Write) -> None:
    source = write("ids.csv", ids_as_csv([STRANGER]))
    shell.environ["MEETERGO_API_URL"] = "https://api.example.invalid/v4"
    ended = shell.run(source, *LEDGER, "--settle", "59s")
    assert ended.code == 78
    assert "--settle" in ended.stderr
    assert not (shell.folder / "ledger.db").exists()


@pytest.mark.parametrize("setting", ["settle = inf", "timeout = inf", "rate = inf", "settle = nan", 'settle = "1e999"'])
def test_an_infinite_setting_is_a_wrong_one(setting: str, shell: Shell, write: Write) -> None:
    write("ids.csv", ids_as_csv([STRANGER]))
    ended = shell("run", write("job.toml", f'input = "ids.csv"\n{setting}\n'), "--yes", *LEDGER)
    assert ended.code == 78, ended.stderr
