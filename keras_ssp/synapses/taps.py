"""Where spikes become events: weights over a spike tensor, and their sum.

A spiking layer's SynOps are `sum_t sum_i psi_i * s_i[t]`. Most layers between a
neuron and its synapses (padding, flatten, average pooling, ...) are linear, so
`psi` can be drawn back to the neuron. Max pooling is not: its events are those
that leave the pool. A `Tap` therefore holds a short `path` of layers that are
applied to the spikes, and the weights over what leaves them.

In `LIF -> Dense(10)` on 3 neurons the tap is `uniform(10.0, (3,))`: one weight, 10, for
all three. In `LIF -> MaxPooling2D(2) -> Conv2D(...)` it has `path=(pool,)`, and its
weights are over the pool's output.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from keras_ssp.synapses.sums import EXACT, carried, exact_sum, parts, weighted_sum
from keras_ssp.types import Array, Config, Sizes, Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Tap:
    """Weights over the events of one spiking layer.

    Args:
        weight: Array that broadcasts against the features (no batch axis) of the
            tensor that leaves `path`. An axis along which all values are equal
            has size 1.
        size: The features of that tensor, without the batch axis.
        path: Layers applied to the spikes first; empty for most taps.
    """

    weight: Array
    size: Sizes
    path: tuple[keras.layers.Layer, ...] = ()

    @property
    def total(self) -> float:
        """Sum of the weights over every element: the most that one step can cost."""
        return float(self.weight.sum()) * math.prod(self.size) / self.weight.size

    def key(self) -> tuple[str, ...]:
        """Equal for two taps whose paths do the same."""
        return tuple(str(_path_config(layer)) for layer in self.path)

    def events(self, spikes: Tensor) -> Tensor:
        """The events that leave `path`, in float32."""
        for layer in self.path:
            spikes = layer.call(spikes)
        # float16 counts nothing beyond 2048 exactly, and overflows at 65 504.
        return ops.cast(spikes, "float32")

    def per_row(self, spikes: Tensor) -> Tensor:
        """`sum_i weight_i * spike_i` for each row of the batch, in float32."""
        return weighted_sum(self.events(spikes), self.weight, self.total)

    def get_config(self) -> Config:
        """The tap as JSON-ready values."""
        return {
            "shape": list(self.weight.shape),
            "weight": self.weight.ravel().tolist(),
            "size": list(self.size),
            "path": [keras.saving.serialize_keras_object(k) for k in self.path],
        }

    @classmethod
    def from_config(cls, config: Config) -> Tap:
        """Restores a tap from `get_config`."""
        return cls(
            np.asarray(config["weight"], "float64").reshape(config["shape"]),
            tuple(config["size"]),
            tuple(keras.saving.deserialize_keras_object(k) for k in config["path"]),
        )


def uniform(value: float, size: Sequence[int]) -> Tap:
    """A tap with one weight for every element."""
    return Tap(np.full((1,) * len(size), float(value)), tuple(size))


def per_sample(taps: Sequence[Tap], spikes: Tensor, steps: int) -> Tensor:
    """Weighted events of each sample, summed over taps and time steps, float32.

    Args:
        taps: The taps of one spiking layer.
        spikes: `(batch * steps, ...)`, batch-major.
        steps: Time steps folded into the batch.

    Returns:
        Float32 tensor of shape `(batch,)`.
    """
    count = ops.shape(spikes)[0]
    rows = ops.zeros((count,), dtype="float32")
    for tap in taps:
        rows = rows + tap.per_row(spikes)
    return ops.sum(ops.reshape(rows, (count // steps, steps)), axis=1)


def exact_per_sample(
    taps: Sequence[Tap], spikes: Tensor, steps: int, *, binary: bool = False
) -> Tensor:
    """The same in two parts, so that whole numbers up to 2^36 are exact.

    Args:
        taps: The taps of one place where events are made.
        spikes: `(batch * steps, ...)`, batch-major.
        steps: Time steps folded into the batch.
        binary: Whether no event is above 1. Defaults to `False`.

    Returns:
        Float32 tensor of shape `(batch, 2)`: `4096 * first + second`.
    """
    count = ops.shape(spikes)[0]
    rows = ops.zeros((count, 2), dtype="float32")
    for tap in taps:
        events = tap.events(spikes)
        if binary and tap.total < EXACT:  # one part is enough
            rows = rows + parts(weighted_sum(events, tap.weight, tap.total))
        else:
            rows = rows + exact_sum(events, tap.weight)
    rows = ops.reshape(rows, (count // steps, steps, 2))
    return carried(rows[..., 0], rows[..., 1])


def merge(taps: Sequence[Tap]) -> list[Tap]:
    """Adds up the taps that have the same path."""
    merged: dict[tuple[str, ...], Tap] = {}
    for tap in taps:
        key = tap.key()
        if key in merged:
            tap = Tap(compact(merged[key].weight + tap.weight), tap.size, tap.path)
        merged[key] = tap
    return list(merged.values())


def compact(weight: Array) -> Array:
    """Shrinks every axis along which all values are equal to size 1."""
    for axis, n in enumerate(weight.shape):
        first = weight.take([0], axis=axis)
        if n > 1 and np.all(weight == first):
            weight = first
    return weight


def full(weight: Array, size: Sequence[int]) -> Array:
    """The weights written out for every element."""
    return np.broadcast_to(weight, tuple(size))


def _path_config(layer: keras.layers.Layer) -> Config:
    config = {k: v for k, v in layer.get_config().items() if k not in ("name", "dtype")}
    return {"class": type(layer).__name__, **config}
