"""What each call of a model adds to its penalty: Omega by place, read from the graph.

    Omega = sum_l Omega_l + sum_g Omega_g

over spiking layers l and, for penalties that weigh synapses, the gates g. A model's
terms are made from its graph as it is when it runs, so that a layer in two models, a
new head, or a part of a penalised network is weighed by the synapses that are there.
"""

from __future__ import annotations

import dataclasses
import math
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence

import keras
import numpy as np
from keras import ops

from keras_ssp import graph
from keras_ssp.graph import CallState
from keras_ssp.layers import SpikingLayer
from keras_ssp.penalties.family import SpikePenalty
from keras_ssp.synapses.analysis import analyze
from keras_ssp.synapses.gates import Gate, Key
from keras_ssp.synapses.registry import RULES
from keras_ssp.synapses.sites import Site
from keras_ssp.synapses.taps import Tap
from keras_ssp.types import Tensor

#: The penalty on a layer, the group of layers that it was put on with, and the factor
#: of this layer in their sum.
PenaltyOf = Callable[[keras.layers.Layer], tuple[SpikePenalty, str, float] | None]


@dataclasses.dataclass(frozen=True, eq=False)
class Weighed:
    """A penalty, and what it weighs events by.

    Args:
        penalty: The penalty.
        taps: The weights `w_{l,i}`.
        scale: What Omega is divided by.
    """

    penalty: SpikePenalty
    taps: tuple[Tap, ...]
    scale: float

    def value(self, spikes: Tensor, steps: int, inlet: Tensor | None = None) -> Tensor:
        """Omega of each sample, normalised if asked for, `(batch,)`.

        Args:
            spikes: The events, `(batch * steps, ...)`.
            steps: T.
            inlet: Where the gradient enters the loop that made the spikes, by the
                weights of `loop_weights`. Defaults to the spikes themselves.
        """
        if inlet is None:
            value = self.penalty.value(self.taps, spikes, steps)
        else:
            value = self.penalty.value_of_inlet(self.taps, spikes, steps, inlet)
        return value / self.scale

    def loop_weights(self) -> Tensor | None:
        """A weight for each neuron, `(neurons,)`, if there is no more to the gradient.

        `None` where it is not so simple, as above a max pooling.
        """
        if not self.penalty.takes_inlet(self.taps):
            return None
        (tap,) = self.taps
        weights = ops.convert_to_tensor(np.asarray(tap.weight, "float32"))
        return ops.reshape(ops.broadcast_to(weights, tap.size), (math.prod(tap.size),))


@dataclasses.dataclass(frozen=True, eq=False)
class Term(Weighed):
    """The penalty at one place where events are made.

    Args:
        penalty: The penalty.
        taps: The weights `w_{l,i}`.
        scale: What Omega is divided by.
        site: The place.
    """

    site: Site


@dataclasses.dataclass(frozen=True, eq=False)
class Terms:
    """All terms of a model.

    Args:
        at: The term of each call of a penalised layer, of a gate, or of an encoding
            layer.
        more: For a call of a penalised layer, the terms of gates and encoding layers
            that are known once it has run, and that it adds.
        runs: How often the model calls each layer.
        calls: How many calls of penalised layers each group has.
        sites: Every place where events are made.
    """

    at: Mapping[Key, Term]
    more: Mapping[Key, tuple[Term, ...]]
    runs: Mapping[int, int]
    calls: Mapping[str, int]
    sites: tuple[Site, ...]

    def omega_beside(self, key: Key, index: int, call: CallState) -> Tensor | float:
        """What one call of a penalised layer adds to Omega for others, batch mean.

        Args:
            key: The layer, and which of the model's calls of it this is.
            index: How often the layer ran before in the outermost call, in which the
                model may run several times.
            call: The outermost call.
        """
        total: Tensor | float = 0.0
        for term in self.more.get(key, ()):
            made = _Made(call.made, self.runs, index // self.runs[key[0]])
            site = term.site
            events = made[site.key] if site.gate is None else site.gate.events(made)
            total = total + batch_mean(term.value(events, site.steps))
        return total


class _Made(Mapping[Key, Tensor]):
    """Spikes by layer and call of one of the runs of a model."""

    def __init__(
        self, made: Mapping[Key, Tensor], runs: Mapping[int, int], run: int
    ) -> None:
        self._made, self._runs, self._run = made, runs, run

    def __getitem__(self, key: Key) -> Tensor:
        layer, index = key
        return self._made[layer, self._run * self._runs[layer] + index]

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def batch_mean(values: Tensor) -> Tensor:
    """The mean over the batch; of an empty one, as a replica may get, 0."""
    # Mean, not sum: Keras scales losses by replica as means over the batch.
    rows = ops.cast(ops.maximum(ops.shape(values)[0], 1), values.dtype)
    return ops.sum(values) / rows


def make_terms(sites: Iterable[Site], penalty_of: PenaltyOf) -> Terms:
    """The terms of a model with these places where events are made."""
    sites = tuple(sites)
    runs: dict[int, int] = {}
    places: dict[str, list[tuple[Site, SpikePenalty, tuple[Tap, ...]]]] = {}
    last: dict[str, list[Site]] = {}
    for site in sites:
        runs[id(site.layer)] = runs.get(id(site.layer), 0) + 1
        found = penalty_of(site.layer) if site.spiking else None
        if found is not None:
            penalty, group, factor = found
            taps = tuple(_times(tap, factor) for tap in penalty.taps(site))
            places.setdefault(group, []).append((site, penalty, taps))
            last.setdefault(group, []).append(site)
    more: dict[Key, list[Site]] = {}
    for site in sites:
        if site.spiking:
            continue
        for group, penalised in last.items():
            carrier = _carrier(site, penalised, sites)
            if site.gate is not None and not _all_in(site.gate, penalised, sites):
                carrier = None  # what others send is not to be held down
            penalty = places[group][0][1]
            taps = () if carrier is None else tuple(penalty.event_taps(site))
            if carrier is not None and taps:
                places[group].append((site, penalty, taps))
                more.setdefault(carrier.key, []).append(site)
    at: dict[Key, Term] = {}
    for mine in places.values():
        largest = sum(s.steps * sum(t.total for t in taps) for s, _, taps in mine)
        for site, penalty, taps in mine:
            scale = largest if penalty.normalize and largest else 1.0
            at[site.key] = Term(penalty, taps, scale, site)
    return Terms(
        at,
        {key: tuple(at[s.key] for s in each) for key, each in more.items()},
        runs,
        {group: len(penalised) for group, penalised in last.items()},
        sites,
    )


def _times(tap: Tap, factor: float) -> Tap:
    if factor == 1.0:
        return tap
    return dataclasses.replace(tap, weight=tap.weight * factor)


def _all_in(gate: Gate, penalised: Iterable[Site], sites: Iterable[Site]) -> bool:
    """Whether all neurons whose spikes reach a gate are penalised."""
    keys = set(gate.sources.values())
    layers = {id(site.layer) for site in penalised}
    return all(id(s.layer) in layers for s in sites if s.spiking and s.key in keys)


def _carrier(
    site: Site, penalised: Iterable[Site], sites: Iterable[Site]
) -> Site | None:
    """The penalised layer that adds the events of a gate or an encoding layer.

    Of an encoding layer the first one that runs after it. Of a gate one of its sources,
    the last that runs: all others have run before it.
    """
    if site.gate is None:
        after = [s for s in penalised if s.position > site.position]
        return min(after, key=lambda s: s.position, default=None)
    keys = set(site.gate.sources.values())
    sources = max((s for s in sites if s.key in keys), key=lambda s: s.position)
    at_or_after = [s for s in penalised if s.position >= sources.position]
    return min(at_or_after, key=lambda s: s.position, default=None)


@dataclasses.dataclass(frozen=True, eq=False)
class _Kept:
    seen: tuple[object, ...]
    terms: Terms | None
    error: str = ""


# The terms of functional models that have run. No result depends on their being here.
_kept: weakref.WeakKeyDictionary[keras.Model, _Kept] = weakref.WeakKeyDictionary()


def running_terms(inner: keras.Model) -> tuple[Terms | None, str]:
    """The terms of a functional model with the penalties that its layers carry.

    Returns:
        The terms; `None`, and why, if the model's synapses cannot be counted.
    """
    seen: list[object] = [RULES.version]
    for layer in graph.inner_layers(inner):
        if isinstance(layer, SpikingLayer):
            seen += [layer, layer.bound_penalty, layer.fan_out]
        elif isinstance(layer, keras.Model):
            seen.append(graph.functional(layer))  # another one after surgery inside
    kept = _kept.get(inner)
    if kept is None or not _same(kept.seen, seen):
        try:
            terms = make_terms(analyze(inner).sites, _carried)
            kept = _Kept(tuple(seen), terms)
        except ValueError as error:
            kept = _Kept(tuple(seen), None, str(error))
        _kept[inner] = kept
    return kept.terms, kept.error


def _same(kept: Sequence[object], seen: Sequence[object]) -> bool:
    pairs = zip(kept, seen, strict=False)
    return len(kept) == len(seen) and all(a is b for a, b in pairs)


def _carried(layer: keras.layers.Layer) -> tuple[SpikePenalty, str, float] | None:
    bound = layer.bound_penalty if isinstance(layer, SpikingLayer) else None
    return None if bound is None else (bound.penalty, bound.group, bound.factor)
