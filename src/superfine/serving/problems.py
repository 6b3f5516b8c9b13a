"""What goes wrong with a request, and how it is answered."""

from __future__ import annotations

import logging
import math
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from superfine.errors import SuperfineError
from superfine.serving.asked import RequestError
from superfine.serving.batcher import DeadlineError, QueueFullError

log = logging.getLogger("superfine.serving")
GONE = 499
"""What is counted for a client that went away, as nginx does."""


class ProblemDetails(BaseModel):
    """index: of the text that is wrong, where it is one. where: the part of the request."""

    message: str
    index: int | None = None
    where: str | None = None


class Problem(BaseModel):
    """What is answered instead."""

    error: ProblemDetails


class DisconnectedError(Exception):
    """The client has closed the connection."""


class UnknownModelError(LookupError):
    """There is no such model."""


def add_errors(app: FastAPI) -> None:
    @app.exception_handler(RequestError)
    async def mistake(request: Request, error: RequestError) -> JSONResponse:
        return problem(422, str(error), index=error.index, where=error.where)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = max(error.errors(), key=lambda one: sum(isinstance(part, int) for part in one["loc"]))  # the most precise one
        if first["type"] == "json_invalid":
            return problem(400, f"the body is no JSON: {first['ctx']['error']} at character {first['loc'][-1]}", where="body")
        place = [part for part in first["loc"] if part != "body"]
        index = next((part for part in place if isinstance(part, int)), None)
        return problem(422, first["msg"], index=index, where=".".join(str(part) for part in place) or "body")

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        answered = problem(error.status_code, error.detail)
        answered.headers.update(error.headers or {})
        return answered

    @app.exception_handler(UnknownModelError)
    async def unknown(request: Request, error: UnknownModelError) -> JSONResponse:
        return problem(404, str(error), where="model")

    @app.exception_handler(QueueFullError)
    async def busy(request: Request, error: QueueFullError) -> JSONResponse:
        return problem(503, "too many texts are waiting", retry_after=error.seconds)

    @app.exception_handler(DeadlineError)
    async def late(request: Request, error: DeadlineError) -> JSONResponse:
        return problem(504, "the time for this request is over")

    @app.exception_handler(DisconnectedError)
    async def gone(request: Request, error: DisconnectedError) -> Response:
        return Response(status_code=GONE)

    @app.exception_handler(SuperfineError)
    async def unusable(request: Request, error: SuperfineError) -> JSONResponse:
        log.error("a request could not be answered: %s", type(error).__name__)
        return problem(500, error.message)


def problem(status: int, message: str, retry_after: float | None = None, **details: Any) -> JSONResponse:
    """An error as JSON: `{"error": {"message", "index", "where"}}`. index: of the text that is wrong, None where it is none."""
    headers = {} if retry_after is None else {"retry-after": str(max(1, math.ceil(retry_after)))}
    content = {"message": message, "index": None, "where": None, **details}
    said = {
        name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value for name, value in content.items()
    }
    return JSONResponse({"error": said}, status, headers)
