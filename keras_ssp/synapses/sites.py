"""What is known of a model after its synapses were counted."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from keras_ssp.graph import timeline
from keras_ssp.layers import SpikingLayer
from keras_ssp.synapses.gates import Gate, Key
from keras_ssp.synapses.taps import Tap, compact, full, uniform
from keras_ssp.types import Array, Sizes


@dataclasses.dataclass(frozen=True, eq=False)
class Site:
    """One place where events are made, and the synapses they drive.

    A call of a spiking layer, of an encoding layer that emits events, or of a gate.

    In `Input(8) -> LIF "a" -> Dense(3) -> LIF "b" -> Dense(2)` there are two: `a` with
    `size=(8,)` and a tap of weight 3, `b` with `size=(3,)` and a tap of weight 2.

    Args:
        layer: The layer.
        name: Its name in the report, `name:1` for the second call of a shared layer.
        position: Place of the call in the model.
        index: How often the layer was called before.
        size: Features of its output, the neurons.
        steps: T.
        taps: Weights over its events: psi.
        notes: Remarks on how it was counted.
        gate: Of a gate, what its events are made from.
    """

    layer: keras.layers.Layer
    name: str
    position: int
    index: int
    size: Sizes
    steps: int
    taps: tuple[Tap, ...]
    notes: tuple[str, ...] = ()
    gate: Gate | None = None

    @property
    def spiking(self) -> bool:
        """Whether the source is a neuron (not an encoding layer, nor a gate)."""
        return timeline.role(self.layer) == "spiking"

    @property
    def key(self) -> Key:
        """What tells the call from others: the layer, and which of its calls it is."""
        return (id(self.layer), self.index)


@dataclasses.dataclass(frozen=True, eq=False)
class Weighted:
    """One call of a layer with synapses.

    In the example of `Site` these are the two dense layers, driven by one site each.

    Args:
        layer: The Keras layer.
        name: Its name in the report.
        position: Place of the call in the model.
        dense: Operations of one pass over all synapses.
        macs: Multiply-accumulates on analogue values per sample, all time steps.
        steps: T of its input.
        inputs: Elements of its input, `outputs` of its output, batch left out.
        drivers: Positions of the sites whose events it receives.
    """

    layer: keras.layers.Layer
    name: str
    position: int
    dense: float
    macs: float
    steps: int
    inputs: int
    outputs: int
    drivers: frozenset[int]


@dataclasses.dataclass(frozen=True, eq=False)
class Synapses:
    """Everything that the energy of one model is counted from.

    Args:
        sites: Where events are made.
        layers: Where there are synapses.
        time_steps: T.
        folded_by_caller: Whether the caller folds time into the batch, as no encoding
            layer does: T rows are then one sample.
        notes: Remarks on what was not counted.
    """

    sites: tuple[Site, ...]
    layers: tuple[Weighted, ...]
    time_steps: int
    folded_by_caller: bool = False
    notes: tuple[str, ...] = ()

    @property
    def spiking(self) -> tuple[Site, ...]:
        """The sites of spiking layers, encoding layers left out."""
        return tuple(site for site in self.sites if site.spiking)


def given_tap(layer: SpikingLayer, size: Sizes) -> Tap:
    """The tap of a layer whose `fan_out` the user gave."""
    fan_out: Array = np.asarray(layer.fan_out)
    try:
        full(fan_out, size)
    except ValueError as error:
        raise ValueError(
            f"`fan_out` of layer '{layer.name}' must broadcast against its features "
            f"{size}. Received: fan_out of shape {fan_out.shape}."
        ) from error
    if fan_out.ndim == 0:
        return uniform(float(fan_out), size)
    missing = len(size) - fan_out.ndim
    return Tap(compact(fan_out.reshape((1,) * missing + fan_out.shape)), size)


def given_site(layer: SpikingLayer) -> Site:
    """The site of a layer in a subclassed model, from its own arguments."""
    if layer.fan_out is None:
        raise ValueError(
            f"Layer '{layer.name}' is in a subclassed model, which has no graph to "
            "count synapses in. Remedy: pass `fan_out`, the synapses that leave each "
            "neuron, and `time_steps`, or build the model from keras.Input."
        )
    if not layer.built or layer.feature_shape is None:
        raise ValueError(
            f"Layer '{layer.name}' is not built, so the number of its neurons is not "
            "known. Remedy: call the model once on data first."
        )
    size = layer.feature_shape
    return Site(
        layer=layer,
        name=layer.name,
        position=0,
        index=0,
        size=size,
        steps=layer.steps or 1,
        taps=(given_tap(layer, size),),
    )
