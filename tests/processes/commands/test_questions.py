"""What a person at a terminal is asked."""

from __future__ import annotations

import os
import re
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest
from pexpect.fdpexpect import fdspawn

from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import Wanted, World
from support.processes import Process
from support.shell import Shell
from support.signals import heed_signals
from support.worlds import post_count


def ids_of(sandbox: Sandbox, count: int) -> list[str]:
    world = World.of([Wanted() for _ in range(count)], seed=21)
    sandbox.reset(SandboxOptions(world=world, rate_per_s=10_000, burst=10_000))
    return list(world.appointments)


@pytest.fixture
def terminal(shell: Shell) -> Callable[..., pexpect.spawn]:
    def start(*words: str) -> pexpect.spawn:
        arguments = ["-m", "bulk_cancel", *words]
        return pexpect.spawn(
            sys.executable, arguments, cwd=str(shell.folder), env={**shell.environ, "TERM": "xterm"},
            encoding="utf-8", timeout=30, dimensions=(40, 120), preexec_fn=heed_signals,
        )  # fmt: skip

    return start


@dataclass
class Asking:
    """A command that has asked a question on its terminal."""

    terminal: fdspawn
    process: Process
    before: str

    def answered(self, text: str) -> tuple[str, int]:
        """Type a line; return what is said to the end, and the exit code."""
        self.terminal.sendline(text)
        self.terminal.expect(pexpect.EOF)
        return plain(self.terminal.before), self.process.wait()


Ask = Callable[..., Asking]


@pytest.fixture
def ask(shell: Shell) -> Iterator[Ask]:
    """Starts a command on a terminal; returns it when it asks."""
    with ExitStack() as stack:

        def start(question: str, *words: str) -> Asking:
            ours, its = os.openpty()
            stack.callback(os.close, ours)
            termios.tcsetwinsize(its, (40, 120))
            streams = dict.fromkeys(("stdin", "stdout", "stderr"), os.ttyname(its))
            told = {"folder": str(shell.folder), "environ": {**shell.environ, "TERM": "xterm"}, "words": words}
            process = shell.zygote.start({**streams, **told}, shell.folder)
            stack.callback(process.kill)
            terminal = fdspawn(ours, timeout=30, encoding="utf-8")
            terminal.expect(question)
            os.close(its)  # now it is the command's alone, and ends with it
            return Asking(terminal, process, plain(terminal.before))

        yield start


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_yes_starts_the_run_and_shows_its_progress(sandbox: Sandbox, write: Callable[..., Path], ask: Ask) -> None:
    write("a.csv", "id\n" + "\n".join(ids_of(sandbox, 12)) + "\n")
    command = ask("Cancel these", "run", "a.csv", "--rate", "500/s", "--out", "out")
    assert "12  to cancel" in command.before
    assert not post_count(sandbox.truth())
    said, code = command.answered("y")
    assert "12/12" in said
    assert "Done: nothing is left to do." in said
    assert code == 0
    assert len(sandbox.truth().applied) == 12


@pytest.mark.parametrize("answer", ["n", ""])
def test_no_sends_nothing_and_leaves_no_trace(
    answer: str, shell: Shell, sandbox: Sandbox, write: Callable[..., Path], ask: Ask
) -> None:
    write("a.csv", "id\n" + "\n".join(ids_of(sandbox, 12)) + "\n")
    _, code = ask("Cancel these", "run", "a.csv").answered(answer)
    assert code == 5
    assert not sandbox.arrivals()
    assert not (shell.folder / "runs").exists()


@pytest.mark.parametrize(("typed", "code"), [("60", 0), ("y", 5), ("yes", 5), ("6", 5)])
def test_for_many_cancels_their_number_has_to_be_typed(
    typed: str, code: int, sandbox: Sandbox, write: Callable[..., Path], ask: Ask
) -> None:
    write("a.csv", "id\n" + "\n".join(ids_of(sandbox, 60)) + "\n")
    assert ask("to cancel that many now", "run", "a.csv", "--rate", "500/s").answered(typed)[1] == code
    assert len(sandbox.truth().applied) == (60 if code == 0 else 0)


@pytest.mark.parametrize("how", ["sendintr", "sendeof"])
def test_ctrl_c_and_ctrl_d_at_the_question_say_at_once_that_nothing_was_sent(
    how: str, sandbox: Sandbox, write: Callable[..., Path], terminal: Callable[..., pexpect.spawn]
) -> None:
    write("a.csv", "id\n" + "\n".join(ids_of(sandbox, 12)) + "\n")
    child = terminal("run", "a.csv")
    child.expect("Cancel these")
    getattr(child, how)()
    child.expect(pexpect.EOF, timeout=5)
    assert "bulk-cancel: Nothing was sent." in plain(child.before).splitlines()
    child.close()
    assert child.exitstatus == 5
    assert not sandbox.arrivals()


def test_keys_typed_before_the_question_are_not_an_answer(
    sandbox: Sandbox, write: Callable[..., Path], terminal: Callable[..., pexpect.spawn]
) -> None:
    write("a.csv", "id\n" + "\n".join(ids_of(sandbox, 12)) + "\n")
    child = terminal("run", "a.csv")
    child.sendline("y")
    child.expect("Cancel these")
    with pytest.raises(pexpect.TIMEOUT):
        child.expect(pexpect.EOF, timeout=1)
    child.sendline("n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 5
    assert not sandbox.arrivals()
