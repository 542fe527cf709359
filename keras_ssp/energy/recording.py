"""Spikes and potentials of every layer, as arrays to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ssp import graph as graph_lib
from keras_ssp._checks import boolean, one_of, positive_int
from keras_ssp.datasets.inputs import input_batches, rows_of
from keras_ssp.graph import Call, Graph, is_graph_model, timeline
from keras_ssp.graph.calls import numbered
from keras_ssp.graph.keras_private import require_model
from keras_ssp.graph.rebuild import copy_layer, copy_weights
from keras_ssp.graph.values import Values
from keras_ssp.layers.events import listening
from keras_ssp.types import Array, Data, Tensor


@dataclass(frozen=True, kw_only=True, repr=False)
class Recording:
    """What the neurons of a model did, as `keras_ssp.record` returns it.

    Args:
        spikes: Name of each layer to its spikes, `(samples, T, ...)`: `uint8` where all
            are 0 or 1 (or small counts of events), `float32` else.
        potentials: Name of each spiking layer to its potentials after the reset,
            `(samples, T, ...)` in `float32`; empty if they were not asked for.
        thresholds: Name of each spiking layer to its threshold, if it has one.
    """

    spikes: dict[str, Array]
    potentials: dict[str, Array] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Samples recorded."""
        return len(next(iter(self.spikes.values())))

    @property
    def time_steps(self) -> int:
        """The largest T of a layer."""
        return max(array.shape[1] for array in self.spikes.values())

    def rates(self) -> dict[str, Array]:
        """Spikes per step of each neuron, `(...)`: the mean over samples and time."""
        return {k: v.mean(axis=(0, 1), dtype="float64") for k, v in self.spikes.items()}

    def over_time(self) -> dict[str, Array]:
        """Spikes per neuron at each step, `(T,)`: the mean over samples and neurons."""
        return {
            name: array.reshape(*array.shape[:2], -1).mean(axis=(0, 2), dtype="float64")
            for name, array in self.spikes.items()
        }

    def __repr__(self) -> str:
        layers = ", ".join(f"{k}: {v.shape}" for k, v in self.spikes.items())
        also = ", with potentials" if self.potentials else ""
        return f"<Recording of {self.samples} samples{also}: {layers}>"


def record(
    model: keras.Model,
    data: Data,
    *,
    layers: Sequence[str] | None = None,
    potentials: bool = False,
    samples: int | None = None,
    batch_size: int = 32,
    max_bytes: int = 2**30,
) -> Recording:
    """Records the spikes of every layer of a model on data.

    The model runs as it is, in evaluation mode; nothing is added to it or changed.

    Args:
        model: Model with spiking or event-emitting encoding layers.
        data: As for `keras_ssp.energy_report`.
        layers: Names of the layers to record. Defaults to all.
        potentials: Whether potentials are recorded too; then the model must be
            Sequential or Functional. Defaults to `False`.
        samples: How many samples are recorded at most. Defaults to all of `data`.
        batch_size: Positive integer, rows per batch where `data` are arrays. Defaults
            to 32.
        max_bytes: What a recording may take in memory. Defaults to 1 GiB.

    Returns:
        A `Recording`. `keras_ssp.figures.raster`, `spike_rates`, `spikes_over_time` and
        `potentials` draw it.

    Raises:
        ValueError: If there is nothing to record, a layer is unknown, the recording
            would take more than `max_bytes`, or `data` is not as above.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dense(8), DirectEncoding(5),
    ...     LIF(name="lif"), keras.layers.Dense(3), RateReadout()])
    >>> found = record(model, np.ones((2, 4), "float32"), potentials=True)
    >>> found.spikes["lif"].shape, found.potentials["lif"].shape
    ((2, 5, 8), (2, 5, 8))
    """
    require_model(model)
    positive_int("batch_size", batch_size)
    samples = positive_int("samples", samples, optional=True)
    positive_int("max_bytes", max_bytes)
    readable = is_graph_model(model)
    if boolean("potentials", potentials) and not readable:
        raise ValueError(
            "`potentials` must be False for a subclassed model, which has no graph to "
            f"read. Received: potentials=True, model={model.name!r}."
        )
    tape = _Tape(graph_lib.trace(model) if readable else None, layers, max_bytes)
    for inputs in input_batches(data, model, batch_size):
        left = None if samples is None else samples - tape.samples
        if left is not None and left < rows_of(inputs):
            inputs = keras.tree.map_structure(lambda x, n=left: x[:n], inputs)
        tape.run(model, inputs, potentials)
        if samples is not None and tape.samples >= samples:
            break
    return tape.recording()


class _Tape:
    """What was recorded so far."""

    def __init__(
        self, graph: Graph | None, wanted: Sequence[str] | None, max_bytes: int
    ) -> None:
        self.graph, self.max_bytes = graph, max_bytes
        self.names: dict[tuple[int, int], str] = {}
        if graph is not None:
            self.names = {(id(c.layer), c.index): c.numbered_name for c in graph.calls}
        self.wanted = None if wanted is None else list(wanted)
        self.spikes: dict[str, list[Array]] = {}
        self.potentials: dict[str, list[Array]] = {}
        self.thresholds: dict[str, float] = {}
        self.heard: dict[str, None] = {}
        self.bytes = self.samples = 0

    def run(self, model: keras.Model, inputs: Any, potentials: bool) -> None:
        """Records a batch."""
        counted: list[int] = []

        def hook(
            layer: keras.layers.Layer, index: int, spikes: Tensor, steps: int
        ) -> None:
            name = self.names.get((id(layer), index)) or numbered(layer.name, index)
            self.heard[name] = None
            counted.append(int(spikes.shape[0]) // steps)
            if self._is_wanted(name):
                self._keep(self.spikes, name, _small(_unfolded(spikes, steps)))
                self._note_threshold(layer, name)

        if not model.built:  # torch runs a layer to build it, and would be heard twice
            model(inputs, training=False)
        with listening(hook):
            model(inputs, training=False)
        self.samples += min(counted, default=0)
        if potentials and self.graph is not None:
            self._potentials(self.graph, inputs)

    def _potentials(self, graph: Graph, inputs: Any) -> None:
        tensors = [ops.convert_to_tensor(t) for t in keras.tree.flatten(inputs)]
        values = Values(graph, tensors)
        for call in graph.calls:
            if timeline.role(call.layer) != "spiking":
                continue
            if self._is_wanted(call.numbered_name):
                found = _potential(call, values.tensor(call.inputs[0]))
                self._keep(self.potentials, call.numbered_name, found)

    def _is_wanted(self, name: str) -> bool:
        return self.wanted is None or name in self.wanted

    def _note_threshold(self, layer: keras.layers.Layer, name: str) -> None:
        if timeline.role(layer) == "spiking":
            threshold = layer.mean_threshold()
            if threshold is not None:
                self.thresholds[name] = threshold

    def _keep(self, kept: dict[str, list[Array]], name: str, array: Array) -> None:
        self.bytes += array.nbytes
        if self.bytes > self.max_bytes:
            raise ValueError(
                f"`max_bytes` must be enough for the recording: {self.max_bytes} bytes "
                f"are full after {self.samples} samples, in layer '{name}'. Remedy: "
                "fewer `samples`, some `layers` only, or more `max_bytes`."
            )
        kept.setdefault(name, []).append(array)

    def recording(self) -> Recording:
        """All of it, joined."""
        for name in self.wanted or ():
            one_of("layers", name, tuple(self.heard))
        if not self.spikes:
            raise ValueError(
                "`model` must have layers that emit spikes. Received: one without."
            )
        return Recording(
            spikes={k: np.concatenate(v) for k, v in self.spikes.items()},
            potentials={k: np.concatenate(v) for k, v in self.potentials.items()},
            thresholds=self.thresholds,
        )


def _unfolded(tensor: Tensor, steps: int) -> Array:
    """`(samples * T, ...)` as `(samples, T, ...)`."""
    array = np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32")))
    return array.reshape(len(array) // steps, steps, *array.shape[1:])


def _small(array: Array) -> Array:
    """Spikes in a byte each where they fit, as they do but for large counts."""
    fits = np.all((array >= 0) & (array <= 255)) and np.all(array == np.floor(array))
    return array.astype("uint8") if fits else array


def _potential(call: Call, current: Tensor) -> Array:
    """The potentials of a spiking layer, from a copy that returns them."""
    steps = call.layer.steps
    changes: dict[str, object] = {"return_potential": True, "time_steps": steps}
    twin = copy_layer(call, f"{call.layer.name}_potential", **changes)
    twin.build(current.shape)
    copy_weights(call.layer, twin)
    twin.bind_penalty(None)
    with keras.StatelessScope():
        _, potential = twin(current)
    return _unfolded(potential, steps)
