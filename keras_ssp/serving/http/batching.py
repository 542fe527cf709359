"""Requests that wait together are run together, and each gets its own rows back."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from keras_ssp.serving.http.errors import ServingError
from keras_ssp.types import Array

Arrays = dict[str, Array]


@dataclasses.dataclass(eq=False)
class _Waiting:
    arrays: Mapping[str, Array]
    rows: int
    done: asyncio.Future[Arrays]

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for requests that fit into one batch: free axes may differ."""
        return tuple((n, x.shape[1:]) for n, x in sorted(self.arrays.items()))


class Batcher:
    """Runs one signature of one version, in batches.

    While a batch runs, the requests that arrive form the next one; so a lone request
    never waits, and under load batches are as large as the load makes them.

    Args:
        run: Runs arrays by name, each with the samples as its first axis.
        executor: Where it runs, away from the event loop.
        largest: Positive integer, most rows in a batch. A request with more is run by
            itself.
        wait: Seconds that a batch which is not full waits for more. Defaults to 0.
        queue: Positive integer, most rows that may wait. Defaults to 4096.
    """

    def __init__(
        self,
        run: Callable[[Arrays], Arrays],
        executor: concurrent.futures.Executor,
        *,
        largest: int,
        wait: float = 0.0,
        queue: int = 4096,
    ) -> None:
        self._run = run
        self._executor = executor
        self._largest = largest
        self._wait = wait
        self._queue = queue
        self._waiting: collections.deque[_Waiting] = collections.deque()
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, arrays: Mapping[str, Array]) -> Arrays:
        """What the signature answers to these rows.

        Raises:
            ServingError: If too many rows are waiting.
        """
        rows = len(next(iter(arrays.values())))
        if sum(each.rows for each in self._waiting) + rows > max(self._queue, rows):
            raise ServingError(
                "RESOURCE_EXHAUSTED",
                f"More than {self._queue} samples are waiting. Remedy: try again "
                "later.",
            )
        done: asyncio.Future[Arrays] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(arrays, rows, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await done

    async def _work(self) -> None:
        while self._waiting:
            if self._wait and sum(w.rows for w in self._waiting) < self._largest:
                await asyncio.sleep(self._wait)
            batch = self._take()
            if batch:
                await self._answer(batch)

    def _take(self) -> list[_Waiting]:
        """The requests of the next batch, in the order in which they came."""
        batch: list[_Waiting] = []
        rows = 0
        later: list[_Waiting] = []
        while self._waiting:
            each = self._waiting.popleft()
            if each.done.done():
                continue  # its client has given up
            fits = not batch or (
                rows + each.rows <= self._largest and each.kind == batch[0].kind
            )
            if not fits:
                later.append(each)
                if rows >= self._largest:
                    break
                continue
            batch.append(each)
            rows += each.rows
        self._waiting.extendleft(reversed(later))
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        try:
            found = await asyncio.get_running_loop().run_in_executor(
                self._executor, self._together, batch
            )
        except Exception as error:
            for each in batch:
                if not each.done.done():
                    each.done.set_exception(error)
            return
        for each, outputs in zip(batch, found, strict=True):
            if not each.done.done():
                each.done.set_result(outputs)

    def _together(self, batch: list[_Waiting]) -> list[Arrays]:
        if len(batch) == 1:
            return [self._run(dict(batch[0].arrays))]
        joined = {
            name: np.concatenate([each.arrays[name] for each in batch])
            for name in batch[0].arrays
        }
        outputs = self._run(joined)
        found, start = [], 0
        for each in batch:
            stop = start + each.rows
            found.append({name: x[start:stop] for name, x in outputs.items()})
            start = stop
        return found
