"""`keras-ssp serve`."""

from __future__ import annotations

import os
import pathlib
from typing import Any

from keras_ssp._checks import positive_int, real
from keras_ssp._extras import require
from keras_ssp.cli.flags import new_command

KEY = "KERAS_SSP_API_KEY"


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "serve",
        "serve exported networks over HTTP, with the energy of each answer",
        _serve,
        epilog="Answers TensorFlow Serving's REST API (/v1/models/...), the Open "
        "Inference Protocol (/v2/models/...), Prometheus (/metrics), and shows a page "
        "at /. Example: keras-ssp serve saved_models",
    )
    command.add_argument(
        "root",
        type=pathlib.Path,
        help="folder of exported models, root/name/1, or of one model",
    )
    command.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 for all (default: 127.0.0.1, this "
        "machine alone)",
    )
    command.add_argument("--port", type=int, default=8501, help="default: 8501")
    command.add_argument(
        "--versions",
        choices=("latest", "all"),
        default="latest",
        help="which versions of a model are served; of a frontier always all "
        "(default: latest)",
    )
    command.add_argument(
        "--poll",
        type=float,
        default=2.0,
        metavar="SECONDS",
        help="how often new versions are looked for, 0 for never (default: 2)",
    )
    command.add_argument(
        "--api-key",
        default=os.environ.get(KEY),
        metavar="KEY",
        help="what clients must send as X-API-Key or as a bearer token (default: the "
        f"variable {KEY}, or nothing)",
    )
    command.add_argument(
        "--no-energy",
        action="store_true",
        help="count the energy of `energy_report` requests alone",
    )
    _limit_flags(command)


def _limit_flags(command: Any) -> None:
    group = command.add_argument_group("limits")
    for flag, kind, default, text in (
        ("--max-body", float, 32, "MiB of a request"),
        ("--max-rows", int, 1024, "samples of a request"),
        ("--timeout", float, 30, "seconds for a request to come, and to be answered"),
        ("--batch", int, 64, "samples that are run together"),
        ("--batch-wait", float, 0, "milliseconds that a batch waits for more samples"),
        ("--queue", int, 4096, "samples that may wait"),
    ):
        group.add_argument(
            flag, type=kind, default=default, help=f"{text} (default: {default})"
        )


def _serve(arguments: Any) -> None:
    for module in ("starlette", "uvicorn", "orjson", "prometheus_client"):
        require(module, extra="serve")
    from keras_ssp.serving.http.predicting import Limits
    from keras_ssp.serving.http.server import serve

    limits = Limits(
        body=int(real("max-body", arguments.max_body, above=0.0) * 2**20),
        rows=positive_int("max-rows", arguments.max_rows),
        seconds=real("timeout", arguments.timeout, above=0.0),
        batch=positive_int("batch", arguments.batch),
        wait=real("batch-wait", arguments.batch_wait, low=0.0) / 1e3,
        queue=positive_int("queue", arguments.queue),
    )
    serve(
        arguments.root,
        host=arguments.host,
        port=arguments.port,
        policy=arguments.versions,
        limits=limits,
        api_key=arguments.api_key or None,
        poll=real("poll", arguments.poll, low=0.0),
        energy=not arguments.no_energy,
    )
