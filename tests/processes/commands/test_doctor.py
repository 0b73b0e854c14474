"""`doctor`: what is wrong and what to do, before a run finds out. It sends no cancel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from bulk_cancel.commands.doctor.check import Check, Level, exit_code_of
from bulk_cancel.errors import Exit
from bulk_cancel.ledger.schema_version import SCHEMA_VERSION
from bulk_cancel.ops.locks import holder_of, locked
from bulk_cancel.sandbox.credentials import EXPIRED_TOKEN, OWNER_TOKEN, PLATFORM_KEY
from bulk_cancel.sandbox.people import OWNER
from bulk_cancel.sandbox.server import Sandbox
from support.ledger_files import fingerprint, make, raw
from support.shell import Result, Shell
from support.worlds import post_count

Found = dict[str, dict[str, Any]]


def by_name(result: Result) -> Found:
    assert result.summary["schema_version"] == 1
    return {check["name"]: check for check in result.summary["checks"]}


@contextmanager
def serving(status: int, body: bytes, date: str, **headers: str) -> Iterator[str]:
    """A server with an answer and a time of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return date

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v4"
        server.shutdown()
        thread.join()


def test_doctor_finds_nothing_wrong_and_changes_nothing(
    shell: Shell, sandbox: Sandbox, write: Callable[..., Path]
) -> None:
    make(shell.folder / "ledger.db")
    before = fingerprint(shell.folder)
    write("job.toml", 'input = "a.csv"\nledger = "ledger.db"\nsend_window = "08:00-20:00 Asia/Tokyo"\n')
    write("a.csv", "id\n")
    result = shell("doctor", "job.toml", "--json")
    assert result.code == result.summary["exit_code"] == 0, result.stdout
    found = by_name(result)
    assert {check["level"] for check in found.values()} == {"ok", "warn"}
    assert [name for name, check in found.items() if check["level"] == "warn"] == ["unknown"]
    assert "Asia/Tokyo" in found["time zones"]["found"]
    assert "personal access token" in found["credential"]["found"]
    assert f"schema {SCHEMA_VERSION}," in found["ledger"]["found"]
    assert "within 30 s" in found["clock"]["found"]
    assert OWNER_TOKEN not in result.stdout.replace("rgo-sandbox-", "")
    assert len(sandbox.arrivals()) == 1
    assert not post_count(sandbox.truth())
    after = fingerprint(shell.folder)
    assert {name: after[name] for name in before} == before, "the ledger is as it was"


def test_doctor_prints_lines_for_a_person(shell: Shell) -> None:
    result = shell("doctor", "--ledger", "none.db", MEETERGO_TOKEN=EXPIRED_TOKEN)
    assert result.code == 77
    assert "fail  API" in result.stdout
    assert "Renew the credential" in result.stdout
    assert "There is none at none.db yet" in result.stdout.replace("\n", " ")
    assert not (shell.folder / "none.db").exists()


@pytest.mark.parametrize(
    ("environ", "code", "failing", "words"),
    [
        ({"MEETERGO_TOKEN": EXPIRED_TOKEN}, 77, "API", "refuses the credential"),
        ({"MEETERGO_TOKEN": ""}, 78, "API settings", "no credential"),
        ({"MEETERGO_USER_ID": OWNER.id}, 78, "API settings", "acts as its owner"),
        ({"MEETERGO_API_URL": "nonsense"}, 78, "API settings", "not the address"),
        ({"MEETERGO_API_URL": "https://nowhere.invalid/v4"}, 69, "API", "cannot be resolved"),
        ({"MEETERGO_API_URL": "http://127.0.0.1:9/v4"}, 69, "API", "connection to 127.0.0.1 failed"),
        ({"BULK_CANCEL_RATE": "fast"}, 78, "settings", "rate"),
    ],
)
def test_a_failed_check_has_the_exit_code_of_a_run(
    environ: dict[str, str], code: int, failing: str, words: str, shell: Shell
) -> None:
    result = shell("doctor", "--json", **environ)
    assert result.code == result.summary["exit_code"] == code, result.stdout
    check = by_name(result)[failing]
    assert (check["level"], check["exit_code"]) == ("fail", code)
    assert words in check["found"]
    assert check["advice"] or failing == "settings"


def test_tls_is_told_from_the_connection(shell: Shell, sandbox: Sandbox) -> None:
    result = shell("doctor", "--json", MEETERGO_API_URL=sandbox.url.replace("http:", "https:"))
    assert result.code == 69
    assert "TLS connection failed" in by_name(result)["API"]["found"]


def test_a_platform_key_needs_a_user(shell: Shell, sandbox: Sandbox) -> None:
    found = by_name(shell("doctor", "--json", MEETERGO_TOKEN=PLATFORM_KEY))
    assert found["acting user"]["level"] == found["API"]["level"] == "warn"
    assert not sandbox.arrivals(), "it would be refused"
    found = by_name(shell("doctor", "--json", MEETERGO_TOKEN=PLATFORM_KEY, MEETERGO_USER_ID=OWNER.id))
    assert found["acting user"]["level"] == found["API"]["level"] == "ok"


@pytest.mark.parametrize(
    ("status", "body", "api"),
    [(200, b'{"appointments": []}', "ok"), (200, b"<html>Log in</html>", "fail"), (302, b"", "fail")],
)
def test_doctor_reports_a_wrong_clock_and_a_portal(status: int, body: bytes, api: str, shell: Shell) -> None:
    with serving(status, body, "Mon, 02 Jan 2023 10:00:00 GMT") as url:
        found = by_name(shell("doctor", "--json", MEETERGO_API_URL=url))
    assert found["API"]["level"] == api
    assert found["clock"]["level"] == "warn"
    assert "ahead of the API's" in found["clock"]["found"]


def test_a_pause_that_doctor_is_asked_for_holds_for_the_next_command(shell: Shell) -> None:
    body = b'{"statusCode": 429, "message": "Too Many Requests", "error": "Too Many Requests"}'
    with serving(429, body, formatdate(usegmt=True), Retry_After="3600") as url:
        first, second = (by_name(shell("doctor", "--json", MEETERGO_API_URL=url))["API"] for _ in range(2))
    assert (first["level"], first["advice"]) == ("warn", "Something else uses it: wait 1 h.")
    assert second["level"] == "fail"
    assert "asks to wait" in second["found"]


def test_a_proxy_is_named_without_its_password(shell: Shell) -> None:
    result = shell(
        "doctor", "--json", MEETERGO_API_URL="https://nowhere.invalid/v4", HTTPS_PROXY="http://me:pass@127.0.0.1:9"
    )
    assert by_name(result)["proxy"]["found"] == "Requests go through the proxy 127.0.0.1:9."
    assert "pass" not in result.stdout
    assert result.code == 69


def test_a_damaged_ledger(shell: Shell) -> None:
    path = shell.folder / "ledger.db"
    make(path)
    with raw(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 5] = b"\xff" * 8192
    path.write_bytes(content)
    result = shell("doctor", "--json", "--ledger", "ledger.db")
    assert result.code == 78
    assert "damaged" in by_name(result)["ledger"]["found"]


def test_an_open_folder_and_a_missing_input(shell: Shell, write: Callable[..., Path]) -> None:
    folder = shell.folder / "open"
    folder.mkdir()
    folder.chmod(0o777)
    result = shell("doctor", "none.csv", "--json", "--ledger", "open/ledger.db")
    assert result.code == 66, "what a run meets first"
    found = by_name(result)
    assert found["folder"]["exit_code"] == 78
    assert shell("doctor", "none.csv", "--json", MEETERGO_TOKEN="").code == 78, "a run looks for its credential first"
    assert found["input"]["exit_code"] == 66


def test_an_input_that_may_be_missing_is_no_failure(shell: Shell, write: Callable[..., Path]) -> None:
    job = write("job.toml", 'input = "closures/{today:%Y-%m-%d}.csv"\nmissing_input = "ok"\n')
    assert by_name(shell("doctor", job, "--json"))["input"]["level"] == "fail", "its folder is missing, too"
    (shell.folder / "closures").mkdir()
    assert by_name(shell("doctor", job, "--json"))["input"]["level"] == "ok"


def test_a_run_at_work_is_named_and_its_limit_left_alone(shell: Shell, sandbox: Sandbox) -> None:
    state = Path(shell.environ["HOME"]) / ".local/state/bulk-cancel/locks"
    key = "credential-" + by_name(shell("doctor", "--json"))["credential"]["found"].rstrip(".").split()[-1]
    asked = len(sandbox.arrivals())
    with locked(state / f"{key}.lock", "this credential"), locked(shell.folder / "ledger.db.lock", "the ledger"):
        result = shell("doctor", "--json", "--ledger", "ledger.db")
        assert result.code == 0
        found = by_name(result)
        assert found["ledger lock"]["level"] == found["credential lock"]["level"] == found["API"]["level"] == "warn"
        assert "process" in found["ledger lock"]["found"]
    assert len(sandbox.arrivals()) == asked


def test_looking_at_a_lock_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db.lock"
    assert holder_of(path) is None
    assert not path.exists()
    with locked(path, "it"):
        pass
    assert holder_of(path) is None


def test_the_first_failure_decides() -> None:
    checks = [
        Check("a", Level.WARN, "."),
        Check("b", Level.FAIL, ".", exit_code=Exit.NO_INPUT),
        Check("c", Level.FAIL, ".", exit_code=Exit.CONFIG),
    ]
    assert exit_code_of(checks) is Exit.NO_INPUT
    assert exit_code_of(checks[:1]) is Exit.OK
