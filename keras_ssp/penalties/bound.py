"""A penalty as one spiking layer carries it."""

from __future__ import annotations

import dataclasses
import warnings
import weakref
from collections.abc import Sequence

import keras

from keras_ssp import graph
from keras_ssp.graph import CallState
from keras_ssp.layers import SpikingLayer
from keras_ssp.penalties.family import SpikePenalty
from keras_ssp.penalties.terms import Terms, Weighed, batch_mean, running_terms
from keras_ssp.synapses.taps import Tap
from keras_ssp.types import Config, Tensor


@keras.saving.register_keras_serializable(package="keras_ssp")
class BoundPenalty:
    """A penalty on one spiking layer.

    Which synapses its spikes drive is read from the graph that runs (`Terms`). Kept
    here is what they were when `penalize` was called, for layers that run in a model
    without a graph.

    Args:
        penalty: The `SpikePenalty`.
        taps: For each call of the layer its taps.
        scale: What Omega is divided by.
        calls: Calls of penalised layers in the whole model.
        group: The same for all layers that the penalty was put on together.
        factor: What the layer's Omega is multiplied by in their sum; in `taps` already.
    """

    def __init__(
        self,
        penalty: SpikePenalty,
        taps: Sequence[Sequence[Tap]],
        scale: float,
        calls: int,
        group: str = "",
        factor: float = 1.0,
    ) -> None:
        self.penalty = penalty
        self.taps = [list(call) for call in taps]
        self.scale = scale
        self.calls = calls
        self.group = str(group)
        self.factor = float(factor)
        self._owner: weakref.ref[keras.Model] | None = None

    @property
    def weight(self) -> float:
        """lambda, as the penalty was given it."""
        return self.penalty.weight

    def owner(self) -> keras.Model | None:
        """The model that `penalize` was called on, as long as it is there."""
        return None if self._owner is None else self._owner()

    def belongs_to(self, model: keras.Model) -> None:
        """Notes the model that `penalize` was called on."""
        self._owner = weakref.ref(model)

    def value(self, index: int, spikes: Tensor, steps: int) -> Tensor:
        """Omega of one call for each sample, normalised if asked for."""
        return self._weighed(index).value(spikes, steps)

    def _weighed(self, index: int) -> Weighed:
        # Modulo: the outermost call may hold several calls of the model.
        taps = self.taps[index % len(self.taps)]
        return Weighed(self.penalty, tuple(taps), self.scale)

    def place(self, layer: SpikingLayer, index: int) -> PlacedPenalty:
        """The penalty at one call of the layer.

        Args:
            layer: The layer.
            index: How often it ran before in the outermost call.
        """
        terms = self._running(layer)
        if terms is None:
            return PlacedPenalty(self, layer, index, self._weighed(index), None)
        term = terms.at[id(layer), index % terms.runs[id(layer)]]
        return PlacedPenalty(self, layer, index, term, terms)

    def _running(self, layer: SpikingLayer) -> Terms | None:
        """The terms of the model that runs, `None` where no graph tells them."""
        running = graph.functional_under_way()
        if running is None:
            return None
        terms, error = running_terms(running)
        if terms is None:
            warnings.warn(
                f"The penalty on layer '{layer.name}' goes on with the fan-out of the "
                "model it was put on, since that of the one that runs cannot be "
                f"counted: {error}",
                stacklevel=2,
            )
            return None
        return terms if id(layer) in terms.runs else None

    def get_config(self) -> Config:
        return {
            "penalty": keras.saving.serialize_keras_object(self.penalty),
            "taps": [[tap.get_config() for tap in call] for call in self.taps],
            "scale": self.scale,
            "calls": self.calls,
            "group": self.group,
            "factor": self.factor,
        }

    @classmethod
    def from_config(cls, config: Config) -> BoundPenalty:
        return cls(
            keras.saving.deserialize_keras_object(config["penalty"]),
            [[Tap.from_config(tap) for tap in call] for call in config["taps"]],
            config["scale"],
            config["calls"],
            config.get("group", ""),
            config.get("factor", 1.0),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class PlacedPenalty:
    """A penalty at one call of a layer; see `keras_ssp.layers.LayerPenalty`.

    Args:
        bound: The penalty as the layer carries it.
        layer: The layer.
        index: How often it ran before in the outermost call, in which the model may
            run several times.
        weighed: What its spikes are weighed by there.
        terms: The terms of the model that runs, `None` where no graph tells them.
    """

    bound: BoundPenalty
    layer: SpikingLayer
    index: int
    weighed: Weighed
    terms: Terms | None

    @property
    def only_fired(self) -> bool:
        """Whether the gradient `w * s^(p-1)` is that of spikes alone."""
        return self.bound.penalty.p > 1.0

    def loop_weights(self) -> Tensor | None:
        """What the time loop is to weigh spikes by, if it can."""
        return self.weighed.loop_weights()

    def loss(
        self, spikes: Tensor, steps: int, call: CallState, inlet: Tensor | None
    ) -> Tensor | None:
        """The loss, without lambda, that the call is to add, if any.

        Args:
            spikes: The layer's spikes, `(batch * steps, ...)`.
            steps: T.
            call: The outermost call under way.
            inlet: Where the gradient enters the loop, if `loop_weights` were given it.
        """
        terms, bound = self.terms, self.bound
        runs = len(bound.taps) if terms is None else terms.runs[id(self.layer)]
        omegas = call.omegas.setdefault((bound.group, self.index // runs), [])
        omega = batch_mean(self.weighed.value(spikes, steps, inlet))
        if terms is not None:
            key = (id(self.layer), self.index % runs)
            omega = omega + terms.omega_beside(key, self.index, call)
        omegas.append(omega)
        calls = bound.calls if terms is None else terms.calls[bound.group]
        return bound.penalty.combined(omegas, calls)
