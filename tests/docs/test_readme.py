"""README and the pages beside it say what the program does, or the build fails."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from bulk_cancel.cli.main import app
from bulk_cancel.cli.options import JOB_OPTIONS
from bulk_cancel.core.model import Status
from bulk_cancel.errors import Exit
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import Wanted, World
from support.shell import Shell

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LONGEST = {"lines": 200, "words": 2_000}
CUT = "…"


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def settled(text: str) -> list[str]:
    """What of a transcript does not depend on the moment: no log lines, durations, ports or trailing blanks."""
    lines = [line.rstrip() for line in text.splitlines() if not re.match(r"\d{4}-\d\d-\d\dT", line)]
    return [re.sub(r"\b\d+ s\b", "N s", re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:N", line)) for line in lines if line]


def test_the_transcript_of_the_demo_is_what_it_prints_also_when_another_is_at_work(shell: Shell) -> None:
    folders = [shell.folder / "one", shell.folder / "two"]
    demos = [_start_demo(shell, folder) for folder in folders]
    told = [demo.communicate(timeout=90)[1] for demo in demos]
    assert [demo.returncode for demo in demos] == [0, 0], told
    for printed in map(settled, told):
        assert settled(transcript(page("demo.md"))) == printed
        assert is_cut_from(settled(transcript(README)), printed)


def _start_demo(shell: Shell, folder: Path) -> subprocess.Popen[str]:
    folder.mkdir()
    command, environ = [sys.executable, "-m", "bulk_cancel", "demo"], {**shell.environ, "COLUMNS": "100"}
    return subprocess.Popen(command, cwd=folder, env=environ, stderr=subprocess.PIPE, text=True)


def test_the_numbers_of_the_demo_add_up() -> None:
    """For who adds them up: rows, targets, cancels that were sent, and what took effect."""
    first = transcript(page("demo.md")).partition("── The same job again ──")[0]
    count = lambda pattern: int(re.search(pattern, first, re.MULTILINE)[1])  # type: ignore[index]  # noqa: E731
    planned = [
        int(number) for number in re.findall(r"^ {2,7}(\d+)  [a-z]", first.partition("Invalid")[0], re.MULTILINE)
    ]
    came_to = [int(number) for number in re.findall(r"^ +(\d+)  [a-z_]+$", first, re.MULTILINE)]
    rows, repeats = count(r": (\d+) rows"), count(r"^(\d+) of these rows name")
    assert sum(planned) == sum(came_to) == rows
    assert count(r"rows, (\d+) different targets") == rows - repeats - count(r"(\d+)  invalid$")
    cancelled = count(r"(\d+)  cancelled$") - repeats
    assert count(r"^(\d+) cancels sent") - count(r"; (\d+) of these requests was throttled") == cancelled
    counted = transcript(page("demo.md")).rpartition("\n")[2]
    assert [int(number) for number in re.findall(r"\d+", counted)] == [50, cancelled, 50 - cancelled, 0]
    assert cancelled < count(r"at most (\d+) cancellations")


def transcript(text: str) -> str:
    (written,) = re.findall(r"<!-- demo[:,].*?-->\n```text\n(.*?)\n```", text, re.DOTALL)
    return str(written)


def is_cut_from(shown: list[str], whole: list[str]) -> bool:
    """Whether `shown` is `whole` with pieces left out where a line says so."""
    if CUT not in shown:
        return shown == whole
    at = shown.index(CUT)
    rest = shown[at + 1 :]
    return shown[:at] == whole[:at] and any(is_cut_from(rest, whole[n:]) for n in range(at + 1, len(whole) + 1))


def test_a_shortened_transcript_marks_every_cut() -> None:
    whole = ["a", "b", "c", "d"]
    assert is_cut_from(["a", CUT, "d"], whole)
    assert is_cut_from(["a", CUT], whole)
    for wrong in (["a", "d"], ["a", CUT, "c"], [CUT, "b", "c", "d", "e"], ["b", CUT], ["a", CUT, "b", "c", "d"]):
        assert not is_cut_from(wrong, whole), wrong


def test_make_says_how_big_the_environment_is_and_what_it_is_at() -> None:
    """It takes a minute: each step has a line, the first one its size."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (rule,) = re.findall(r"^\.venv/ready:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    told = re.findall(r'echo "(.*)"', rule)
    assert re.fullmatch(r"Making the environment .*: about \d+ MB, .*minute.*", told[0])
    assert [line[:6] for line in told[1:]] == ["1 of 3", "2 of 3", "3 of 3"]


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= LONGEST["lines"]
    assert len(README.split()) <= LONGEST["words"]


def test_the_commands_of_the_readme_can_be_typed(shell: Shell, sandbox: Sandbox) -> None:
    world = World.of([Wanted() for _ in range(3)], seed=5)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000))
    (shell.folder / "closure.csv").write_text("\n".join(["appointment_id", *world.appointments]), encoding="utf-8")
    typed = [shlex.split(line, comments=True)[1:] for line in re.findall(r"^bulk-cancel .*", README, re.MULTILINE)]
    assert [words[0] for words in typed] == ["plan", "run"]
    for words in typed:
        done = shell(*words, *(["--yes", "--no-skip-past"] if words[0] == "run" else []))
        assert done.code == 0, (words, done.stderr)
    assert sandbox.truth().applied == dict.fromkeys(world.appointments, 1)


def test_every_command_in_the_table_of_the_readme_exists() -> None:
    table = README.split("| command | does |")[1].split("\n\n")[0]
    named = re.findall(r"^\| `([\w-]+)", table, re.MULTILINE)
    assert len(named) == 8
    assert set(named) <= set(app.commands)  # type: ignore[attr-defined]


def test_every_make_target_exists() -> None:
    pages = [README, *(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))]
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for text in pages for name in re.findall(r"(?:^|`)make ([\w-]+)", text, re.MULTILINE)}
    assert {"demo", "test"} <= named <= targets


def test_the_table_of_exit_codes_is_the_enum() -> None:
    section = README.split("## Exit codes")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", section, re.MULTILINE)
    assert [(int(code), means) for code, means in rows] == [(int(code), code.meaning) for code in sorted(Exit)]


def test_every_exit_code_has_a_test() -> None:
    tests = (ROOT / "tests/processes/commands/test_exit_codes.py").read_text(encoding="utf-8")
    assert {int(code) for code in re.findall(r"def test_(\d+)_", tests)} == set(Exit)


def test_every_status_and_option_is_explained() -> None:
    for status in Status:
        assert f"| `{status.value}` |" in page("results.md")
    for option in JOB_OPTIONS:
        name = max(option.opts, key=len)
        assert f"`{name}`" in page("configuration.md"), name


def test_every_sample_is_named_somewhere() -> None:
    texts = README + "".join(path.read_text(encoding="utf-8") for path in (ROOT / "jobs").glob("*.toml"))
    texts += "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    for sample in (ROOT / "sample_inputs").rglob("*"):
        if sample.is_file():
            assert sample.name in texts, sample.name
