"""Those who did not watch are told: a notification over a real socket, and a file for Prometheus."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import CapturingLogger

from bulk_cancel.errors import ConfigError, Exit
from bulk_cancel.ops.metrics import write_metrics
from bulk_cancel.ops.notice import RunEnding
from bulk_cancel.ops.notify import Notifier, body_of
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import CANARY
from bulk_cancel.settings.job import load_job
from support.lab import made_ids
from support.shell import Shell
from support.worlds import post_count, single

IDS = made_ids(3)
SECRET = "s3cret-of-the-channel"
Write = Callable[..., Path]


@dataclass
class Mailbox:
    """A server that takes apprise's JSON notifications."""

    port: int
    received: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/{SECRET}"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            box.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(box.status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        box = Mailbox(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield box
        server.shutdown()
        thread.join()


@pytest.fixture
def source(sandbox: Sandbox, write: Write) -> Path:
    sandbox.reset(SandboxOptions(world=single(IDS), rate_per_s=10_000, burst=10_000))
    return write("a.csv", "id,guest\n" + "\n".join(f"{id_},{CANARY} {CANARY}@example.com" for id_ in IDS) + "\n")


def samples(path: Path) -> dict[str, float]:
    """Read the metrics as Prometheus does: `name{label}` → value, without the prefix and the job."""
    families = text_string_to_metric_families(path.read_text(encoding="utf-8"))
    return {
        sample.name.removeprefix("bulk_cancel_")
        + "".join(f"/{value}" for name, value in sample.labels.items() if name != "job"): sample.value
        for family in families
        for sample in family.samples
    }


# -- notifications ---------------------------------------------------------------------------------


def test_a_run_tells_numbers_and_no_names(shell: Shell, sandbox: Sandbox, mailbox: Mailbox, source: Path) -> None:
    sandbox.set_faults("400=1")
    job = shell.folder / "nightly.toml"
    job.write_text(f'input = "{source.name}"\nout = "out"\nnotify = ["{mailbox.address}"]\n')
    job.chmod(0o600)
    result = shell.run(job, "--log-file", "full.log", "--ledger", "l.db")
    assert result.code == 3, result.stderr
    (told,) = mailbox.received
    assert told["title"] == "bulk-cancel nightly: exit 3"
    assert "3 rejected" in told["message"]
    assert result.summary["run_id"] in told["message"]
    assert f"Results: {shell.folder / 'out'}" in told["message"]
    assert " ".join(result.summary["next"].splitlines()) in told["message"]
    assert CANARY not in str(told).lower()
    written = b"".join(path.read_bytes() for path in shell.folder.rglob("*") if path.is_file() and path != job)
    assert SECRET not in result.stdout + result.stderr
    assert SECRET.encode() not in written


def test_a_good_run_tells_nobody_unless_asked(shell: Shell, mailbox: Mailbox, source: Path) -> None:
    shell.environ["BULK_CANCEL_NOTIFY"] = mailbox.address
    assert shell.run(source).code == 0
    assert mailbox.received == []
    assert shell.run(source, "--notify-on", "failure,finish").code == 0
    assert mailbox.received[0]["message"].startswith("3 cancelled\nDone")


def test_a_run_that_never_began_tells_why(shell: Shell, mailbox: Mailbox, source: Path) -> None:
    shell.environ.update(BULK_CANCEL_NOTIFY=mailbox.address, MEETERGO_TOKEN="rgo-nobody")
    assert shell.run(source).code == 77
    assert shell.run("none.csv").code == 66
    titles = [told["title"] for told in mailbox.received]
    assert titles == [f"bulk-cancel {source}: exit 77", "bulk-cancel none.csv: exit 66"]
    assert "none.csv does not exist" in mailbox.received[1]["message"]
    assert {told["type"] for told in mailbox.received} == {"failure"}


def test_quiet_is_silent_only_about_what_is_good(shell: Shell, source: Path) -> None:
    """cron mails what a command says: nothing after a good night, a line after any other."""
    failed = shell("run", source, "--yes", "--quiet", MEETERGO_TOKEN="rgo-nobody")
    assert failed.code == 77
    assert "ended with 77" in failed.stderr
    assert "(401): Unauthorized. " in failed.stderr
    assert "Check MEETERGO_TOKEN and the user id, then run the same command again" in failed.stderr
    _, command = failed.stderr.splitlines()
    assert "bulk-cancel run " in command
    assert failed.stdout == ""
    good = shell("run", source, "--yes", "--quiet")
    assert (good.code, good.stdout, good.stderr) == (0, "", "")


def test_a_notification_that_cannot_be_sent_changes_no_result(shell: Shell, mailbox: Mailbox, source: Path) -> None:
    mailbox.status = 500
    shell.environ["BULK_CANCEL_NOTIFY"] = f"{mailbox.address} json://127.0.0.1:9/{SECRET}"
    result = shell.run(source, "--notify-on", "finish")
    assert result.code == 0
    assert result.stderr.count("notify.failed") == 2
    assert SECRET not in result.stderr


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise asks for it on 3.11
def test_a_slow_receiver_is_not_waited_for() -> None:
    log: Any = CapturingLogger()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        notifier = Notifier([f"json://127.0.0.1:{silent.getsockname()[1]}/"], longest_s=0.2)
        began = time.monotonic()
        notifier.tell(ending(Exit.OK), log)
        assert time.monotonic() - began < 2
    assert [call.method_name for call in log.calls] == ["warning"]


def test_an_address_that_is_none_is_refused_before_anything_is_sent(
    shell: Shell, sandbox: Sandbox, source: Path
) -> None:
    shell.environ["BULK_CANCEL_NOTIFY"] = f"nonsense://{SECRET}"
    result = shell.run(source)
    assert result.code == 78
    assert "Address 1 of notify" in result.stderr
    assert SECRET not in result.stderr + result.stdout
    assert post_count(sandbox.truth()) == 0


@pytest.mark.parametrize(("extra", "setting"), [("apprise", "notify"), ("prometheus_client", "metrics")])
def test_without_the_extra_it_says_which(extra: str, setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from bulk_cancel.ops import metrics, notify

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as caught:
        metrics.require_metrics() if extra == "prometheus_client" else notify.Notifier(["json://127.0.0.1"])
    assert f".[{setting}]" in caught.value.advice


def test_addresses_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULK_CANCEL_NOTIFY", f"json://127.0.0.1/{SECRET},x, mailto://a:{SECRET}@b.example")
    job = load_job("a.csv", {})
    assert [address.get_secret_value()[:4] for address in job.notify] == ["json", "mail"]
    assert SECRET not in repr(job) + job.model_dump_json()


# -- what a run is to those who are told -----------------------------------------------------------


def ending(code: Exit, run_id: str = "20261201-020000-abcd", **counts: int) -> RunEnding:
    return RunEnding(job="nightly", exit_code=code, sentence="Done.", elapsed_s=3.0, run_id=run_id, counts=counts)


@pytest.mark.parametrize(
    ("given", "occasions"),
    [
        (ending(Exit.OK), {"finish"}),
        (ending(Exit.REFUSED_ROWS), {"finish", "failure"}),
        (ending(Exit.UNKNOWN, unknown=1), {"finish", "unknown"}),
        (ending(Exit.STOPPED), {"halt"}),
        (ending(Exit.STOPPED, run_id=""), {"halt"}),
        (ending(Exit.CREDENTIAL, unknown=2), {"failure", "unknown", "halt"}),
        (ending(Exit.NO_INPUT, run_id=""), {"failure"}),
    ],
)
def test_people_are_told_on_the_occasions_of_notify_on(given: RunEnding, occasions: set[str]) -> None:
    assert given.occasions == occasions


def test_no_address_or_credential_gets_into_a_message() -> None:
    given = RunEnding(job="a", exit_code=Exit.CREDENTIAL, sentence="max@example.com used rgo-abc.", elapsed_s=0)
    assert body_of(given) == "[address] used [credential]"


# -- metrics ---------------------------------------------------------------------------------------


def test_metrics_of_a_good_run_and_of_a_bad_one(shell: Shell, sandbox: Sandbox, source: Path) -> None:
    file = shell.folder / "bulk_cancel.prom"
    words = ("--metrics-file", str(file), "--ledger", "l.db")
    assert shell.run(source, *words).code == 0
    good = samples(file)
    assert good["last_run_rows/cancelled"] == good["last_run_requests/cancel"] == 3
    assert good["last_run_exit_code"] == good["unknown_open"] == good["last_run_throttled"] == 0
    assert abs(good["last_success_timestamp_seconds"] - time.time()) < 60
    assert 0 < good["last_run_duration_seconds"] < 60
    assert file.stat().st_mode & 0o777 == 0o644
    shell.environ["MEETERGO_TOKEN"] = ""
    assert shell.run(source, *words).code == 78
    bad = samples(file)
    assert bad["last_success_timestamp_seconds"] == good["last_success_timestamp_seconds"]
    assert (bad["last_run_exit_code"], bad["unknown_open"]) == (78, 0)
    assert bad["last_run_timestamp_seconds"] > good["last_run_timestamp_seconds"]
    assert "last_run_rows/cancelled" not in bad


def test_unknown_outcomes_are_in_the_metrics(shell: Shell, sandbox: Sandbox, source: Path) -> None:
    sandbox.set_faults(f"lost-before@{IDS[0]}")
    file = shell.folder / "m.prom"
    assert shell.run(source, "--settle", "10m", "--metrics-file", str(file)).code == 4
    assert samples(file)["unknown_open"] == samples(file)["last_run_rows/unknown"] == 1


def test_metrics_that_cannot_be_written_change_nothing(shell: Shell, source: Path) -> None:
    result = shell.run(source, "--metrics-file", "no/such/folder/m.prom")
    assert result.code == 0
    assert "metrics.failed" in result.stderr


def test_a_damaged_file_of_metrics_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "m.prom"
    file.write_bytes(b'bulk_cancel{ "\xff')
    write_metrics(file, ending(Exit.STOPPED), CapturingLogger())  # type: ignore[arg-type]
    assert samples(file)["last_run_exit_code"] == 5
    assert "last_success_timestamp_seconds" not in samples(file)


def test_a_job_keeps_its_name_from_day_to_day(tmp_path: Path) -> None:
    file = tmp_path / "nightly.toml"
    file.write_text('input = "{today}.csv"\nmetrics_file = "m.prom"\n')
    job = load_job(str(file), {})
    assert (job.name, job.metrics_file) == ("nightly", tmp_path / "m.prom")
    assert load_job("a.csv", {}).name == "a.csv"
