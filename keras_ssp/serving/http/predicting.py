"""Predictions of the server: the right version, in batches, with what they cost."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from keras_ssp.serving.exported import ExportedModel, check_inputs
from keras_ssp.serving.http.batching import Batcher
from keras_ssp.serving.http.errors import ServingError, invalid
from keras_ssp.serving.http.metrics import Metrics
from keras_ssp.serving.http.repository import Repository
from keras_ssp.serving.http.targets import Target
from keras_ssp.serving.http.versions import Version
from keras_ssp.serving.writers import DEFAULT, ENERGY
from keras_ssp.types import Array

ENERGY_HEADER, VERSION_HEADER = "X-Energy-Joules", "X-Model-Version"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What a request may ask of a server.

    Args:
        body: Bytes of a body.
        rows: Samples of a request.
        seconds: Seconds until an answer; and for the client to send its request.
        batch: Samples that are run together.
        wait: Seconds that a batch which is not full waits for more.
        queue: Samples that may wait.
    """

    body: int = 32 << 20
    rows: int = 1024
    seconds: float = 30.0
    batch: int = 64
    wait: float = 0.0
    queue: int = 4096


@dataclasses.dataclass(kw_only=True)
class Answering:
    """A request that is being answered.

    Args:
        name: Name of the model.
        version: The version that answers.
        model: Its model.
        signature: What is asked of it, as soon as that is known.
    """

    name: str
    version: Version
    model: ExportedModel
    signature: str = ""


class Predictor:
    """Runs what requests ask for.

    Args:
        repository: The models.
        limits: What a request may ask for.
        energy: Whether the energy of every prediction is counted.
    """

    def __init__(
        self, repository: Repository, limits: Limits, *, energy: bool = True
    ) -> None:
        self.repository = repository
        self.limits = limits
        self.metrics = Metrics()
        self._energy = energy
        self._executor = concurrent.futures.ThreadPoolExecutor(1, "ssp-model")
        self._batchers: dict[tuple[ExportedModel, str], Batcher] = {}

    def close(self) -> None:
        """Takes no further batch."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def forget(self) -> None:
        """Lets go of the models that are no longer served."""
        alive = self.repository.loaded()
        for key in [key for key in self._batchers if key[0] not in alive]:
            del self._batchers[key]

    async def counted(
        self, target: Target, work: Callable[[Answering], Awaitable[Any]]
    ) -> Any:
        """Does the work with the version that is to answer, and counts the request."""
        started, status, answering = time.perf_counter(), "OK", None
        try:
            with self.repository.lease(target) as version:
                if version.model is None:
                    raise ServingError("UNAVAILABLE", "The version is being unloaded.")
                answering = Answering(
                    name=target.name, version=version, model=version.model
                )
                return await work(answering)
        except ServingError as error:
            status = error.code
            raise
        except Exception:
            status = "INTERNAL"
            raise
        finally:
            # Only names that exist: others would fill the metrics with what is asked.
            self.metrics.request(
                "" if answering is None else answering.name,
                "" if answering is None else str(answering.version.number),
                "" if answering is None else answering.signature,
                status,
                time.perf_counter() - started,
            )

    async def _run(
        self, model: ExportedModel, signature: str, arrays: Mapping[str, Array]
    ) -> dict[str, Array]:
        key = (model, signature)
        if key not in self._batchers:
            self._batchers[key] = Batcher(
                lambda arrays: model.run(signature, arrays),
                self._executor,
                largest=self.limits.batch,
                wait=self.limits.wait,
                queue=self.limits.queue,
            )
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await self._batchers[key](arrays)
        except TimeoutError:
            raise ServingError(
                "DEADLINE_EXCEEDED",
                f"The answer took longer than {self.limits.seconds:g} s.",
            ) from None

    async def predict(
        self, answering: Answering, signature: str, arrays: Mapping[str, Array]
    ) -> tuple[dict[str, Array], dict[str, str]]:
        """What a signature answers, and headers that tell what it cost."""
        answering.signature = signature
        model, version = answering.model, str(answering.version.number)
        try:
            check_inputs(arrays, model.inputs[signature])
        except ValueError as error:
            raise invalid(str(error)) from None
        rows = len(next(iter(arrays.values())))
        if rows > self.limits.rows:
            raise invalid(
                f"Task size {rows} is larger than maximum input batch size "
                f"{self.limits.rows}"
            )
        counted = model.card is not None and (
            signature == ENERGY or (self._energy and signature == DEFAULT)
        )
        outputs = await self._run(model, ENERGY if counted else signature, arrays)
        headers = {VERSION_HEADER: version}
        if counted:
            self.metrics.samples(answering.name, version, model, outputs)
            headers[ENERGY_HEADER] = format(
                float(outputs["energy_joules"].sum()), ".8g"
            )
        if signature == DEFAULT:
            outputs = {k: outputs[k] for k in model.outputs[DEFAULT]}
        return outputs, headers
