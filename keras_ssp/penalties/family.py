"""The penalty family; `keras_ssp.penalties.binding` puts one on a model.

    Omega = (1/p) sum_l sum_t sum_i w_{l,i} * s_{l,i}[t]^p      (batch mean)

is added to the loss as `lambda * Omega` by the spiking layers themselves.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_ssp import graph
from keras_ssp._checks import real
from keras_ssp.synapses.analysis import Site
from keras_ssp.synapses.taps import Tap, per_sample, uniform


class SpikePenalty(abc.ABC):
    """Base of the penalties; subclasses choose the weights `w_{l,i}`.

    Args:
        weight: lambda, a finite number of at least 0.
        p: Exponent, a finite number of at least 1. Spikes are 0 or 1, so `p` does
            not change which network is cheap, but the gradient: it is
            `w * s^(p-1)`, which for p = 1 also reaches silent neurons that are near
            their threshold, and for p > 1 only neurons that fired. Defaults to 1.
        normalize: Whether Omega is divided by `sum_l T * sum_i w_{l,i}`, so that
            lambda means the same in every network. Defaults to `False`.

    Raises:
        ValueError: If an argument breaks its rule.
    """

    def __init__(
        self, weight: float, *, p: float = 1.0, normalize: bool = False
    ) -> None:
        self.weight = real("weight", weight, low=0.0)
        self.p = real("p", p, low=1.0)
        self.normalize = bool(normalize)

    @abc.abstractmethod
    def taps(self, site: Site) -> Sequence[Tap]:
        """The weights `w_{l,i}` of one spiking layer."""

    def value(self, taps: Sequence[Tap], spikes: Any, steps: int) -> Any:
        """Omega of one layer for each sample, `(batch,)` float32, not normalised."""
        if self.p == 1.0:
            return per_sample(taps, spikes, steps)
        # For spikes in {0, 1} the value s^p / p and the gradient s^(p-1) are those
        # of s^2 with two factors: no pow, whose gradient at 0 is where NaNs start.
        squared = per_sample(taps, spikes * spikes, steps)
        return 0.5 * squared + (1.0 / self.p - 0.5) * ops.stop_gradient(squared)

    def add_to(self, layer: Any, omega: Any, calls: int, scale: float) -> None:
        """Adds the loss of one call of one layer; `omega` is its batch mean."""
        # Where Keras has cleared the layer's losses since its last call, that call's
        # loss is added once more.
        store, context = graph.call_store(), graph.losses_context()
        key = f"omega {id(layer)}"
        last, earlier = store.get(key, (context, 0.0))
        store[key] = context, earlier + omega
        layer.add_loss(
            layer.penalty_weight * (omega if last is context else earlier + omega)
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments as JSON-ready values."""
        return {"weight": self.weight, "p": self.p, "normalize": self.normalize}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SpikePenalty:
        """Restores a penalty from `get_config`."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


@keras.saving.register_keras_serializable(package="keras_ssp")
class SynapticPenalty(SpikePenalty):
    """The spiking synaptic penalty: every spike weighs what its synapses cost.

        Omega_l = (1/p) sum_t sum_i psi_{l,i} * s_{l,i}[t]^p

    `p * E_AC * Omega_l` is the energy of layer l, exactly, for every layer and
    every p >= 1.

    Args:
        weight: lambda, a finite number of at least 0, in loss per SynOp.
        p: Exponent, at least 1. Defaults to 1.
        normalize: Whether Omega is divided by `sum_l T * sum_i psi_{l,i}`, the
            SynOps of a network in which every neuron always fires.

    Raises:
        ValueError: If an argument breaks its rule.

    Example:

    >>> penalty = SynapticPenalty(1e-8, p=1)
    >>> penalty.weight, penalty.p
    (1e-08, 1.0)

    Reference: Suetake et al., arXiv 2302.01500, Theorem 3.4.
    """

    def taps(self, site: Site) -> Sequence[Tap]:
        return site.taps


@keras.saving.register_keras_serializable(package="keras_ssp")
class SpikeCountPenalty(SpikePenalty):
    """Counts spikes: `w_{l,i} = 1`, whatever they drive.

    Args:
        weight: lambda, a finite number of at least 0, in loss per spike.
        p: Exponent, at least 1. Defaults to 1.
        normalize: Whether Omega is divided by `sum_l T * N_l`.

    Raises:
        ValueError: If an argument breaks its rule.

    Example:

    >>> SpikeCountPenalty(1e-6)
    SpikeCountPenalty(weight=1e-06, p=1.0, normalize=False)

    Reference: compared with the synaptic penalty in Suetake et al., arXiv
    2302.01500.
    """

    def taps(self, site: Site) -> Sequence[Tap]:
        return [uniform(1.0, site.size)]


@keras.saving.register_keras_serializable(package="keras_ssp")
class BalancedPenalty(SpikePenalty):
    """Weighs every layer the same, however wide: `w_{l,i} = 1 / N_l`.

    Args:
        weight: lambda, a finite number of at least 0.
        p: Exponent, at least 1. Defaults to 1.
        normalize: Whether Omega is divided by `T * L`, with L layers.

    Raises:
        ValueError: If an argument breaks its rule.

    Example:

    >>> BalancedPenalty(0.1, p=2)
    BalancedPenalty(weight=0.1, p=2.0, normalize=False)

    Reference: compared with the synaptic penalty in Suetake et al., arXiv
    2302.01500.
    """

    def taps(self, site: Site) -> Sequence[Tap]:
        neurons = uniform(1.0, site.size).total
        return [uniform(1.0 / neurons, site.size)]


@keras.saving.register_keras_serializable(package="keras_ssp")
class SynOpsTarget(SpikePenalty):
    """Steers the SynOps of the whole network towards a target.

        loss = lambda * ((S - S_0) / S_0)^2,   S = batch mean of sum_l SynOps_l

    Args:
        weight: lambda, a finite number of at least 0.
        target: S_0, SynOps per sample, a finite number above 0.

    Raises:
        ValueError: If an argument breaks its rule.

    Example:

    >>> SynOpsTarget(1.0, target=2e5)
    SynOpsTarget(weight=1.0, target=200000.0)

    Reference: Sorbaro et al., "Optimizing the energy consumption of spiking neural
    networks for neuromorphic applications", Frontiers in Neuroscience 14:662
    (2020).
    """

    def __init__(self, weight: float, *, target: float) -> None:
        super().__init__(weight)
        self.target = real("target", target, above=0.0)

    def taps(self, site: Site) -> Sequence[Tap]:
        return site.taps

    def add_to(self, layer: Any, omega: Any, calls: int, scale: float) -> None:
        # The square is of the sum over all layers, so it is added by the layer that
        # runs last; until then the sum travels with the call.
        sums = graph.call_store().setdefault("synops", [])
        sums.append(omega)
        if len(sums) == calls:
            distance = (sum(sums) - self.target) / self.target
            layer.add_loss(layer.penalty_weight * distance * distance)
            sums.clear()

    def get_config(self) -> dict[str, Any]:
        return {"weight": self.weight, "target": self.target}
