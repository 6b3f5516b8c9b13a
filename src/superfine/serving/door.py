"""The door of the server: who may come in, with how much, and what is noted of it. No text is ever logged."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from superfine.serving.counted import Counted
from superfine.serving.keys import RateLimit
from superfine.serving.problems import problem
from superfine.serving.settings import Settings

log = logging.getLogger("superfine.serving")
REQUEST_ID = re.compile(r"[\w.:-]{1,128}")
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
OPEN = ("/health", "/ready", "/")
"""What is answered without a key, and the page's own files."""
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Door:
    """Around all routes: a request's id, its key and rate, the size of its body, headers for browsers, counts and the log."""

    def __init__(self, app: Any, settings: Settings, counted: Counted) -> None:
        self._app, self._settings, self._counted = app, settings, counted
        self._limit = RateLimit(settings.per_minute) if settings.per_minute else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get("x-request-id", "")
        own_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        started, status, has_begun = time.perf_counter(), [500], [False]

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                status[0], has_begun[0] = message["status"], True
                own = {name for name, _ in message["headers"]}
                more = {**HEADERS, "x-request-id": own_id}
                added = [(name.encode(), value.encode()) for name, value in more.items() if name.encode() not in own]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        try:
            refused = self._refusal(scope, headers)
            if refused is not None:
                await refused(scope, receive, sending)
            else:
                await self._app(scope, _bounded(receive, self._settings), sending)
        except asyncio.CancelledError:  # the server ends, and has waited long enough
            status[0] = 503
            if not has_begun[0]:
                await problem(503, "the server ends", retry_after=1)(scope, receive, sending)
        except Exception as error:
            log.error("request %s failed: %s", own_id, type(error).__name__)
            if has_begun[0]:  # half an answer cannot be taken back
                raise
            await problem(500, "this could not be answered; the server's log has the request's id")(scope, receive, sending)
        finally:
            took = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "other")
            self._counted.requests.labels(route, str(status[0])).inc()
            self._counted.seconds.labels(route).observe(took)
            log.info("%s %s %s %d %.1f ms", own_id, scope["method"], route, status[0], 1000 * took)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> JSONResponse | None:
        """What is answered at once instead."""
        if scope["path"] in OPEN or scope["path"].startswith("/page/"):
            return None
        client = (scope.get("client") or ("unknown",))[0]
        if self._settings.keys is not None:
            scheme, _, token = headers.get("authorization", "").partition(" ")
            key = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
            if self._settings.keys.name_of(key) is None:
                refused = problem(401, "this needs a key: Authorization: Bearer KEY")
                refused.headers["www-authenticate"] = "Bearer"
                return refused
            client = hashlib.sha256(key.encode()).hexdigest()
        if self._limit is not None and (seconds := self._limit.wait(client)):
            return problem(429, "too many requests", retry_after=seconds)
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._settings.most_bytes:
            return problem(413, BodyTooLargeError(self._settings.most_bytes).detail)
        return None


class BodyTooLargeError(HTTPException):
    """A body has more bytes than are read."""

    def __init__(self, most: int) -> None:
        super().__init__(413, f"the request is larger than {most} bytes")


def _bounded(receive: Receive, settings: Settings) -> Receive:
    """Passes on a body until it has too many bytes, or takes too long. Raises an HTTPException."""
    read, is_whole, until = 0, False, time.monotonic() + settings.seconds

    async def bounded() -> MutableMapping[str, Any]:
        nonlocal read, is_whole
        if is_whole:  # what comes now is that the client goes away
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), max(0.0, until - time.monotonic()))
        except TimeoutError:
            raise HTTPException(408, "the request did not arrive in time") from None
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if read > settings.most_bytes:
                raise BodyTooLargeError(settings.most_bytes)
        return message

    return bounded
