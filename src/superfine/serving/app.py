"""The application: its routes, and what each of them does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import generate_latest

from superfine.records import Examples
from superfine.serving.asked import PredictRequest, PredictResponse, RequestError, examples_of, in_pipeline_shape
from superfine.serving.batcher import DeadlineError
from superfine.serving.counted import Counted
from superfine.serving.door import Door
from superfine.serving.models import Served, Version, open_models
from superfine.serving.problems import DisconnectedError, Problem, UnknownModelError, add_errors
from superfine.serving.settings import Settings
from superfine.serving.systemone import SystemOneRequest, SystemOneResponse, answer_of, texts_of

log = logging.getLogger("superfine.serving")
SECONDS_BETWEEN_LOOKS = 2.0
"""At the models' files."""
PAGE = Path(__file__).with_name("page")
OF_ALL = "default-src 'none'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
OF_PAGE = f"{OF_ALL}; script-src 'self'; style-src 'self'; connect-src 'self'"
OF_REPORT = f"{OF_ALL}; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts"
"""Reports hold their own styles and scripts, and may do nothing else."""


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
    _add_state(app, models, counted)
    _add_pages(app, models)
    _add_answers(app, models, settings)
    add_errors(app)
    return app


async def _look_for_changes(models: dict[str, Served]) -> None:
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        for served in models.values():
            await asyncio.to_thread(served.reload_if_changed)  # tells no error but by the log


def _add_state(app: FastAPI, models: dict[str, Served], counted: Counted) -> None:
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


def _add_pages(app: FastAPI, models: dict[str, Served]) -> None:
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


def _add_answers(app: FastAPI, models: dict[str, Served], settings: Settings) -> None:
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
