"""One test for every exit code that a command can end with. tests/docs/test_readme.py compares the README's table."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from bulk_cancel.sandbox.credentials import EXPIRED_TOKEN, PLATFORM_KEY
from bulk_cancel.sandbox.people import OWNER
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import Kind, Wanted, World
from support.shell import Shell, ended
from support.signals import heed_signals
from support.worlds import post_count

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def ids(sandbox: Sandbox) -> list[str]:
    world = World.of([Wanted() for _ in range(20)], seed=11)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000, second_cancel="mail_again"))
    return list(world.appointments)


@pytest.fixture
def closure(ids: list[str], write: Callable[..., Path]) -> Path:
    return write("closure.csv", "id\n" + "\n".join(ids) + "\n")


def test_0_every_row_final_and_good(shell: Shell, closure: Path) -> None:
    assert shell.run(closure).code == 0


def test_1_a_bug_of_ours(shell: Shell, closure: Path) -> None:
    """That the next run finishes what it left is shown in tests/processes/crash/test_bugs.py."""
    program = (
        "import sys; from bulk_cancel.core import outcome; from bulk_cancel.engine import sender\n"
        "def broken(*_): raise ZeroDivisionError('token rgo-sandbox')\n"
        "sender.classify_cancel = broken\n"
        "from bulk_cancel.cli.main import main; sys.argv = ['bulk-cancel', *sys.argv[1:]]; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "run", closure, "--yes", "--json", "--ledger", "ledger.db", "--settle", "1s"],
        cwd=shell.folder, env=shell.environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "rgo-sandbox" not in done.stderr + done.stdout
    summary = json.loads(done.stdout)
    assert summary["counts"]["unknown"] >= 1


def test_2_usage(shell: Shell, closure: Path) -> None:
    assert shell("run", closure, "--no-such-option").code == 2
    assert [shell(command, closure, "--timezone", "Mars").code for command in ("plan", "run")] == [2, 2]
    refused = shell("run", closure)
    assert refused.code == 2
    assert "--yes" in refused.stderr


def test_3_some_rows_refused(shell: Shell, ids: list[str], write: Callable[..., Path]) -> None:
    result = shell.run(write("a.csv", f"id\n{ids[0]}\n{NOBODY}\nnonsense\n"))
    assert result.code == 3
    assert result.summary["counts"]["not_found"] == result.summary["counts"]["invalid"] == 1


def test_4_unknown_outcomes_remain(shell: Shell, sandbox: Sandbox, ids: list[str], closure: Path) -> None:
    sandbox.set_faults(f"cut-before@{ids[3]}")
    result = shell.run(closure, "--settle", "10m", "--out", "out")
    assert result.code == 4
    assert "run the same command again after" in result.summary["next"]
    assert [row["appointment_id"] for row in shell.rows("out/unknown.csv")] == [ids[3]]


def test_4_wins_over_3(shell: Shell, sandbox: Sandbox, ids: list[str], write: Callable[..., Path]) -> None:
    sandbox.set_faults(f"cut-before@{ids[3]}")
    assert shell.run(write("a.csv", f"id\n{ids[3]}\n{NOBODY}\n"), "--settle", "10m").code == 4


def test_4_a_reconcile_that_leaves_some_unknown(shell: Shell, sandbox: Sandbox, ids: list[str], closure: Path) -> None:
    sandbox.set_faults(f"cut-before@{ids[3]}")
    assert shell.run(closure, "--settle", "10m").code == 4
    looked = shell("reconcile", "--json", "--settle", "10m")
    assert looked.code == looked.summary["exit_code"] == 4
    assert "no known outcome" in looked.summary["next"]
    assert shell("resolve", ids[3], "--as", "cancelled", "--by", "A", "--because", "seen").code == 0
    assert shell("reconcile", "--json").code == 0


def test_5_stopped_early(shell: Shell, sandbox: Sandbox, closure: Path) -> None:
    process = shell.start("run", closure, "--yes", "--json", "--rate", "2/s", "--burst", "4")
    deadline = time.monotonic() + 30
    while not post_count(sandbox.truth()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send(signal.SIGINT)
    stopped = ended(process)
    assert stopped.code == 5, stopped.stderr
    assert "run.draining" in stopped.stderr
    assert stopped.summary["counts"]["pending"] > 0
    assert shell.run(closure).code == 0
    assert set(sandbox.truth().applied.values()) == {1}


def test_5_too_many_errors(shell: Shell, ids: list[str], write: Callable[..., Path]) -> None:
    nobodies = [f"00000000-0000-4000-8000-0000000000{n:02}" for n in range(30)]
    source = write("a.csv", "id\n" + "\n".join([*nobodies, *ids]) + "\n")
    result = shell.run(source, "--max-errors", "5", "--concurrency", "1")
    assert result.code == 5
    assert result.summary["counts"]["not_found"] == 6
    assert "--max-errors" in result.summary["next"]


@pytest.mark.parametrize("text", ["", "id\n", "name\nx\n", "id,id\n1,2\n"], ids=["empty", "header", "no id", "twice"])
def test_65_input_invalid(text: str, shell: Shell, write: Callable[..., Path]) -> None:
    result = shell.run(write("bad.csv", text))
    assert result.code == 65
    assert result.stderr.startswith("bulk-cancel: ")
    assert "Traceback" not in result.stderr


def test_66_input_missing(shell: Shell) -> None:
    assert shell.run("nowhere.csv").code == 66
    assert shell.run("nowhere.toml").code == 66


def test_69_unreachable_before_the_first_cancel(shell: Shell, closure: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v4"
        result = shell("run", closure, "--yes", "--json", MEETERGO_API_URL=url)
    assert result.code == 69
    assert result.summary["counts"]["pending"] == 20
    told = result.summary["next"]
    assert "no answer came" in told
    assert "ConnectError" not in told
    assert told.lower().count("nothing was") == told.count("MEETERGO_API_URL)") == told.lower().count("check") == 1


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody can create a file")
def test_73_the_ledger_cannot_be_created(shell: Shell, closure: Path) -> None:
    result = shell.run(closure, "--ledger", "/proc/self/nowhere/ledger.db")
    assert result.code == 73
    assert "--ledger" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_74_stdout_is_full(shell: Shell, sandbox: Sandbox, closure: Path) -> None:
    process = shell.start("run", closure, "--yes", "--json", "--out", "out", streams={"stdout": "/dev/full"})
    assert process.wait() == 74
    assert "Traceback" not in process.stderr.read_text()
    assert len(shell.rows("out/results.csv")) == 20


def test_75_another_run_holds_the_ledger(shell: Shell, sandbox: Sandbox, closure: Path) -> None:
    process = shell.start("run", closure, "--yes", "--rate", "3/s", "--burst", "3")
    try:
        deadline = time.monotonic() + 30
        while not post_count(sandbox.truth()) and time.monotonic() < deadline:
            time.sleep(0.05)
        held = shell.run(closure)
        assert held.code == 75
        assert f"process {process.pid}" in held.stderr
        other = shell.run(closure, "--ledger", "other.db")
        assert other.code == 75, "the credential's limit is held as well"
    finally:
        process.kill()
    assert shell.run(closure).code in (0, 4), "the lock dies with its holder"


@pytest.mark.parametrize("token", [EXPIRED_TOKEN, "rgo-somebody-else"])
def test_77_credential_refused(token: str, shell: Shell, sandbox: Sandbox, closure: Path) -> None:
    shell.environ["MEETERGO_TOKEN"] = token
    result = shell.run(closure)
    assert result.code == 77
    assert result.summary["counts"]["pending"] == 20
    assert not post_count(sandbox.truth())


def test_77_credential_expires_in_the_middle(shell: Shell, sandbox: Sandbox, ids: list[str], closure: Path) -> None:
    sandbox.set_faults(f"401@{ids[7]}")
    result = shell.run(closure, "--concurrency", "1", "--look", "never")
    assert result.code == 77
    assert result.summary["counts"]["pending"] == 13
    assert shell.run(closure).code == 0
    assert set(sandbox.truth().applied.values()) == {1}


def test_77_forbidden_everywhere(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    from bulk_cancel.sandbox.credentials import HOST_TOKEN

    world = World.of([Wanted() for _ in range(20)], seed=12)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000))
    shell.environ["MEETERGO_TOKEN"] = HOST_TOKEN
    source = write("a.csv", "id\n" + "\n".join(world.appointments) + "\n")
    result = shell.run(source, "--concurrency", "1", "--look", "never")
    assert result.code == 77
    assert result.summary["counts"]["pending"] == 20


def test_a_single_forbidden_row_is_rejected(shell: Shell, sandbox: Sandbox, write: Callable[..., Path]) -> None:
    from bulk_cancel.sandbox.credentials import HOST_TOKEN

    world = World.of([Wanted(), *(Wanted(Kind.OTHER_HOST) for _ in range(5))], seed=12)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000))
    shell.environ["MEETERGO_TOKEN"] = HOST_TOKEN
    result = shell.run(write("a.csv", "id\n" + "\n".join(world.appointments) + "\n"))
    assert result.code == 3, result.stderr
    assert result.summary["counts"]["rejected"] == 1
    assert result.summary["counts"]["cancelled"] == 5


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"MEETERGO_TOKEN": ""}, []),
        ({"MEETERGO_USER_ID": OWNER.id}, []),
        ({"MEETERGO_TOKEN": PLATFORM_KEY}, []),
        ({"MEETERGO_API_URL": "http://example.com/v4"}, []),
        ({"MEETERGO_API_URL": "nonsense"}, []),
        ({"MEETERGO_TOKEN": "two words"}, []),
        ({"BULK_CANCEL_CONCURRENCY": "many"}, []),
        ({}, ["--ledger", "mysql://x"]),
        ({"BULK_CANCEL_LEDGER": "host=db password=s3cret"}, []),
        ({"SSL_CERT_FILE": "/none.pem"}, []),
        ({"SSL_CERT_DIR": "/none"}, []),
        ({"MEETERGO_API_URL": "https://api.example/v4", "HTTPS_PROXY": "ftp://me:s3cret@proxy"}, []),
    ],
    ids=[
        "no credential",
        "token with user",
        "key without user",
        "http",
        "no url",
        "blanks",
        "variable",
        "ledger",
        "conninfo",
        "certificates",
        "folder of certificates",
        "proxy",
    ],
)
def test_78_configuration(
    environ: dict[str, str], words: list[str], shell: Shell, sandbox: Sandbox, closure: Path
) -> None:
    shell.environ.update(environ)
    result = shell.run(closure, *words)
    assert result.code == 78, result.stderr
    assert "s3cret" not in result.stdout + result.stderr
    assert not sandbox.arrivals(), "refused before the first request"
    assert not list((shell.folder / "runs").glob("*")) if (shell.folder / "runs").exists() else True


def test_78_a_ledger_of_another_api(shell: Shell, closure: Path) -> None:
    shell.run(closure, "--ledger", "ledger.db")
    result = shell("run", closure, "--yes", "--ledger", "ledger.db", MEETERGO_API_URL="http://127.0.0.1:9/v4")
    assert result.code == 78
    assert "belongs to the API at" in result.stderr


def test_an_address_that_never_answered_binds_no_ledger(shell: Shell, sandbox: Sandbox, closure: Path) -> None:
    mistyped = shell("run", closure, "--yes", "--ledger", "ledger.db", MEETERGO_API_URL="http://127.0.0.1:9/v4")
    assert mistyped.code == 69
    assert shell.run(closure, "--ledger", "ledger.db").code == 0
    other_spelling = sandbox.url.replace("127.0.0.1", "LOCALHOST") + "/"
    again = shell("run", closure, "--yes", "--ledger", "ledger.db", MEETERGO_API_URL=other_spelling)
    assert again.code == 0, again.stderr


@pytest.mark.parametrize("command", ["run", "plan", "reconcile"])
def test_69_a_ledger_in_a_database_that_does_not_answer(shell: Shell, closure: Path, command: str) -> None:
    words = [] if command == "reconcile" else [str(closure)]
    words += ["--yes"] if command == "run" else []
    flags = [] if command == "plan" else ["--json"]
    result = shell(command, *words, *flags, "--ledger", "postgresql://127.0.0.1:9/ledger")
    assert result.code == 69, result.stderr
    assert "The ledger postgresql://127.0.0.1:9/ledger cannot be reached" in result.stderr
    assert "Nothing was sent" in result.stderr


def test_a_folder_of_results_that_vanishes_is_named_and_no_bug(shell: Shell, closure: Path) -> None:
    (shell.folder / "file").write_text("")
    result = shell.run(closure, "--out", "file/out")
    assert result.code == 74
    assert "file/out" in result.stderr
    assert "bug" not in result.stderr


def test_a_platform_key_acts_as_the_rows_user(
    shell: Shell, sandbox: Sandbox, ids: list[str], write: Callable[..., Path]
) -> None:
    shell.environ["MEETERGO_TOKEN"] = PLATFORM_KEY
    rows = "\n".join(f"{id_},{OWNER.id}" for id_ in ids)
    result = shell.run(write("a.csv", f"id,user_id\n{rows}\n"))
    assert result.code == 0, result.stderr
    assert len(sandbox.truth().applied) == 20


def test_ctrl_c_before_a_run_began_sends_nothing(shell: Shell) -> None:
    """Ctrl-C while stdin is still being read: no traceback, nothing sent."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bulk_cancel", "run", "-", "--yes"],
        cwd=shell.folder, env=shell.environ, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=heed_signals,
    )  # fmt: skip
    with process:
        _fill(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) != 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def _fill(process: subprocess.Popen[str]) -> None:
    """Write more than the pipe holds, and leave it open: when that is read, the process waits for more."""
    assert process.stdin is not None
    process.stdin.write("id\n" * 100_000)
    time.sleep(0.5)


def test_78_a_ledger_of_another_company(shell: Shell, closure: Path) -> None:
    shell.run(closure, "--ledger", "ledger.db")
    ledger = apsw.Connection(str(shell.folder / "ledger.db"))
    ledger.execute("UPDATE meta SET value = 'another company' WHERE key = 'company_id'")
    ledger.execute("UPDATE targets SET detail = ''")
    ledger.close()
    again = shell.run(closure, "--ledger", "ledger.db")
    assert again.code == 0, "nothing to do, so nothing is asked of the API"
    other = shell.folder / "other.csv"
    other.write_text(f"id\n{NOBODY}\n")
    refused = shell.run(other, "--ledger", "ledger.db")
    assert refused.code == 78
    assert refused.summary["counts"]["pending"] == 1


def test_130_stopped_at_once_before_a_run_could_drain(shell: Shell) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bulk_cancel", "plan", "-"],
        cwd=shell.folder, env=shell.environ, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=heed_signals,
    )  # fmt: skip
    with process:
        _fill(process)
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        assert process.stderr.read().split("\n")[-3:-1] == [
            "bulk-cancel: Stopped by Ctrl-C.",
            "  Nothing is lost: type the same command again.",
        ]


def test_130_ctrl_c_while_the_program_loads(shell: Shell) -> None:
    """A module that it loads sends the signal, so that it comes neither too early nor too late."""
    (shell.folder / "click.py").write_text(
        "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)"
    )
    done = subprocess.run(
        [sys.executable, "-m", "bulk_cancel", "run", "closure.csv", "--yes"],
        cwd=shell.folder, env={**shell.environ, "PYTHONPATH": str(shell.folder)}, capture_output=True, text=True,
        timeout=60, preexec_fn=heed_signals,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "bulk-cancel: Stopped by Ctrl-C.\n  Nothing was sent.\n"


def test_66_also_without_a_terminal_to_ask_on(shell: Shell) -> None:
    assert shell("run", "missing.csv").code == 66
