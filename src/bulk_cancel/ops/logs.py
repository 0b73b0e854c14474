"""Structured logs: to stderr for people or machines, to a file in full; always without credentials and addresses."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from bulk_cancel.core.text import printable, redact
from bulk_cancel.ops.log_sentences import IN_THE_PLAN, sentence_of
from bulk_cancel.ops.private_files import open_to_append

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

_DEBUG, _INFO = logging.DEBUG, logging.INFO


@dataclass(frozen=True, slots=True)
class Sink:
    """A destination of events, the lowest level that it gets, and how they are written."""

    stream: TextIO | None  #: None: the current `sys.stderr`, which a live progress bar replaces
    level: int
    render: Callable[[Any, str, EventDict], str | bytes]


def make_log(log_format: str = "auto", log_file: Path | None = None, *, quiet: bool = False) -> FilteringBoundLogger:
    """Return the log of one command. Events are dotted names; per attempt at debug, per run at info.

    `log_file` gets everything as JSON lines. stderr gets info and above, when `quiet` warnings and above. On a terminal
    `auto` writes sentences, and only what plan, progress and summary do not show.
    """
    _hush_libraries()
    file = open_to_append(log_file) if log_file is not None else None
    return cast("FilteringBoundLogger", _LateLog(lambda: _log_to(file, log_format, quiet=quiet)))


class _LateLog:
    """A log that is made at its first event: importing structlog takes as long as planning a few rows."""

    def __init__(self, make: Callable[[], FilteringBoundLogger]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        log = self._make()
        for method in ("bind", "debug", "info", "warning", "error", "exception"):
            setattr(self, method, getattr(log, method))  # from now on `__getattr__` is not called
        return getattr(log, name)


@contextmanager
def logging_to(log_format: str, log_file: Path | None) -> Iterator[FilteringBoundLogger]:
    """Yield a quiet log for a program that uses the library: `log_file` is closed after the block."""
    file = open_to_append(log_file) if log_file is not None else None
    try:
        yield _log_to(file, log_format, quiet=True)
    finally:
        if file is not None:
            file.close()


def _log_to(file: TextIO | None, log_format: str, *, quiet: bool) -> FilteringBoundLogger:
    import structlog

    _hush_libraries()
    level, told = logging.WARNING if quiet else _INFO, log_format == "auto" and sys.stderr.isatty()
    sinks = [Sink(None, level, _sentences(quiet=quiet) if told else _renderer(log_format))]
    if file is not None:
        sinks.append(Sink(file, _DEBUG, structlog.processors.JSONRenderer()))
    log = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Python's own traceback: structlog's and Rich's would show local variables, and with them the credential.
            structlog.processors.ExceptionRenderer(),
            _redacted,
            _Tee(sinks),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(min(sink.level for sink in sinks)),
    )
    # Bound once: the lazy logger would bind again at each call, even for events that are dropped.
    bound: FilteringBoundLogger = log.bind()
    return bound


def _hush_libraries() -> None:
    """Silence libraries below warning: httpx logs whole URLs at info, httpcore cookies at debug."""
    for name in ("httpx", "httpcore", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(log_format: str) -> Callable[[Any, str, EventDict], str | bytes]:
    import structlog

    if log_format == "json":
        return structlog.processors.JSONRenderer()
    lines = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)

    def render(logger: Any, name: str, event: EventDict) -> str:
        """Return a line; of what may be mailed, by cron, with the sentence instead of the fields."""
        if _is_grave(event) and (sentence := sentence_of(event)):
            event = {"timestamp": event["timestamp"], "level": event["level"], "event": f"{event['event']}: {sentence}"}
        return lines(logger, name, event)

    return render


def _sentences(*, quiet: bool) -> Callable[[Any, str, EventDict], str | bytes]:
    """Return a renderer for people at a terminal; it returns an empty text for an event that is not written."""
    lines = _renderer("console")

    def render(logger: Any, name: str, event: EventDict) -> str | bytes:
        if event["event"] in IN_THE_PLAN and not quiet:
            return ""
        return sentence_of(event) or (lines(logger, name, event) if _is_grave(event) else "")

    return render


def _is_grave(event: EventDict) -> bool:
    return _level_of(event) > _INFO


def _level_of(event: EventDict) -> int:
    return logging.getLevelNamesMapping()[str(event["level"]).upper()]


def _redacted(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: _clean(value) for name, value in event.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(printable(value, longest=20_000))
    if isinstance(value, MutableMapping):
        return {name: _clean(item) for name, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list | tuple) else value


class _Tee:
    """The last processor: writes the event to every sink whose level it reaches."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        level = _level_of(event)
        for sink in self._sinks:
            if level >= sink.level:
                text = sink.render(logger, name, dict(event))
                if not text:
                    continue
                try:
                    print(text if isinstance(text, str) else text.decode(), file=sink.stream or sys.stderr, flush=True)
                except (OSError, ValueError):  # a log that cannot be written must not stop a run
                    continue
        from structlog import DropEvent

        raise DropEvent
