"""The server: routes, limits and what is counted. No text is ever logged or counted."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from superfine.errors import SuperfineError
from superfine.records import Examples
from superfine.serving.asked import PredictRequest, PredictResponse, RequestError, examples_of, in_pipeline_shape
from superfine.serving.batcher import DeadlineError, QueueFullError
from superfine.serving.keys import Keys, RateLimit
from superfine.serving.models import Served, Version, open_models
from superfine.serving.systemone import SystemOneRequest, SystemOneResponse, answer_of, texts_of

log = logging.getLogger("superfine.serving")
SECONDS_BETWEEN_LOOKS = 2.0
"""At the models' files."""
GONE = 499
"""What is counted for a client that went away, as nginx does."""
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
PAGE = Path(__file__).with_name("page")
OF_ALL = "default-src 'none'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
OF_PAGE = f"{OF_ALL}; script-src 'self'; style-src 'self'; connect-src 'self'"
OF_REPORT = f"{OF_ALL}; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts"
"""Reports hold their own styles and scripts, and may do nothing else."""


class ProblemDetails(BaseModel):
    """index: of the text that is wrong, where it is one. where: the part of the request."""

    message: str
    index: int | None = None
    where: str | None = None


class Problem(BaseModel):
    """What is answered instead."""

    error: ProblemDetails


@dataclass(frozen=True)
class Settings:
    """most_waiting: texts that wait for one model. most_texts: in one request. most_bytes: of a request's body. seconds: until a
    request is given up. keys: who may ask, None for everybody. per_minute: requests of one client, None for any number."""

    most_waiting: int = 4096
    most_texts: int = 1024
    most_bytes: int = 4 << 20
    seconds: float = 30.0
    keys: Keys | None = None
    per_minute: int | None = None


class Counted:
    """What `/metrics` tells, in Prometheus' format."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "superfine_requests", "Requests by route and status.", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "superfine_request_seconds", "Time until the answer.", ["route"], registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )  # fmt: skip
        self.batches = Histogram(
            "superfine_batch_texts", "Texts that were computed together.", ["model"], registry=self.registry,
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
        )  # fmt: skip
        self.texts = Counter("superfine_texts", "Texts that were answered.", ["model"], registry=self.registry)
        self.computing = Counter("superfine_computing_seconds", "Time of computation.", ["model"], registry=self.registry)

    def batch(self, model: str, n_texts: int, seconds: float) -> None:
        self.batches.labels(model).observe(n_texts)
        self.texts.labels(model).inc(n_texts)
        self.computing.labels(model).inc(seconds)

    def watch(self, models: dict[str, Served]) -> None:
        waiting = Gauge("superfine_waiting_texts", "Texts in the queue.", ["model"], registry=self.registry)
        for name, served in models.items():
            waiting.labels(name).set_function(partial(_waiting, served))


def _waiting(served: Served) -> float:
    return served.batcher.waiting


def build_app(folders: Sequence[Path], settings: Settings) -> FastAPI:
    """The application that answers for the models in these folders. Raises a SuperfineError for what cannot be opened."""
    counted = Counted()
    models = open_models(folders, settings.most_waiting, counted.batch)
    counted.watch(models)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(_look_for_changes(models))
        app.state.is_ready = True
        yield
        app.state.is_ready = False
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        for served in models.values():
            await asyncio.to_thread(served.batcher.close)

    app = FastAPI(title="Superfine", version=version("superfine"), lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.is_ready, app.state.models = False, models
    app.add_middleware(Door, settings=settings, counted=counted)
    _add_routes(app, models, settings, counted)
    _add_errors(app)
    return app


async def _look_for_changes(models: dict[str, Served]) -> None:
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        for served in models.values():
            await asyncio.to_thread(served.reload_if_changed)  # tells no error but by the log


def _add_routes(app: FastAPI, models: dict[str, Served], settings: Settings, counted: Counted) -> None:
    @app.head("/health", include_in_schema=False)
    @app.get("/health", tags=["state"])
    async def health() -> dict[str, str]:
        """Whether the process lives."""
        return {"status": "ok"}

    @app.head("/ready", include_in_schema=False)
    @app.get("/ready", tags=["state"], responses={503: {"description": "It starts or ends."}})
    async def ready() -> JSONResponse:
        """Whether requests are answered."""
        is_ready = app.state.is_ready and all(served.batcher.is_alive for served in models.values())
        return JSONResponse({"status": "ready" if is_ready else "not ready"}, 200 if is_ready else 503)

    @app.get("/metrics", tags=["state"], response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counts and times, for Prometheus."""
        return Response(generate_latest(counted.registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(PAGE / "index.html", headers={"content-security-policy": OF_PAGE})

    app.mount("/page", StaticFiles(directory=PAGE))

    @app.get("/v1/models/{name}/{page}", tags=["models"], response_class=Response, responses={404: {"model": Problem}})
    async def model_page(name: str, page: Literal["card", "report"]) -> Response:
        """The model's card as Markdown, or its report as a page."""
        path = _served(models, name).page(page)
        if path is None:
            raise UnknownModelError(f"there is no {page} of this model")
        if page == "card":
            return FileResponse(path, media_type="text/plain; charset=utf-8")
        return FileResponse(path, media_type="text/html; charset=utf-8", headers={"content-security-policy": OF_REPORT})

    @app.get("/v1/models", tags=["models"])
    async def list_models() -> dict[str, Any]:
        """The models that are served."""
        return {"object": "list", "data": [served.describe() for served in models.values()]}

    said: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (400, 401, 404, 413, 422, 429, 500, 503, 504)}

    @app.post("/v1/predict", tags=["predict"], response_model=None, responses={200: {"model": PredictResponse}, **said})
    async def predict(asked: PredictRequest, request: Request) -> Any:
        """The answers for texts, pairs or questions, in their order."""
        served = _served(models, asked.model)
        version = served.version
        examples, shape = examples_of(asked, version.reads, settings.most_texts)
        answers, by = await _answered(served, version, examples, settings.seconds, request)
        if shape != "own":
            tells_all = "top_k" in asked.parameters.model_fields_set and asked.parameters.top_k is None
            piped = in_pipeline_shape(answers, asked.parameters, tells_all=tells_all)
            is_listed = shape == "inputs" or (shape == "one text" and isinstance(piped[0], dict) and "label" in piped[0])
            return JSONResponse(piped if is_listed else piped[0], headers={"x-model-version": by.digest})
        return JSONResponse({"model": served.name, **by.facts, "predictions": answers})

    @app.post("/v1/systemone", tags=["predict"], response_model=None, responses={200: {"model": SystemOneResponse}, **said})
    async def systemone(asked: SystemOneRequest, request: Request) -> Any:
        """Questions about a text, in the decision protocol of transformers, answered by the probabilities of labels."""
        served = _served(models, asked.model)
        version = served.version
        first, *second = texts_of(asked, version.reads)
        examples = Examples.of_texts([first], second or None)
        answers, by = await _answered(served, version, examples, settings.seconds, request)
        if "probabilities" not in answers[0]:
            raise RequestError("this model gives no probabilities of labels", where="model")
        found = {name: answer_of(name, one, answers[0]["probabilities"]) for name, one in asked.questions.items()}
        n_tokens = await asyncio.to_thread(by.tokens_of, examples)
        usage = {"input_tokens": n_tokens, "output_tokens": 0}
        return JSONResponse({"model": served.name, "answers": found, "usage": usage}, headers={"x-model-version": by.digest})


def _served(models: dict[str, Served], name: str | None) -> Served:
    if name is None and len(models) == 1:
        return next(iter(models.values()))
    if name is None:
        raise RequestError(f"several models are served: name one of {', '.join(models)}", where="model")
    if name not in models:
        raise UnknownModelError(f"no model is called {name[:100]!r}: there are {', '.join(models)}")
    return models[name]


async def _answered(served: Served, version: Version, examples: Examples, seconds: float, request: Request) -> Any:
    """What this version of the model says, unless the client goes away before, which takes its texts out of the queue."""
    if not len(examples):
        return [], version
    future = served.batcher.ask(examples, seconds, version)
    waiting = asyncio.wrap_future(future)
    gone = asyncio.ensure_future(_gone(request))
    both: set[asyncio.Future[Any]] = {waiting, gone}
    try:
        done, _ = await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if waiting in done:
            return waiting.result()
        raise DisconnectedError if gone in done else DeadlineError
    finally:
        gone.cancel()
        future.cancel()
        waiting.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class DisconnectedError(Exception):
    """The client has closed the connection."""


class UnknownModelError(LookupError):
    """There is no such model."""


def _add_errors(app: FastAPI) -> None:
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
