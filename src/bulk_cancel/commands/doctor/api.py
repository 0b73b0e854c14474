"""Checks the credential and the API: whether it can be reached, accepts the credential, and agrees on the time."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from bulk_cancel.access.places import credential_lock
from bulk_cancel.access.rate_limits import known_pace, limiter_of, remember
from bulk_cancel.access.setup import Setup
from bulk_cancel.api.client import HttpLine, line_factory
from bulk_cancel.api.http import httpx
from bulk_cancel.api.port import ApiSettings, Page, Query
from bulk_cancel.api.proxies import proxy_for, proxy_name
from bulk_cancel.commands.doctor.check import Check, failed, good, warning
from bulk_cancel.commands.doctor.storage import check_lock
from bulk_cancel.core.credential import CredentialKind, check_pairing
from bulk_cancel.core.outcome import TOO_MANY_REQUESTS
from bulk_cancel.core.pacing import Pace
from bulk_cancel.core.retry import show_long_pause
from bulk_cancel.core.units import show_duration
from bulk_cancel.errors import (
    BulkCancelError,
    ConfigError,
    CredentialError,
    DeclinedError,
    LockedError,
    UnreachableError,
)
from bulk_cancel.ops.locks import holder_of, locked
from bulk_cancel.settings.accounts import OWN, label_of

#: With a larger difference of the clocks, it is uncertain who cancelled first, and when a credential expires.
MOST_SKEW_S = 30.0
_PATIENCE_S = 20.0


def settings_or_why(setup: Setup, name: str, what: str) -> ApiSettings | Check:
    """Return the API settings of an account, or the failed check `what` when they are wrong."""
    try:
        settings = setup.api_settings(name)
        check_pairing(settings.credential, settings.user_id, rows_with_user=0, rows_without=0)
    except BulkCancelError as error:
        return failed(what, error)
    return settings


def check_access(setup: Setup, name: str, settings: ApiSettings) -> Iterator[Check]:
    """Check the credential of an account and the connection to the API, and read one appointment."""
    lock = credential_lock(setup.machine.state_folder, settings.credential.fingerprint)
    yield check_lock("credential lock", holder_of(lock), "this credential" if name == OWN else label_of(name))
    yield from _check_kind(settings)
    proxy = proxy_for(httpx.URL(settings.base_url))
    yield good("proxy", f"Requests go through {proxy_name(proxy)}." if proxy else "None is in between.")
    host = urlsplit(settings.base_url).hostname or ""
    if proxy is None and (why := _unknown_name(host)):
        error = UnreachableError(f"The name {host} cannot be resolved: {why}.", advice="Check the network and its DNS.")
        yield failed("API", error)
        return
    yield from _check_answer(setup, lock, setup.accounts.pace(name), settings)


def _check_kind(settings: ApiSettings) -> Iterator[Check]:
    credential = settings.credential
    yield good("credential", f"A {credential.kind.value}, fingerprint {credential.fingerprint}.")
    if credential.kind is CredentialKind.PERSONAL:
        yield good("acting user", "None is given: a personal token acts as its owner.")
    elif settings.user_id:
        yield good("acting user", f"The key acts as {settings.user_id}.")
    else:
        advice = "Set MEETERGO_USER_ID or --user-id, unless every row has a user_id."
        yield warning("acting user", "A Platform API key needs a user, and none is given.", advice)


def _unknown_name(host: str) -> str:
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _check_answer(setup: Setup, lock: Path, pace: Pace, settings: ApiSettings) -> Iterator[Check]:
    if settings.credential.kind is CredentialKind.PLATFORM and not settings.user_id:
        yield warning("API", "It was not asked: without a user it would refuse the key.", "Name one and ask again.")
        return
    try:
        with locked(lock, "this credential"):
            asked = setup.machine.run_loop(_ask, setup, pace, settings)
    except LockedError as error:
        yield warning("API", f"It was not asked, so that the limit stays the run's. {error}", "Ask again later.")
        return
    except BulkCancelError as error:
        yield failed("API", error)
        return
    if asked is None:
        yield warning("API", "It was not asked: the limit of the key is used up.", "Ask again in some minutes.")
        return
    page, skew_s = asked
    yield _judge(page, urlsplit(settings.base_url).hostname or "", settings.credential.origin)
    if page.answer.status is not None:
        yield _judge_clock(skew_s)


async def _ask(setup: Setup, pace: Pace, settings: ApiSettings) -> tuple[Page, float | None] | None:
    """Read a page within the key's limit, with the same headers as the cancels: `/user/me` would prove less.

    Return it, and how far our clock is ahead of the server's, if that says what time it is. None: the limit is used up
    for longer than a person would wait. Raises DeclinedError in a pause of hours.
    """
    machine, key = setup.machine, settings.credential.fingerprint
    limiter = limiter_of(pace, key, machine, known_pace(setup.place, key))
    if left_s := await limiter.long_pause_s():
        raise DeclinedError(show_long_pause(left_s), advice="Ask again then. Nothing was asked of it now.")
    line: HttpLine = line_factory(settings)()
    try:
        with anyio.move_on_after(_PATIENCE_S) as patience:
            await limiter.acquire()
        if patience.cancelled_caught:
            return None
        remember(machine, key, limiter.record())
        started_at = machine.clock.monotonic()
        page = await line.page(Query(0, page_size=1, user_id=settings.user_id))
        if page.answer.status == TOO_MANY_REQUESTS:  # the next command waits, too
            limiter.throttled(started_at, page.answer.retry_after_s)
            remember(machine, key, limiter.record())
        there = line.server_date_at
        return page, None if there is None else machine.clock.now() - there
    finally:
        await line.aclose()


def _judge(page: Page, host: str, credential: str) -> Check:
    status, message = page.answer.status, page.answer.message or "no reason given"
    if page.appointments is not None:
        return good("API", f"{host} answers and accepts the credential.")
    if status in (401, 403):
        renew = f"Renew the credential (keys live 1 to 90 days), or correct {credential} and the user id."
        return failed("API", CredentialError(f"{host} refuses the credential ({status}): {message}.", advice=renew))
    if status in (400, 404):
        advice = "Check MEETERGO_API_URL (it ends with /v4) and the user id."
        return failed(
            "API", ConfigError(f"{host} does not understand the request ({status}): {message}.", advice=advice)
        )
    if status == TOO_MANY_REQUESTS:
        wait = show_duration(max(60, math.ceil(page.answer.retry_after_s or 0)))
        return warning("API", f"{host} throttles this credential.", f"Something else uses it: wait {wait}.")
    if status is not None:
        what = f"{host} answers {status}, and not with a list of appointments."
        return failed(
            "API", UnreachableError(what, advice="Is a portal or proxy in between? Otherwise try again later.")
        )
    return failed("API", _no_answer(host, message, bytes_left=page.answer.bytes_left))


def _no_answer(host: str, message: str, *, bytes_left: bool) -> UnreachableError:
    """Return the error for the step that failed: connection, TLS, or answer."""
    if "SSL" in message or "CERTIFICATE" in message.upper():
        advice = "Check the machine's clock and certificates (SSL_CERT_FILE), and what is in between."
        return UnreachableError(f"{host} answers, but the TLS connection failed: {message}.", advice=advice)
    if not bytes_left:
        advice = "Check the network, the firewall, the proxy and MEETERGO_API_URL."
        return UnreachableError(f"The connection to {host} failed: {message}.", advice=advice)
    return UnreachableError(f"{host} took the request and gave no answer: {message}.", advice="Try again later.")


def _judge_clock(skew_s: float | None) -> Check:
    if skew_s is None:
        return warning("clock", "The API does not say what time it is.")
    if abs(skew_s) <= MOST_SKEW_S:
        return good("clock", f"It is within {MOST_SKEW_S:g} s of the API's.")
    off = f"{show_duration(abs(skew_s))} {'ahead of' if skew_s > 0 else 'behind'} the API's"
    return warning("clock", f"This machine's clock is {off}.", "Switch its time synchronisation on.")
