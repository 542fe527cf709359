"""Runs a model and counts what it does; kept with the model, so that it is traced once.

Tracing and compiling a model takes longer than most passes over data. What was traced
is kept in the model itself, goes with it, and is used again as long as nothing that it
was made from has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import keras

from keras_ssp import graph
from keras_ssp.energy.counting import count
from keras_ssp.graph import timeline
from keras_ssp.graph.fingerprint import Fingerprint, Same, layers_seen, value_seen
from keras_ssp.layers.events import listening
from keras_ssp.penalties import SpikePenalty
from keras_ssp.penalties.binding import current_terms, spiking_layers, terms_of
from keras_ssp.synapses.analysis import analyze
from keras_ssp.synapses.gates import Key
from keras_ssp.synapses.sites import Site, Synapses, Weighted, given_site
from keras_ssp.types import Array, Config, Tensor, Tensors

#: Identity of a layer, and which of its calls it is.
SiteKey: TypeAlias = Key

SUBCLASSED_NOTE = (
    "subclassed model: synapses as given by `fan_out`; multiply-accumulates of "
    "analogue synapses and the ANN baselines are NOT counted"
)
_KEPT: Final = "_keras_ssp_counters"
_MOST: Final = 4  # penalties that a model has counters for at one time


def counter_of(model: keras.Model, penalty: SpikePenalty | None) -> Counter:
    """The counter of a model as it is now, the last one if nothing has changed.

    Args:
        model: The model.
        penalty: As for `penalty_values`.

    Raises:
        TypeError, ValueError: If the model's synapses cannot be counted.
    """
    spiking = spiking_layers(model)
    if not graph.is_graph_model(model) and not spiking:
        raise ValueError(
            "`model` must be a Sequential or Functional model, or have at "
            "least one spiking layer (keras_ssp.layers.LIF). Received: "
            f"model={model.name!r}."
        )
    # In the model's own dict, past Keras, which tracks what is set as an attribute. A
    # table of all models that names them from its values would keep them alive.
    kept: Kept = vars(model).setdefault(_KEPT, Kept())
    with kept.lock:
        kept.forget_if_changed(model)
        asked = () if penalty is None else _penalty_seen(penalty)
        for k, (known, counter) in enumerate(kept.counters):
            if known == asked:
                kept.counters.append(kept.counters.pop(k))  # the latest is last
                return counter
        counter = Counter(model, penalty, kept)
        kept.counters = [*kept.counters[1 - _MOST :], (asked, counter)]
        return counter


def _penalty_seen(penalty: SpikePenalty) -> Fingerprint:
    # By its values: who asks for a penalty's values makes one for the purpose.
    return type(penalty), value_seen(getattr(penalty, "__dict__", penalty))


class Kept:
    """The counters of one model, and what it was when they were made."""

    def __init__(self) -> None:
        # Backends are not made for two threads in one compiled function of a model.
        self.lock = threading.RLock()
        self.seen: Fingerprint = ()
        self.counters: list[tuple[Fingerprint, Counter]] = []

    def forget_if_changed(self, model: keras.Model) -> None:
        """Drops the counters of a model that is no longer what it was."""
        seen = _model_seen(model)
        if seen != self.seen:
            self.seen = seen
            self.counters = []

    def tracing(self, model: keras.Model) -> Callable[[], None]:
        """To be called when a trace begins; and what it returns, when it has ended.

        What a trace itself changes in the layers, which may count their calls, is no
        reason for another one.
        """
        if _model_seen(model) != self.seen:
            return lambda: None

        def done() -> None:
            self.seen = _model_seen(model)

        return done


def _model_seen(model: keras.Model) -> Fingerprint:
    analysis = analyze(model) if graph.is_graph_model(model) else None
    return (
        *(Same(graph.functional(model)), Same(analysis)),
        # On JAX what is traced holds where each tensor lies.
        Same(keras.distribution.distribution()),
        *layers_seen(model),
    )


class Counter:
    """What is counted in one model, and the compiled functions that do it.

    Args:
        model: As for `energy_report`.
        penalty: As for `penalty_values`.
        kept: Where it is kept.

    Raises:
        ValueError: If the model's synapses cannot be counted.
    """

    def __init__(
        self, model: keras.Model, penalty: SpikePenalty | None, kept: Kept
    ) -> None:
        self.model = model
        self.kept = kept
        self.terms = (
            current_terms(model) if penalty is None else terms_of(model, penalty)
        )
        self.sites: dict[SiteKey, Site] = {}
        self.weighted: tuple[Weighted, ...] = ()
        self.notes: tuple[str, ...] = (SUBCLASSED_NOTE,)
        self.time_steps = 1
        self.rows = 1  # of a batch that are one sample, where the caller folds time
        self.readable = graph.is_graph_model(model)
        self._probes: dict[tuple[bool, tuple[str, ...]], _Probe] = {}
        if self.readable:
            synapses: Synapses = analyze(model)
            self.sites = {site.key: site for site in synapses.sites}
            self.weighted = synapses.layers
            self.time_steps = synapses.time_steps
            self.notes = synapses.notes
            if synapses.folded_by_caller:
                self.rows = synapses.time_steps

    def batch(
        self,
        inputs: Tensors,
        *,
        with_outputs: bool = False,
        rates: tuple[str, ...] = (),
    ) -> tuple[dict[SiteKey, dict[str, Array]], Tensors]:
        """Counts one batch by the compiled function of the backend.

        Args:
            inputs: A batch, as for the model.
            with_outputs: Whether the model's outputs are returned too.
            rates: As for `count`.

        Returns:
            What `count` counts at each site, and the outputs, as arrays.
        """
        with self.kept.lock:
            asked = (with_outputs, rates)
            probe = self._probes.get(asked)
            if probe is None:
                probe = self._probes[asked] = _Probe(self, *asked)
            counted, returned = probe.predict_on_batch(inputs)
            graph.forget_state(probe)  # or it would hold on to a copy of the weights
            keys = list(self.sites)
        return {keys[k]: counts for k, counts in counted.items()}, returned

    def run(
        self,
        inputs: Tensors,
        also: Callable[[SiteKey, Tensor], None] | None = None,
        *,
        exact: bool = False,
        rates: tuple[str, ...] = (),
    ) -> tuple[dict[SiteKey, dict[str, Tensor]], Tensors]:
        """Runs the model on tensors, in evaluation mode.

        Args:
            inputs: As for the model.
            also: Is called with the key of each site and its spikes,
                `(batch * T, ...)`. Defaults to none.
            exact: As for `count`. Defaults to `False`.
            rates: As for `count`. Defaults to none.

        Returns:
            What `count` counts at each site, and the model's outputs.
        """
        counts: dict[SiteKey, dict[str, Tensor]] = {}
        made: dict[SiteKey, Tensor] = {}
        gates = [site for site in self.sites.values() if site.gate is not None]

        def add(key: SiteKey, spikes: Tensor, steps: int, valid: Tensor | None) -> None:
            site, omega = self.sites[key], self._omega(key)
            more: Config = {"valid": valid, "exact": exact, "rates": rates}
            counts[key] = count(site, spikes, steps, omega, **more)
            if also is not None:
                also(key, spikes)

        def hook(
            layer: keras.layers.Layer, index: int, spikes: Tensor, steps: int
        ) -> None:
            key = self.site(layer, index)
            valid = graph.call_state().valid if steps > 1 else None
            add(key, spikes, steps, valid)
            if gates:
                made[key] = spikes
                validity.append(valid)

        validity: list[Tensor | None] = [None]
        if self.readable:
            graph.call_state().timeline_checked = True  # `analyze` checked it
        with listening(hook):
            returned = self.model(inputs, training=False)
        for site in gates:
            if site.gate is not None:
                valid = validity[-1] if site.steps > 1 else None
                add(site.key, site.gate.events(made), site.steps, valid)
        return counts, returned

    def _omega(self, key: SiteKey) -> Callable[[Tensor, int], Tensor] | None:
        """What gives the penalty at a place where events are made, if there is one."""
        if self.terms is not None:
            term = self.terms.at.get(key)
            return None if term is None else term.value
        layer = self.sites[key].layer
        bound = getattr(layer, "bound_penalty", None)
        if bound is None:
            return None
        return lambda spikes, steps: bound.value(key[1], spikes, steps)

    def site(self, layer: keras.layers.Layer, index: int) -> SiteKey:
        """The key of a site; a subclassed model's sites are found as it runs."""
        key = (id(layer), index)
        if key not in self.sites:
            if self.readable or timeline.role(layer) != "spiking":
                raise ValueError(
                    f"Layer '{layer.name}' emits events that cannot be counted: it is "
                    "not in the model's graph. Remedy: build the model from "
                    "keras.Input."
                )
            site = given_site(layer)
            self.sites[key] = site
            self.time_steps = max(self.time_steps, site.steps)
        return key


class _OneReplica:
    """The part of `tf.distribute.Strategy` that running a batch asks for."""

    num_replicas_in_sync = 1

    def run(self, function: Callable[..., Tensors], args: tuple[Any, ...]) -> Tensors:
        """Runs a function here, where variables of all replicas can be read."""
        return function(*args)


class _Probe(keras.Model):
    """Runs a model and returns counts, and its outputs if they are asked for.

    A Keras model, so that every backend compiles it in its own way.
    """

    def __init__(
        self, counted: Counter, with_outputs: bool, rates: tuple[str, ...]
    ) -> None:
        # In the model's own precision, whatever the default has become since.
        super().__init__(name="energy_probe", dtype=counted.model.dtype_policy)
        self.with_outputs, self.rates = with_outputs, rates
        self.counted = counted
        self.model = counted.model

    @property
    def distribute_strategy(self) -> _OneReplica:
        """How the TensorFlow trainer runs a batch: once, whatever the scope.

        Where a strategy is at work (as it is around the callbacks of `fit`), every
        replica would be given the whole batch, and each sample be counted by all.
        """
        return _OneReplica()

    def call(self, inputs: Tensors) -> tuple[dict[int, dict[str, Tensor]], Tensors]:
        """What is counted at each site, by its place among the counter's; outputs."""
        done = self.counted.kept.tracing(self.model)
        counts, returned = self.counted.run(inputs, exact=True, rates=self.rates)
        done()
        places = list(self.counted.sites)
        numbered = {places.index(key): counted for key, counted in counts.items()}
        return numbered, returned if self.with_outputs else ()
