"""`penalize`: puts a penalty on the spiking layers of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import keras
from keras import ops

from keras_ssp import graph
from keras_ssp._checks import real
from keras_ssp.graph import timeline
from keras_ssp.layers import SpikingLayer
from keras_ssp.penalties.family import SpikePenalty
from keras_ssp.synapses.analysis import analyze
from keras_ssp.synapses.sites import Site, given_site
from keras_ssp.synapses.taps import Tap
from keras_ssp.types import Config, Tensor


def penalize(model: keras.Model, penalty: SpikePenalty | None) -> keras.Model:
    """Puts a penalty on all spiking layers of a model, or takes it away.

    Each layer then adds its part of `lambda * Omega` to the loss of `fit` and
    `evaluate`. lambda lives in the layers' non-trainable `penalty_weight`, so
    schedules and tuners can move it (`set_penalty_weight`). The penalty is saved,
    loaded and cloned with the model.

    Args:
        model: Sequential, Functional or subclassed model. In a subclassed model
            every `LIF` must have been given `fan_out`.
        penalty: The penalty; it replaces any that was there. `None` removes it.

    Returns:
        `model`, for chaining.

    Raises:
        TypeError: If `penalty` is not a `SpikePenalty`.
        ValueError: If the model has no spiking layer, none of them drives a synapse,
            or its synapses cannot be counted.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dense(8), DirectEncoding(2), LIF(),
    ...     keras.layers.Dense(3), RateReadout()])
    >>> _ = penalize(model, SynapticPenalty(1e-3))
    """
    layers = timeline.spiking_layers(model)
    if not layers:
        raise ValueError(
            "`model` must have at least one spiking layer (keras_ssp.layers.LIF) to "
            f"be penalised. Received: model={model.name!r}."
        )
    bound = {} if penalty is None else bind(model, penalty)
    for layer in layers:
        layer.bind_penalty(bound.get(id(layer)))
    graph.forget_compiled(model)
    return model


def set_penalty_weight(model: keras.Model, weight: float) -> None:
    """Sets lambda on all penalised layers; takes effect without a new trace.

    Args:
        model: A model with a penalty.
        weight: lambda, a finite number of at least 0.

    Raises:
        ValueError: If the model has no penalty, or `weight` is below 0 or not finite.
    """
    weight = real("weight", weight, low=0.0)
    for layer in penalized_layers(model):
        layer.penalty_weight.assign(weight)


def penalty_weight(model: keras.Model) -> float:
    """lambda as it is now, the largest of the penalised layers."""
    return max(float(layer.penalty_weight) for layer in penalized_layers(model))


def penalized_layers(model: keras.Model) -> list[SpikingLayer]:
    """The spiking layers that carry a penalty; an error if there is none."""
    layers = [k for k in timeline.spiking_layers(model) if k.bound_penalty is not None]
    if not layers:
        raise ValueError(
            "`model` has no penalty. Remedy: call "
            "`keras_ssp.penalize(model, SynapticPenalty(...))` first. "
            f"Received: model={model.name!r}."
        )
    return layers


def combined_omega(calls: Iterable[tuple[SpikingLayer, float]]) -> float:
    """Omega of a whole model, what lambda multiplies in the loss.

    Args:
        calls: Each call of a penalised layer, in the order in which they run, with its
            Omega.
    """
    total, omegas = 0.0, list[float]()
    for layer, omega in calls:
        bound = layer.bound_penalty
        if isinstance(bound, BoundPenalty):
            omegas.append(omega)
            total += bound.penalty.combined(omegas, bound.calls) or 0.0
    return float(total)


@keras.saving.register_keras_serializable(package="keras_ssp")
class BoundPenalty:
    """A penalty on one spiking layer: with the taps of each of its calls.

    Args:
        penalty: The `SpikePenalty`.
        taps: For each call of the layer its taps.
        scale: What Omega is divided by.
        calls: Calls of penalised layers in the whole model.
    """

    def __init__(
        self,
        penalty: SpikePenalty,
        taps: Sequence[Sequence[Tap]],
        scale: float,
        calls: int,
    ) -> None:
        self.penalty = penalty
        self.taps = [list(call) for call in taps]
        self.scale = scale
        self.calls = calls

    @property
    def weight(self) -> float:
        """lambda, as the penalty was given it."""
        return self.penalty.weight

    def value(self, index: int, spikes: Tensor, steps: int) -> Tensor:
        """Omega of one call for each sample, normalised if asked for."""
        # Modulo: the outermost call may hold several calls of the model.
        taps = self.taps[index % len(self.taps)]
        return self.penalty.value(taps, spikes, steps) / self.scale

    def loss(
        self, index: int, spikes: Tensor, steps: int, omegas: list[Tensor]
    ) -> Tensor | None:
        """The loss, without lambda, that one call of the layer is to add, if any.

        Args:
            index: How often the layer ran before in the outermost call.
            spikes: Its spikes, `(batch * steps, ...)`.
            steps: T.
            omegas: What penalised layers gave so far in the outermost call.
        """
        # Mean, not sum: Keras scales losses by replica as means over the batch.
        omegas.append(ops.mean(self.value(index, spikes, steps)))
        return self.penalty.combined(omegas, self.calls)

    def get_config(self) -> Config:
        return {
            "penalty": keras.saving.serialize_keras_object(self.penalty),
            "taps": [[tap.get_config() for tap in call] for call in self.taps],
            "scale": self.scale,
            "calls": self.calls,
        }

    @classmethod
    def from_config(cls, config: Config) -> BoundPenalty:
        return cls(
            keras.saving.deserialize_keras_object(config["penalty"]),
            [[Tap.from_config(tap) for tap in call] for call in config["taps"]],
            config["scale"],
            config["calls"],
        )


def bind(model: keras.Model, penalty: SpikePenalty) -> dict[int, BoundPenalty]:
    """A penalty as it weighs each spiking layer; the model is left as it is.

    Returns:
        Identity of each layer to its `BoundPenalty`.

    Raises:
        TypeError: If `penalty` is not a `SpikePenalty`.
        ValueError: As for `penalize`.
    """
    if not isinstance(penalty, SpikePenalty):
        raise TypeError(
            "`penalty` must be a keras_ssp penalty such as SynapticPenalty(1e-8), or "
            f"None. Received: penalty={penalty!r}."
        )
    sites: dict[int, list[Sequence[Tap]]] = {}
    calls, largest, driven = 0, 0.0, False
    for layer, index, site in _sites(model, timeline.spiking_layers(model)):
        taps = penalty.taps(site)
        driven = driven or bool(site.taps)
        sites.setdefault(id(layer), []).insert(index, taps)
        largest += site.steps * sum(tap.total for tap in taps)
        calls += 1
    if not driven:
        raise ValueError(
            "`model` must have a spiking layer that drives a synapse: its energy "
            f"is 0 otherwise. Received: model={model.name!r}."
        )
    scale = largest if penalty.normalize else 1.0
    return {k: BoundPenalty(penalty, taps, scale, calls) for k, taps in sites.items()}


def _sites(
    model: keras.Model, layers: Sequence[SpikingLayer]
) -> list[tuple[SpikingLayer, int, Site]]:
    if graph.is_graph_model(model):
        return [(s.layer, s.index, s) for s in analyze(model).spiking]
    return [(layer, 0, given_site(layer)) for layer in layers]
