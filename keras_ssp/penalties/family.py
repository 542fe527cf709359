"""The penalty family; `keras_ssp.penalties.binding` puts one on a model.

    Omega = (1/p) sum_l sum_t sum_i w_{l,i} * s_{l,i}[t]^p      (batch mean)

is added to the loss as `lambda * Omega` by the spiking layers themselves: a penalty
computes numbers from spikes and knows no layer.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import TypeVar, overload

from keras import ops

from keras_ssp._checks import boolean, real
from keras_ssp._registry import Registry
from keras_ssp.synapses.sites import Site
from keras_ssp.synapses.taps import Tap, per_sample, uniform
from keras_ssp.types import Config, Tensor

_PENALTIES: Registry[type[SpikePenalty]] = Registry("penalty")
_Class = TypeVar("_Class", bound="type[SpikePenalty]")


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
    """

    def __init__(
        self, weight: float, *, p: float = 1.0, normalize: bool = False
    ) -> None:
        self.weight = real("weight", weight, low=0.0)
        self.p = real("p", p, low=1.0)
        self.normalize = boolean("normalize", normalize)

    @abc.abstractmethod
    def taps(self, site: Site) -> Sequence[Tap]:
        """The weights `w_{l,i}` of one spiking layer."""

    def event_taps(self, site: Site) -> Sequence[Tap]:
        """The weights of events that no neuron of its own makes. Defaults to none.

        Asked for the gates of a model (`site.gate` is set) and for encoding layers that
        emit events. The layer that runs last before the events are known adds them.
        """
        return ()

    def value(self, taps: Sequence[Tap], spikes: Tensor, steps: int) -> Tensor:
        """Omega of one layer for each sample, `(batch,)` float32, not normalised."""
        if self.p == 1.0:
            return per_sample(taps, spikes, steps)
        # For spikes in {0, 1} the value s^p / p and the gradient s^(p-1) are those
        # of s^2 with two factors: no pow, whose gradient at 0 is where NaNs start.
        squared = per_sample(taps, spikes * spikes, steps)
        value = ops.stop_gradient(squared)
        return value / self.p + 0.5 * (squared - value)

    def takes_inlet(self, taps: Sequence[Tap]) -> bool:
        """Whether `value` has no gradient but `w_{l,i} * s^(p-1)`, a number a neuron.

        The time loop then takes it in (`keras_ssp.kernels.run_loop`).
        """
        own = type(self).value is SpikePenalty.value
        return own and len(taps) == 1 and not taps[0].path

    def value_of_inlet(
        self, taps: Sequence[Tap], spikes: Tensor, steps: int, inlet: Tensor
    ) -> Tensor:
        """The same as `value`, with the gradient by the loop's inlet.

        Args:
            taps: The weights, as `takes_inlet` has allowed them.
            spikes: Spikes, 0 or 1, `(batch * steps, ...)`: `s^p = s`.
            steps: T.
            inlet: Zeros, `(batch, steps)`.
        """
        found = per_sample(taps, ops.stop_gradient(spikes), steps)
        return found / self.p + ops.sum(inlet, axis=1)

    def combined(self, omegas: list[Tensor], calls: int) -> Tensor | None:
        """The loss without lambda that the layer which ran last is to add.

        Args:
            omegas: Batch means of Omega of the layers that ran so far in this run of
                the model, the latest one last.
            calls: How many calls of penalised layers the whole model makes.

        Returns:
            A scalar tensor; `None` if a later layer adds the loss.
        """
        return omegas[-1]

    def get_config(self) -> Config:
        """The arguments as JSON-ready values."""
        return {"weight": self.weight, "p": self.p, "normalize": self.normalize}

    @classmethod
    def from_config(cls, config: Config) -> SpikePenalty:
        """Restores a penalty from `get_config`."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


@overload
def register(
    name: str, *, overwrite: bool = ..., package: str = ...
) -> Callable[[_Class], _Class]: ...


@overload
def register(
    name: str, cls: _Class, *, overwrite: bool = ..., package: str = ...
) -> _Class: ...


def register(
    name: str,
    cls: _Class | None = None,
    *,
    overwrite: bool = False,
    package: str = "custom",
) -> _Class | Callable[[_Class], _Class]:
    """Gives a penalty a name, and makes it known to model saving.

    The name may then be the `penalty` of `TrainConfig`, in study files and on the
    command line. As a decorator, or called with the class.

    Args:
        name: The name, a string without spaces; snake case by custom.
        cls: The class, a subclass of `SpikePenalty`.
        overwrite: Whether it may replace another penalty of that name.
        package: Prefix of the class name in saved models.

    Returns:
        The class, or a decorator that returns it.

    Raises:
        ValueError: If `cls` is no `SpikePenalty`, or the name is taken.

    Example:

    >>> from keras_ssp import penalties
    >>> @penalties.register("first_layer")
    ... class FirstLayerPenalty(SpikePenalty):
    ...     def taps(self, site):
    ...         return site.taps if site.position < 4 else []
    >>> penalties.get("first_layer").__name__
    'FirstLayerPenalty'
    """

    def add(cls: _Class) -> _Class:
        _PENALTIES.add_class(
            (name,), cls, SpikePenalty, package=package, overwrite=overwrite
        )
        return cls

    return add if cls is None else add(cls)


def names() -> tuple[str, ...]:
    """Names of all registered penalties.

    Example:

    >>> names()[:4]
    ('synaptic', 'spike_count', 'balanced', 'synops_target')
    """
    return _PENALTIES.names()


def get(name: str) -> type[SpikePenalty]:
    """The class of the penalty that is registered by a name.

    Raises:
        ValueError: If `name` is unknown.

    Example:

    >>> get("balanced")(0.1)
    BalancedPenalty(weight=0.1, p=1.0, normalize=False)
    """
    return _PENALTIES.get(name)


@register("synaptic", package="keras_ssp")
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

    Example:

    >>> penalty = SynapticPenalty(1e-8, p=1)
    >>> penalty.weight, penalty.p
    (1e-08, 1.0)

    Reference: Suetake et al., arXiv 2302.01500, Theorem 3.4.
    """

    def taps(self, site: Site) -> Sequence[Tap]:
        return site.taps

    def event_taps(self, site: Site) -> Sequence[Tap]:
        return site.taps if site.gate is not None else ()


@register("spike_count", package="keras_ssp")
class SpikeCountPenalty(SpikePenalty):
    """Counts spikes: `w_{l,i} = 1`, whatever they drive.

    Args:
        weight: lambda, a finite number of at least 0, in loss per spike.
        p: Exponent, at least 1. Defaults to 1.
        normalize: Whether Omega is divided by `sum_l T * N_l`.

    Example:

    >>> SpikeCountPenalty(1e-6)
    SpikeCountPenalty(weight=1e-06, p=1.0, normalize=False)

    Reference: compared with the synaptic penalty in Suetake et al., arXiv
    2302.01500.
    """

    def taps(self, site: Site) -> Sequence[Tap]:
        return [uniform(1.0, site.size)]


@register("balanced", package="keras_ssp")
class BalancedPenalty(SpikePenalty):
    """Weighs every layer the same, however wide: `w_{l,i} = 1 / N_l`.

    Args:
        weight: lambda, a finite number of at least 0.
        p: Exponent, at least 1. Defaults to 1.
        normalize: Whether Omega is divided by `T * L`, with L layers.

    Example:

    >>> BalancedPenalty(0.1, p=2)
    BalancedPenalty(weight=0.1, p=2.0, normalize=False)

    Reference: compared with the synaptic penalty in Suetake et al., arXiv
    2302.01500.
    """

    def taps(self, site: Site) -> Sequence[Tap]:
        neurons = uniform(1.0, site.size).total
        return [uniform(1.0 / neurons, site.size)]


@register("synops_target", package="keras_ssp")
class SynOpsTarget(SpikePenalty):
    """Steers the SynOps of the whole network towards a target.

        loss = lambda * ((S - S_0) / S_0)^2,   S = batch mean of sum_l SynOps_l

    S is what the energy report calls SynOps: of spiking layers, of gates, and of the
    events that an encoding layer emits (which no training changes).

    Args:
        weight: lambda, a finite number of at least 0.
        target: S_0, SynOps per sample, a finite number above 0.

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

    def event_taps(self, site: Site) -> Sequence[Tap]:
        return site.taps

    def combined(self, omegas: list[Tensor], calls: int) -> Tensor | None:
        # The square is of the sum over all layers. Each adds by how much it changes it,
        # so that it is right however many of them a model runs.
        loss = self._squared(sum(omegas))
        if len(omegas) > 1:
            loss = loss - self._squared(sum(omegas[:-1]))
        return loss

    def _squared(self, synops: Tensor) -> Tensor:
        distance = (synops - self.target) / self.target
        return distance * distance

    def get_config(self) -> Config:
        return {"weight": self.weight, "target": self.target}
