"""What this package adds to a Keras model: analysis, report, penalty, monitor."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.cases import network_case
from benchmarks.worker import seconds
from keras_ssp.tables import Table

_REPEATS, _SAMPLES, _BATCH = 5, 1536, 128
_STEPS = 60  # of a network with the penalty and without: a few percent are looked for


def table() -> str:
    """Markdown: each cost in seconds, and as a share of what it is added to."""
    import keras_ssp as ssp
    from benchmarks.contenders import ours

    case = network_case("readme", 4, _BATCH)
    x, y = ours.images(case, _SAMPLES)
    model = ours.network(case)
    rows = []

    def add(what: str, seconds: float, share: float | None = None) -> None:
        said = "" if share is None else f"{share:.1%}"
        rows.append([what, f"{seconds:.3g}", said])

    add(
        "psi of README's network, built",
        seconds(lambda: ssp.fan_out(ours.network(case))),
    )
    add("energy_report, first call", seconds(lambda: ssp.energy_report(model, x)))
    again = _median(lambda: ssp.energy_report(model, x))
    forward = _median(lambda: model.predict(x, batch_size=_BATCH, verbose=0))
    add("energy_report again", again)
    add("the pass over the same data (predict)", forward)
    penalised = ours.network(case)
    ssp.penalize(penalised, ssp.SynapticPenalty(1e-9))
    ours.compile_network(penalised)
    plain, ratio = _in_pairs(
        lambda: model.train_on_batch(x[:_BATCH], y[:_BATCH]),
        lambda: penalised.train_on_batch(x[:_BATCH], y[:_BATCH]),
    )
    add("training step", plain)
    add("penalty, a step", (ratio - 1) * plain, ratio - 1)
    monitor = ssp.EnergyMonitor(x[: _SAMPLES // 6])

    bare, watching = _epoch(model, [monitor], x, y, batch_size=_BATCH)
    add("epoch of fit", bare)
    add("EnergyMonitor on a sixth of the data, an epoch", watching, watching / bare)
    for name, shape, flip in (
        ("Fashion-MNIST", (28, 28, 1), False),
        ("CIFAR-10", (32, 32, 3), True),
    ):
        steps, streamed = _pipeline(shape, flip)
        what = f"steps of an epoch by train_on_batch, of keras-ssp train's ({name})"
        add(what, steps, steps / streamed)
    return Table(["", "seconds", "share"], rows).markdown()


def _pipeline(shape: tuple[int, ...], flip: bool) -> tuple[float, float]:
    """An epoch of bare steps, and of `fit` from the pipeline, with augmentation."""
    import keras
    import numpy as np

    from keras_ssp import datasets, models

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4 * _SAMPLES // 3, *shape), dtype=np.uint8)
    data = datasets.from_arrays(images, rng.integers(0, 10, len(images)))
    batches = datasets.TrainingBatches(
        data=data, batch_size=_BATCH, augmentation=datasets.Augmentation(2, flip)
    )
    model = models.small_cnn(shape, 10, time_steps=4)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    count = batches.steps_per_epoch
    x, y = map(keras.ops.convert_to_numpy, next(iter(batches.stream())))

    def bare() -> None:
        for _ in range(count):
            model.train_on_batch(x, y)

    bare()
    found = [
        (seconds(bare), _epoch(model, [], batches.stream(), steps_per_epoch=count)[0])
        for _ in range(_REPEATS)
    ]
    return min(steps for steps, _ in found), min(epoch for _, epoch in found)


def _epoch(
    model: Any, callbacks: list[Any], *data: Any, **how: Any
) -> tuple[float, float]:
    """The least seconds of an epoch of `fit`, and of what callbacks do at its end.

    Of those after the first, which also makes the iterator of the data.
    """
    import keras

    starts, ends, called = [], [], []

    def stamp(times: list[float]) -> Callable[..., None]:
        return lambda *_: times.append(time.perf_counter())

    first = keras.callbacks.LambdaCallback(
        on_epoch_begin=stamp(starts), on_epoch_end=stamp(ends)
    )
    last = keras.callbacks.LambdaCallback(on_epoch_end=stamp(called))
    around = [first, *callbacks, last]
    model.fit(*data, epochs=1 + _REPEATS, verbose=0, callbacks=around, **how)
    epochs = [end - start for start, end in zip(starts, ends, strict=True)]
    calls = [after - end for end, after in zip(ends, called, strict=True)]
    return min(epochs[1:]), min(calls[1:])


def _median(run: Callable[[], Any]) -> float:
    run()
    return statistics.median(seconds(run) for _ in range(_REPEATS))


def _in_pairs(
    first: Callable[[], Any], second: Callable[[], Any]
) -> tuple[float, float]:
    """The median seconds of the first, and of the ratio of the second to it.

    In turn, since a machine that is busy is so for both.
    """
    for run in (first, second) * 3:
        run()
    pairs = [(seconds(first), seconds(second)) for _ in range(_STEPS)]
    ratio = statistics.median(after / before for before, after in pairs)
    return statistics.median(before for before, _ in pairs), ratio
