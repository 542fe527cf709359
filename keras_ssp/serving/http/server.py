"""Starts the server."""

from __future__ import annotations

import gc
import logging
import sys

import uvicorn

from keras_ssp.serving.http.app import Server
from keras_ssp.serving.http.predicting import Limits
from keras_ssp.serving.http.repository import Repository
from keras_ssp.types import StrPath

_SWITCH = 0.0005  # seconds that a thread may keep Python when another one waits
_GRACE = 30  # seconds for requests under way when the server is asked to end


def make_server(
    root: StrPath,
    *,
    host: str = "127.0.0.1",
    port: int = 8501,
    policy: str = "latest",
    limits: Limits | None = None,
    api_key: str | None = None,
    poll: float = 2.0,
    energy: bool = True,
) -> uvicorn.Server:
    """A server of exported models, which are loaded; `run` starts it.

    Args:
        root: Folder of the models, or of one model.
        host: Address to listen at. Defaults to this machine alone.
        port: Port, 0 for a free one. Defaults to TensorFlow Serving's.
        policy: As for `Repository`.
        limits: What a request may ask for.
        api_key: What clients must show. Defaults to nothing.
        poll: Seconds between two looks for new versions, 0 for none. Defaults to 2.
        energy: Whether the energy of every prediction is counted.
    """
    repository = Repository(root, policy=policy)
    server = Server(
        repository, limits=limits, api_key=api_key, poll=poll, energy=energy
    )
    repository.scan()
    config = uvicorn.Config(
        server.application(),
        host=host,
        port=port,
        log_level="info",
        access_log=False,
        timeout_keep_alive=_GRACE,
        timeout_graceful_shutdown=_GRACE,
        server_header=False,
    )
    return uvicorn.Server(config)


def serve(root: StrPath, **options: object) -> None:
    """Serves exported models until it is interrupted; options as for `make_server`."""
    logging.getLogger("keras_ssp.serving").setLevel(logging.INFO)
    server = make_server(root, **options)  # type: ignore[arg-type]
    # The process is the server's own. What is loaded stays, so nobody need look
    # through it for garbage, which takes half a second; and the thread that has run a
    # model waits for Python as long as another may keep it, by default 5 ms.
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(_SWITCH)
    server.run()
