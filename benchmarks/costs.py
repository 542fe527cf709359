"""What this package adds to a Keras model: analysis, report, penalty, monitor."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_ssp.tables import Table

_REPEATS, _SAMPLES, _BATCH = 5, 1536, 128


def table() -> str:
    """Markdown: each cost in seconds, and as a share of what it is added to."""
    import keras_ssp as ssp

    x, y = _data()
    model = _model()
    rows = []

    def add(what: str, seconds: float, share: float | None = None) -> None:
        said = "" if share is None else f"{share:.1%}"
        rows.append([what, f"{seconds:.3g}", said])

    add("psi of README's network", _seconds(lambda: ssp.fan_out(_model()), 1))
    add("energy_report, first call", _seconds(lambda: ssp.energy_report(model, x), 1))
    again = _median(lambda: ssp.energy_report(model, x))
    forward = _median(lambda: model.predict(x, batch_size=_BATCH, verbose=0))
    add("energy_report again", again)
    add("the pass over the same data (predict)", forward)
    penalised = _model()
    ssp.penalize(penalised, ssp.SynapticPenalty(1e-9))
    penalised.compile("adam", "sparse_categorical_crossentropy")
    plain, with_penalty = _alternating(
        lambda: model.train_on_batch(x[:_BATCH], y[:_BATCH]),
        lambda: penalised.train_on_batch(x[:_BATCH], y[:_BATCH]),
    )
    add("training step", plain)
    add("penalty, a step", with_penalty - plain, with_penalty / plain - 1)
    monitor = ssp.EnergyMonitor(x[: _SAMPLES // 6])

    def epoch(callbacks: list[Any]) -> Any:
        return model.fit(x, y, batch_size=_BATCH, verbose=0, callbacks=callbacks)

    bare, watched = _alternating(lambda: epoch([]), lambda: epoch([monitor]))
    add("epoch of fit", bare)
    add(
        "EnergyMonitor on a sixth of the data, an epoch",
        watched - bare,
        watched / bare - 1,
    )
    steps = _SAMPLES // _BATCH
    add("steps of that epoch by train_on_batch", plain * steps, plain * steps / bare)
    return Table(["", "seconds", "share"], rows).markdown()


def _model() -> Any:
    import keras

    import keras_ssp as ssp

    layers = [keras.Input((28, 28, 1))]
    for filters in (16, 32):
        layers.append(keras.layers.Conv2D(filters, 3))
        layers.append(keras.layers.BatchNormalization(momentum=0.9))
        layers.append(keras.layers.ReLU())
    layers += [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = ssp.spiking(keras.Sequential(layers), time_steps=4)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def _data() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(_SAMPLES, 28, 28, 1)).astype("float32")
    return x, rng.integers(0, 10, _SAMPLES)


def _seconds(run: Callable[[], Any], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times


def _median(run: Callable[[], Any]) -> float:
    run()
    return statistics.median(_seconds(run, 1) for _ in range(_REPEATS))


def _alternating(*runs: Callable[[], Any]) -> list[float]:
    """The least seconds of each, in turn, so that a busy machine is so for all."""
    for run in runs:
        run()
        run()
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(_REPEATS):
        for run, found in zip(runs, times, strict=True):
            found.append(_seconds(run, 1))
    return [min(found) for found in times]
