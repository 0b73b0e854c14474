"""The routes as a Starlette application: arrival, credential, limit, latency, fault, answer.

Beside the API below /v4 stand the routes of the sandbox itself, which need no credential and count towards nothing:
GET /_truth, GET /_arrivals, POST /_faults {"faults": SPEC}, POST /_block {"day": DATE}, POST /_reset, and /_trap, where
redirects lead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from datetime import date

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bulk_cancel.sandbox.credentials import fingerprint, read_credential
from bulk_cancel.sandbox.faults import Fault, Meets, Shape, When
from bulk_cancel.sandbox.faulty_answers import Scene, Wires, faulty_response, plain_response, too_many_requests
from bulk_cancel.sandbox.handlers import CANCEL, READS, ApiRoute, Call, Plain, answer, read_one
from bulk_cancel.sandbox.instance import Sandbox
from bulk_cancel.sandbox.record import Arrival
from bulk_cancel.sandbox.refusal import Refused, error_document

Endpoint = Callable[[Request], Awaitable[Response]]
_HOSTS = ["127.0.0.1", "localhost"]
_ALL_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def make_app(sandbox: Sandbox, wires: Wires) -> Starlette:
    """The application that serves this sandbox."""
    api = _Api(sandbox, wires)
    routes = [Route("/v4" + each.path, api.endpoint(each), methods=[each.method]) for each in (*READS, CANCEL)]
    own = _Own(sandbox)
    routes += [
        Route("/_truth", own.truth),
        Route("/_arrivals", own.arrivals),
        Route("/_faults", own.faults, methods=["POST"]),
        Route("/_block", own.block, methods=["POST"]),
        Route("/_reset", own.reset, methods=["POST"]),
        Route("/_trap", own.trap, methods=_ALL_METHODS),
        Route("/{path:path}", api.stray, methods=_ALL_METHODS),
    ]
    # Another host name may be a web page's that was pointed to this machine (DNS rebinding): it could read the answers.
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS)])


class _Api:
    def __init__(self, sandbox: Sandbox, wires: Wires) -> None:
        self._sandbox = sandbox
        self._wires = wires

    def endpoint(self, route: ApiRoute) -> Endpoint:
        async def respond(request: Request) -> Response:
            self._arrive(request, route.name, request.path_params.get("id"))
            try:
                label, response = await self._respond(route, request)
            except Refused as refused:
                label, response = str(refused.status), plain_response(Plain(refused.status, refused.document()))
            self._sandbox.record.answer(route.method, route.name, label)
            return response

        return respond

    async def stray(self, request: Request) -> Response:
        """Answer a path that the API does not have."""
        self._arrive(request, "other", request.url.path)
        self._sandbox.record.answer(request.method, "other", "404")
        return JSONResponse(error_document(404, f"Cannot {request.method} {request.url.path}"), 404)

    def _arrive(self, request: Request, route: str, target: str | None) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        arrival = Arrival(self._sandbox.now(), request.method, route, target, fingerprint(token))
        self._sandbox.record.arrivals.append(arrival)

    async def _respond(self, route: ApiRoute, request: Request) -> tuple[str, Response]:
        sandbox = self._sandbox
        options = sandbox.options
        credential = read_credential(request.headers, any_personal_token=options.any_personal_token)
        if not sandbox.limits[credential.fingerprint].take():
            sandbox.record.throttled += 1
            return "429", too_many_requests(options.retry_after)
        body = await request.body() if route is CANCEL else b""
        target = request.path_params.get("id", "")
        call = Call(credential, request.headers, request.query_params, target, body)
        if options.latency_s:
            await asyncio.sleep(options.latency_s)
        return await self._answer(route, call)

    async def _answer(self, route: ApiRoute, call: Call) -> tuple[str, Response]:
        faults, target = self._sandbox.faults, call.target.lower()
        if route is not CANCEL and (stale := faults.decide(Meets.STALE_READS, target)):
            call = replace(call, stale_s=stale.duration_s)
        fault = faults.decide(Meets.CANCELS if route is CANCEL else Meets.READS, target)
        if fault is None:
            plain = answer(route, self._sandbox, call)
            return str(plain.status), plain_response(plain)
        plain = await self._plain_under(fault, route, call)
        scene = Scene(self._wires, self._trap_url(), self._sandbox.options.retry_after)
        return fault.label, faulty_response(fault, plain, scene)

    async def _plain_under(self, fault: Fault, route: ApiRoute, call: Call) -> Plain:
        """Return the answer without its fault, and carry out the effect unless the fault prevents it."""
        if fault.shape is Shape.DELAY:
            return await self._delayed(fault, route, call)
        if route is not CANCEL:
            return answer(route, self._sandbox, call)
        with self._sandbox.lock:
            untouched = answer(replace(CANCEL, handler=read_one), self._sandbox, call)
            if fault.when is When.BEFORE:
                return untouched
            if fault.when is When.LATE:
                self._sandbox.book.later(fault.late_s, lambda: answer(route, self._sandbox, call))
                return untouched
            done = answer(route, self._sandbox, call)
            return untouched if fault.shape is Shape.NOT_CANCELLED and done.status < 400 else done

    async def _delayed(self, fault: Fault, route: ApiRoute, call: Call) -> Plain:
        if fault.when is When.BEFORE:
            await asyncio.sleep(fault.duration_s)
            return answer(route, self._sandbox, call)
        plain = answer(route, self._sandbox, call)
        await asyncio.sleep(fault.duration_s)
        return plain

    def _trap_url(self) -> str:
        """Return this server under another host name: a client that follows it sends its credential elsewhere."""
        return self._sandbox.url.replace("127.0.0.1", "localhost").removesuffix("/v4") + "/_trap"


class _Own:
    """The routes of the sandbox itself."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def truth(self, request: Request) -> Response:
        return JSONResponse(asdict(self._sandbox.truth()))

    async def arrivals(self, request: Request) -> Response:
        return JSONResponse([asdict(arrival) for arrival in self._sandbox.arrivals()])

    async def faults(self, request: Request) -> Response:
        return await _told(request, "faults", self._sandbox.set_faults)

    async def block(self, request: Request) -> Response:
        return await _told(request, "day", lambda day: self._sandbox.block(date.fromisoformat(day)))

    async def reset(self, request: Request) -> Response:
        self._sandbox.reset()
        return Response(status_code=204)

    async def trap(self, request: Request) -> Response:
        self._sandbox.record.trapped += 1
        return JSONResponse({"trapped": True})


async def _told(request: Request, name: str, take: Callable[[str], None]) -> Response:
    try:
        take(str((await request.json())[name]))
    except (ValueError, KeyError, TypeError) as error:
        return JSONResponse(error_document(400, str(error)), 400)
    return Response(status_code=204)
