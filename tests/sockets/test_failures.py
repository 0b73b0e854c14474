"""Every exception of the HTTP library has its place, and a transport without traces has no benefit of the doubt."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from bulk_cancel.api.failures import EXCHANGE_ERRORS, NEVER_SENT, Trace
from bulk_cancel.core.model import Request
from bulk_cancel.core.outcome import Kind, classify_cancel
from sockets.conftest import LineTo
from support.catalogue import CANCELLED, TARGET

pytestmark = pytest.mark.anyio

#: May be raised after bytes have left.
MAYBE_SENT: frozenset[type[Exception]] = frozenset(
    {
        httpx.HTTPError,
        httpx.RequestError,
        httpx.TransportError,
        httpx.TimeoutException,
        httpx.ConnectTimeout,
        httpx.ReadTimeout,
        httpx.WriteTimeout,
        httpx.NetworkError,
        httpx.ReadError,
        httpx.WriteError,
        httpx.CloseError,
        httpx.ProtocolError,
        httpx.LocalProtocolError,
        httpx.RemoteProtocolError,
        httpx.ProxyError,
        httpx.DecodingError,
        httpx.TooManyRedirects,
        httpx.HTTPStatusError,
        httpx.StreamError,
        httpx.StreamConsumed,
        httpx.StreamClosed,
        httpx.ResponseNotRead,
        httpx.RequestNotRead,
        httpx.CookieConflict,
        getattr(httpx, "SSEError", httpx.TransportError),  # only httpx2 has it
    }
)
EXCEPTIONS = sorted(NEVER_SENT | MAYBE_SENT, key=lambda error: error.__name__)


def public_exceptions() -> Iterator[type[Exception]]:
    for name, value in vars(httpx).items():
        if not name.startswith("_") and isinstance(value, type) and issubclass(value, Exception):
            yield value


def made(error: type[Exception]) -> Exception:
    """Any of them, without the arguments that some ask for."""
    return error.__new__(error)


def test_every_exception_is_in_exactly_one_set() -> None:
    found = frozenset(public_exceptions())

    assert len(found) > 20
    assert frozenset() == NEVER_SENT & MAYBE_SENT
    assert found == NEVER_SENT | MAYBE_SENT


@pytest.mark.parametrize("error", EXCEPTIONS)
def test_every_exception_is_answered_and_none_escapes(error: type[Exception]) -> None:
    assert issubclass(error, EXCHANGE_ERRORS)


@pytest.mark.parametrize("error", EXCEPTIONS)
async def test_the_trace_of_a_request_decides_and_not_the_class_of_its_error(error: type[Exception]) -> None:
    connecting, sending = Trace(), Trace()
    for event in ("connection.connect_tcp.started", "connection.connect_tcp.complete"):
        await connecting(event, {})
        await sending(event, {})
    await sending("http11.send_request_headers.started", {})

    assert not connecting.bytes_left(made(error))
    assert sending.bytes_left(made(error))


@pytest.mark.parametrize("error", [*EXCEPTIONS, TimeoutError, ConnectionResetError, OSError])
def test_without_a_trace_only_the_classes_that_prove_it_count(error: type[Exception]) -> None:
    assert Trace().bytes_left(made(error)) is (error not in NEVER_SENT)


def test_a_subclass_proves_nothing_about_its_kind() -> None:
    class Unheard(httpx.ConnectError):
        pass

    assert Trace().bytes_left(Unheard(""))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("refused"), Kind.NOT_SENT),
        (httpx.ConnectTimeout("late"), Kind.NO_ANSWER),
        (httpx.ReadTimeout("late"), Kind.NO_ANSWER),
        (httpx.ReadError("reset"), Kind.NO_ANSWER),
        (httpx.WriteError("broken pipe"), Kind.NO_ANSWER),
        (httpx.RemoteProtocolError("cut"), Kind.NO_ANSWER),
        (ConnectionRefusedError("refused"), Kind.NO_ANSWER),
    ],
)
async def test_a_failure_of_a_transport_without_traces(error: Exception, kind: Kind, line_to: LineTo) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    async with line_to("https://api.example/v4", transport=httpx.MockTransport(fail)) as line:
        assert classify_cancel(TARGET, await line.cancel(TARGET, Request())).kind is kind


async def test_another_transport_answers_through_the_same_seam(line_to: LineTo) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=CANCELLED))
    async with line_to("https://api.example/v4", transport=transport) as line:
        assert classify_cancel(TARGET, await line.cancel(TARGET, Request())).kind is Kind.CANCELLED


async def test_a_bug_is_not_taken_for_a_failure_of_the_network(line_to: LineTo) -> None:
    def stumble(_: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError

    async with line_to("https://api.example/v4", transport=httpx.MockTransport(stumble)) as line:
        with pytest.raises(ZeroDivisionError):
            await line.cancel(TARGET, Request())


async def test_the_credential_is_in_no_message(line_to: LineTo) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError(f"could not send {request.headers['authorization']}")

    async with line_to("https://api.example/v4", transport=httpx.MockTransport(fail)) as line:
        answer = await line.cancel(TARGET, Request())

    assert answer.message == "ReadError: could not send [credential]"
