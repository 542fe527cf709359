"""The web application of the server: HTTP on one side, plain values on the other."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from keras_ssp.serving.http import open_inference as v2
from keras_ssp.serving.http import tensorflow_rest as v1
from keras_ssp.serving.http.errors import ServingError, invalid
from keras_ssp.serving.http.pages import Pages, json_response
from keras_ssp.serving.http.predicting import Answering, Limits, Predictor
from keras_ssp.serving.http.repository import Repository
from keras_ssp.serving.http.targets import Target

BUDGET_HEADER = "x-energy-budget-nj"
_LARGE = 1 << 18  # bytes of a body that is read away from the event loop

_log = logging.getLogger("keras_ssp.serving")


class Server:
    """Answers requests about the models of a repository.

    Args:
        repository: The models.
        limits: What a request may ask for.
        api_key: What clients must show, if any.
        poll: Seconds between two looks for new versions, 0 for none.
        energy: Whether the energy of every prediction is counted.
    """

    def __init__(
        self,
        repository: Repository,
        *,
        limits: Limits | None = None,
        api_key: str | None = None,
        poll: float = 2.0,
        energy: bool = True,
    ) -> None:
        self.repository = repository
        self.limits = limits or Limits()
        self._predictor = Predictor(repository, self.limits, energy=energy)
        self._api_key = api_key
        self._poll = poll

    def application(self) -> Starlette:
        """The ASGI application."""

        def route(path: str, handler: Callable[..., Any], *methods: str) -> Any:
            answered = self._answering(handler)
            return Route(path, answered, methods=[*methods] or None)

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            watching = asyncio.create_task(self._watch())
            yield
            watching.cancel()
            self._predictor.close()

        pages = Pages(self.repository, self._predictor.metrics)
        every = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        return Starlette(
            routes=[
                # What is asked most comes first.
                route("/v1/{rest:path}", self._tensorflow, *every),
                route("/v2/models/{rest:path}", self._open_inference, *every),
                route("/", pages.page, "GET"),
                route("/static/{file}", pages.page, "GET"),
                route("/api/models", pages.models, "GET"),
                route("/metrics", pages.metrics, "GET"),
                route("/monitoring/prometheus/metrics", pages.metrics, "GET"),
                route("/v2", self._server, "GET"),
                route("/v2/health/{what}", self._health, "GET"),
                route("/{rest:path}", self._tensorflow, *every),
            ],
            lifespan=lifespan,
            exception_handlers={HTTPException: _not_routed},
        )

    async def _watch(self) -> None:
        """Looks for new versions, as long as the server runs."""
        while self._poll:
            await asyncio.sleep(self._poll)
            try:
                await asyncio.to_thread(self.repository.scan)
            except Exception:
                _log.exception("the models could not be looked through")
            self._predictor.forget()

    # --- every request -------------------------------------------------------------

    def _answering(
        self, handler: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                self._check_key(request)
                return await handler(request)
            except ServingError as error:
                return json_response({"error": error.message}, status=error.status)
            except RecursionError:
                told = {"error": "JSON Parse error: The document is nested too deep"}
                return json_response(told, status=400)
            except Exception:
                _log.exception("%s %s", request.method, request.url.path)
                return json_response(
                    {"error": "Internal error; see the log."}, status=500
                )

        return answer

    def _check_key(self, request: Request) -> None:
        open_to_all = request.url.path.startswith(("/v2/health/", "/static/"))
        if self._api_key is None or open_to_all or request.url.path == "/":
            return
        sent = request.headers.get("x-api-key") or ""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            sent = token.strip()
        if not hmac.compare_digest(sent.encode(), self._api_key.encode()):
            raise ServingError(
                "UNAUTHENTICATED",
                "The API key must be in the header X-API-Key, or in Authorization: "
                "Bearer.",
            )

    async def _body(self, request: Request) -> bytes:
        """The body, if it is small enough and comes soon enough."""
        limit = self.limits.body
        too_large = ServingError(
            "TOO_LARGE", f"The body must be at most {limit} bytes long."
        )
        stated = request.headers.get("content-length", "")
        if stated.isdigit() and int(stated[:20]) > limit:
            raise too_large
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.limits.seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > limit:
                        raise too_large
                    parts.append(part)
        except TimeoutError:
            raise ServingError(
                "REQUEST_TIMEOUT",
                f"The request must have come within {self.limits.seconds:g} s.",
            ) from None
        except ClientDisconnect:
            raise invalid("The request ended before its body did.") from None
        return b"".join(parts)

    # --- predictions ---------------------------------------------------------------

    async def _tensorflow(self, request: Request) -> Response:
        path = path_of(request)
        if not path.lower().startswith("/v1/"):
            raise ServingError(
                "NOT_FOUND", f"Malformed request: {request.method} {path}"
            )
        if request.method not in ("GET", "HEAD", "POST"):
            raise ServingError(
                "METHOD_NOT_ALLOWED", f"Malformed request: {request.method} {path}"
            )
        asked = v1.parse_path(request.method.replace("HEAD", "GET"), path)
        target = dataclasses.replace(asked.target, budget_nj=budget_of(request))
        if asked.method == "status":
            return json_response(v1.status_answer(self.repository.versions(target)))
        if asked.method == "metadata":
            with self.repository.lease(target) as version:
                answer = await asyncio.to_thread(
                    v1.metadata_answer, target.name, version
                )
                return json_response(answer)
        body = await self._body(request)

        async def work(answering: Answering) -> Response:
            if asked.method != "predict":
                raise v1.no_such_method(asked.method)
            parsed = await _aside(body, v1.parse_predict, body, answering.model)
            outputs, headers = await self._predictor.predict(
                answering, parsed.signature, parsed.arrays
            )
            answer = v1.predict_answer(outputs, rows=parsed.rows)
            return json_response(answer, headers=headers)

        return await self._predictor.counted(target, work)

    async def _open_inference(self, request: Request) -> Response:
        path = path_of(request)
        target, method = v2.parse_path(path)
        wanted = "POST" if method == "infer" else "GET"
        if request.method != wanted:
            raise ServingError(
                "METHOD_NOT_ALLOWED", f"{path} must be asked for by {wanted}."
            )
        if method == "ready":
            return self._ready(target)
        if method == "metadata":
            with self.repository.lease(target) as version:
                versions = self.repository.versions(Target(name=target.name))
                return json_response(v2.model_metadata(target.name, versions, version))
        body = await self._body(request)
        document, budget = await _aside(body, v2.read_body, body)
        target = dataclasses.replace(target, budget_nj=budget or budget_of(request))

        async def work(answering: Answering) -> Response:
            parsed = await _aside(body, v2.parse_infer, document, answering.model)
            outputs, headers = await self._predictor.predict(
                answering, parsed.signature, parsed.arrays
            )
            name, version = answering.name, answering.version
            answer = v2.infer_answer(name, version, parsed, outputs)
            return json_response(answer, headers=headers)

        return await self._predictor.counted(target, work)

    def _ready(self, target: Target) -> Response:
        try:
            with self.repository.lease(target):
                ready = True
        except ServingError:
            ready = False
        answer = {"name": target.name, "ready": ready}
        return json_response(answer, status=200 if ready else 404)

    # --- everything else -----------------------------------------------------------

    async def _server(self, request: Request) -> Response:
        return json_response(v2.server_metadata())

    async def _health(self, request: Request) -> Response:
        what = request.path_params["what"]
        if what not in ("live", "ready"):
            raise ServingError("NOT_FOUND", f"Malformed request: {request.url.path}")
        good = what == "live" or bool(self.repository.names())
        return json_response({what: good}, status=200 if good else 503)


async def _not_routed(request: Request, error: Exception) -> Response:
    """What no route takes, such as a path with a line break, as an error in JSON."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    told = {"error": f"Malformed request: {request.method} {request.url.path}"}
    return json_response(told, status=status)


def path_of(request: Request) -> str:
    """The path as it was sent, percent-encoded, without the query."""
    path = request.scope.get("raw_path", b"").decode("latin-1").partition("?")[0]
    return path or request.url.path


def budget_of(request: Request) -> float | None:
    """The energy budget in the header of a request, in nJ."""
    value = request.headers.get(BUDGET_HEADER)
    return None if value is None else v2.check_budget(value)


async def _aside(body: bytes, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function, away from the event loop where the body is large."""
    if len(body) < _LARGE:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
