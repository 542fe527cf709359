"""Starts the server."""

from __future__ import annotations

import logging

from keras_ssp._extras import require
from keras_ssp.serving.http.app import Server
from keras_ssp.serving.http.predicting import Limits
from keras_ssp.serving.http.repository import Repository
from keras_ssp.types import StrPath


def serve(
    root: StrPath,
    *,
    host: str = "127.0.0.1",
    port: int = 8501,
    policy: str = "latest",
    limits: Limits | None = None,
    api_key: str | None = None,
    poll: float = 2.0,
    energy: bool = True,
) -> None:
    """Serves exported models until it is interrupted.

    Args:
        root: Folder of the models, or of one model.
        host: Address to listen at. Defaults to this machine alone.
        port: Port, 0 for a free one. Defaults to TensorFlow Serving's.
        policy: As for `Repository`.
        limits: What a request may ask for.
        api_key: What clients must show. Defaults to nothing.
        poll: Seconds between two looks for new versions. Defaults to 2.
        energy: Whether the energy of every prediction is counted.
    """
    uvicorn = require("uvicorn", extra="serve")
    repository = Repository(root, policy=policy)
    server = Server(
        repository, limits=limits, api_key=api_key, poll=poll, energy=energy
    )
    application = server.application()  # a missing extra shows before models load
    logging.getLogger("keras_ssp.serving").setLevel(logging.INFO)
    repository.scan()
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        log_level="info",
        access_log=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=30,
        server_header=False,
    )
    uvicorn.Server(config).run()
