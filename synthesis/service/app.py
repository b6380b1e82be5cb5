"""An exported student over HTTP, with the JSON of text-embeddings-inference's /predict."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import time
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from synthesis import UserError
from synthesis.service.batching import Batcher, Overloaded
from synthesis.service.counts import Counts
from synthesis.service.engine import Engine

BODY = 1_000_000  # bytes of a request at most
INPUTS = 32  # of a request at most
CHARACTERS = 100_000  # of a text at most
HALF = re.compile("[\ud800-\udfff]")  # a lone surrogate, which JSON can hold and UTF-8 cannot
PAGE = Path(__file__).with_name("page.html")
# The page is all in one file, and asks nobody but this service.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"


class Asked(BaseModel):
    """A text; a list of the texts of one input, such as a pair; or a list of such lists, an input each."""

    inputs: str | list[str] | list[list[str]]
    raw_scores: bool = Field(False, description="Logits in the place of probabilities.")
    truncate: bool | None = Field(True, description="Cut what is too long; otherwise it is refused.")


class Refused(HTTPException):
    """A request that is not answered, and the kind of error that text-embeddings-inference calls it."""

    def __init__(self, status: int, kind: str, message: str):
        super().__init__(status, message)
        self.kind = kind


def create(engine: Engine) -> FastAPI:
    """The application. Its routes: /predict, /health, /info, /metrics, and a page to try it at /."""
    counts = Counts()
    batcher = Batcher(engine.read, counts.batches.add)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI):
        worker = asyncio.create_task(batcher.work())
        yield  # uvicorn goes on only when all requests are answered
        worker.cancel()

    app = FastAPI(title=engine.facts["task"], lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(Gate, counts=counts)

    @app.exception_handler(HTTPException)
    async def refuse(request, error: HTTPException) -> JSONResponse:
        kind = getattr(error, "kind", "Validation")
        return JSONResponse({"error": error.detail, "error_type": kind}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def misunderstand(request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = first["loc"][1] if first["type"] != "json_invalid" and len(first["loc"]) > 1 else "body"
        told = f"{place}: {first['msg']}"
        if first["loc"] == ("body",):  # none, or one that is no object
            told = "the body must be an object of JSON, sent with `Content-Type: application/json`"
        return JSONResponse({"error": told, "error_type": "Validation"}, 422)

    @app.post("/predict")
    async def predict(asked: Asked) -> Response:
        inputs = each(asked.inputs, engine.facts["reads"])
        if asked.truncate is False and engine.cuts:
            for length in await batcher.run(engine.lengths, inputs):
                if length > engine.facts["max_tokens"]:
                    most = engine.facts["max_tokens"]
                    raise Refused(413, "Validation", f"inputs: at most {most} tokens are read, and one has {length}")
        try:
            answers = await batcher.ask(inputs)
        except Overloaded:
            raise Refused(429, "Overloaded", "too many inputs wait already: try again") from None
        except Exception as error:
            raise Refused(424, "Backend", f"the model failed: {type(error).__name__}") from error
        if not asked.raw_scores:
            answers = engine.settle(answers)
        replies = [engine.form.reply(answer) for answer in answers]
        several = isinstance(asked.inputs, list) and isinstance(asked.inputs[0], list)
        return JSONResponse(replies if several else replies[0])

    @app.get("/health")
    async def health() -> Response:
        return Response()

    @app.get("/info")
    async def info() -> dict:
        told = ("task", "answer", "reads", "labels", "max_tokens", "temperature", "threshold", "int8")
        limits = {"max_client_batch_size": INPUTS, "max_body_bytes": BODY, "max_characters": CHARACTERS}
        return {name: engine.facts[name] for name in told} | limits

    @app.get("/metrics")
    async def metrics() -> PlainTextResponse:
        return PlainTextResponse(counts.text(batcher.waiting), media_type="text/plain; version=0.0.4")

    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE.read_text(encoding="utf-8"), headers={"Content-Security-Policy": POLICY})

    return app


def each(inputs: str | list[str] | list[list[str]], reads: list[str]) -> list:
    """The inputs of a request as the student reads them: texts, or tuples of texts. Raises Refused."""
    several = [[inputs]] if isinstance(inputs, str) else inputs
    if not several:
        raise Refused(400, "Empty", "inputs is empty")
    if isinstance(several[0], str):
        several = [several]
    if len(several) > INPUTS:
        raise Refused(413, "Validation", f"inputs: {len(several)} at once, and at most {INPUTS} may be")
    for texts in several:
        if len(texts) != len(reads):
            raise Refused(422, "Validation", f"inputs: {len(texts)} texts, and this student reads {', '.join(reads)}")
        for text, name in zip(texts, reads, strict=True):
            if not text.strip():
                raise Refused(422, "Validation", f"inputs: {name} is empty")
            if HALF.search(text):
                raise Refused(422, "Validation", f"inputs: {name} holds half a character")
            if len(text) > CHARACTERS:
                raise Refused(413, "Validation", f"inputs: {name} has {len(text)} characters of {CHARACTERS} at most")
    return [texts[0] if len(reads) == 1 else tuple(texts) for texts in several]


class Gate:
    """What all requests pass: bodies that are too large are not read, and what is asked of /predict is counted."""

    def __init__(self, app, counts: Counts):
        self.app, self.counts = app, counts

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started, size, status = time.perf_counter(), 0, 500

        async def counted():
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > BODY:
                raise Refused(413, "Validation", f"the body has more than {BODY} bytes")
            return message

        async def seen(message):
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, counted, seen)
        finally:
            if scope["path"] == "/predict":
                self.counts.requests[status] += 1
                self.counts.seconds.add(time.perf_counter() - started)


def serve(folder, host: str, port: int, threads: int | None = None) -> None:
    """Serve an export until SIGTERM or Ctrl-C; requests that are being answered then still get their answers.

    Raises UserError when there is no export, or the address cannot be listened on.
    """
    if threads is not None and threads < 1:
        raise UserError(f"--threads {threads}: at least 1 is needed")
    engine = Engine(folder, threads)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{host}:{port} cannot be listened on: {reason}: choose another --port or --host") from None
    config = uvicorn.Config(create(engine), log_level="warning", timeout_keep_alive=75)
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn heeds it, and raises it again when it is done
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    print(f"{engine.facts['task']} at {address}", flush=True)
    with listener:
        uvicorn.Server(config).run(sockets=[listener])
