"""What people look at: the page, and the metrics; and JSON as it is answered."""

from __future__ import annotations

import importlib.resources
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from keras_ssp.serving.http.errors import ServingError
from keras_ssp.serving.http.metrics import Metrics
from keras_ssp.serving.http.repository import Repository
from keras_ssp.serving.http.targets import Target
from keras_ssp.serving.http.tensors import write_json
from keras_ssp.serving.http.versions import Version
from keras_ssp.types import Config

_PAGE = {
    "index.html": "text/html",
    "page.js": "text/javascript",
    "drawing.js": "text/javascript",
    "samples.js": "text/javascript",
    "style.css": "text/css",
}


def json_response(
    values: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Values as JSON; NaN is a token, as TensorFlow Serving writes it."""
    return Response(
        write_json(values), status, dict(headers or {}), media_type="application/json"
    )


class Pages:
    """The page at `/`, what it is made of, and the metrics.

    Args:
        repository: The models.
        metrics: What is counted.
    """

    def __init__(self, repository: Repository, metrics: Metrics) -> None:
        self._repository = repository
        self._counted = metrics

    async def metrics(self, request: Request) -> Response:
        kind = self._counted.content_type
        return Response(self._counted.text(), headers={"content-type": kind})

    async def page(self, request: Request) -> Response:
        file = request.path_params.get("file", "index.html")
        if file not in _PAGE:
            raise ServingError("NOT_FOUND", f"Malformed request: {request.url.path}")
        found = importlib.resources.files("keras_ssp.serving.http") / "page" / file
        headers = {
            # What is shown comes from here alone, whatever a model is named.
            "content-security-policy": "default-src 'self'; img-src 'self' data: blob:",
            "x-content-type-options": "nosniff",
            "cache-control": "no-cache",
        }
        return Response(found.read_bytes(), headers=headers, media_type=_PAGE[file])

    async def models(self, request: Request) -> Response:
        found = []
        for name in self._repository.names():
            try:
                versions = self._repository.versions(Target(name=name))
            except ServingError:
                continue  # it went a moment ago
            found.append(
                {
                    "name": name,
                    "labels": self._repository.labels(name),
                    "versions": [_described(version) for version in versions],
                }
            )
        return json_response({"models": found})


def _described(version: Version) -> Config:
    model = version.model
    return {
        "version": version.number,
        "state": version.state,
        "error": version.error_message,
        "signatures": [] if model is None else sorted(model.signatures),
        "card": None if model is None else _finite(model.card),
    }


def _finite(value: Any) -> Any:
    """JSON that browsers read: NaN is no token of theirs."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        return None
    return value
