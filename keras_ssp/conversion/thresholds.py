"""Thresholds of the neurons: how large the activations of a network get."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from keras_ssp.datasets.inputs import input_batches
from keras_ssp.graph import Call
from keras_ssp.layers import QCFS
from keras_ssp.types import Data, TensorLike

METHODS = ("max", "percentile", "qcfs")

# A positive float32, read as an integer, keeps its order. Its upper 18 bits are the
# bins of a histogram that is 0.1 % fine at every magnitude, whatever comes later.
_SHIFT = 13


class Activity:
    """The positive values of one layer, seen batch by batch.

    Example:

    >>> seen = Activity()
    >>> seen.add(np.array([0.0, 1.0, 2.0, 4.0]))
    >>> seen.percentile(100.0)
    4.0
    """

    def __init__(self) -> None:
        self.maximum = 0.0
        self._counts = np.zeros(1 << (31 - _SHIFT), "int64")

    def add(self, values: TensorLike) -> None:
        """Counts more values; those that are not positive do not matter."""
        values = np.asarray(values, "float32").ravel()
        values = values[values > 0]
        if values.size:
            self.maximum = max(self.maximum, float(values.max()))
            bins = values.view("uint32") >> _SHIFT
            self._counts += np.bincount(bins, minlength=len(self._counts))

    def percentile(self, q: float) -> float:
        """The least value that `q` percent of the positive values do not exceed.

        To 0.1 %, rounded up; exact for `q = 100`.
        """
        reached = np.cumsum(self._counts)
        k = int(np.searchsorted(reached, q / 100.0 * reached[-1]))
        # The upper edge of the bin: its first number is that of the next one.
        edge = float(np.array([k + 1 << _SHIFT], "uint32").view("float32")[0])
        return edge if edge < self.maximum else self.maximum


def read_thresholds(neurons: Sequence[Call]) -> dict[str, float]:
    """The threshold of each `QCFS` layer.

    Raises:
        ValueError: If an activation is not a `QCFS`.
    """
    others = [call for call in neurons if not isinstance(call.layer, QCFS)]
    if others:
        names = ", ".join(f"'{call.name}'" for call in others)
        raise ValueError(
            'method="qcfs" takes its thresholds from trained `keras_ssp.layers.QCFS` '
            f"layers, and these activations are not: {names}. Remedy: train the "
            'network with QCFS in place of ReLU, or use method="percentile".'
        )
    return {call.name: call.layer.threshold for call in neurons}


def measure_thresholds(
    model: keras.Model,
    neurons: Sequence[Call],
    data: Data,
    *,
    percentile: float,
    batch_size: int,
) -> dict[str, float]:
    """A percentile of the positive activations of each layer on data.

    Args:
        model: A network made by `canonicalize`.
        neurons: Its activation calls.
        data: As for `keras_ssp.energy_report`.
        percentile: In (0, 100]; 100 is the largest value.
        batch_size: Rows per batch where `data` are arrays.

    Raises:
        ValueError: If `data` are missing or empty, do not fit the model's inputs or
            are not finite, or a layer is never active or not finite.
    """
    if data is None:
        raise ValueError(
            "`data` must be given for method='max' and method='percentile': they "
            "measure how large the activations get. Received: data=None."
        )
    activities = {call.name: Activity() for call in neurons}
    probe = keras.Model(model.input, {c.name: c.layer.output for c in neurons})
    for inputs in input_batches(data, model, batch_size):
        for name, values in probe.predict_on_batch(inputs).items():
            values = ops.convert_to_numpy(values)
            if not np.all(np.isfinite(np.asarray(values, "float32"))):
                raise ValueError(
                    f"The activations of layer '{name}' are not finite on `data`, so "
                    "it has no threshold. Remedy: check the model's weights."
                )
            activities[name].add(values)
    dead = [name for name, activity in activities.items() if not activity.maximum]
    if dead:
        raise ValueError(
            f"Layer '{dead[0]}' is dead: its largest activation on `data` is 0, so it "
            "has no threshold. Remedy: give data like those of the training, or "
            "remove or retrain the layer."
        )
    return {name: found.percentile(percentile) for name, found in activities.items()}
