"""Counts what a model does on data, in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import keras
import numpy as np
from keras import tree

from keras_ssp import graph
from keras_ssp._checks import positive_int
from keras_ssp.datasets.inputs import count_batches, input_batches, rows_of
from keras_ssp.energy import hardware
from keras_ssp.energy.counting import (
    LayerFacts,
    add_up,
    analogue_facts,
    count,
    site_facts,
)
from keras_ssp.energy.hardware import EnergyModelLike
from keras_ssp.energy.report import EnergyReport
from keras_ssp.graph import timeline
from keras_ssp.layers import EventFrames
from keras_ssp.layers.events import listening
from keras_ssp.penalties import SpikePenalty
from keras_ssp.penalties.binding import (
    combined_omega,
    current_terms,
    spiking_layers,
    terms_of,
)
from keras_ssp.synapses.analysis import analyze
from keras_ssp.synapses.gates import Key
from keras_ssp.synapses.sites import Site, Synapses, Weighted, given_site
from keras_ssp.types import Array, Data, Tensor, Tensors

#: Identity of a layer, and which of its calls it is.
SiteKey: TypeAlias = Key

SUBCLASSED_NOTE = (
    "subclassed model: synapses as given by `fan_out`; multiply-accumulates of "
    "analogue synapses and the ANN baselines are NOT counted"
)


class EnergyMeter:
    """Measures one model many times, tracing it only once.

    What `energy_report` and `penalty_values` do in one call. Make a new meter after
    `penalize`.

    Args:
        model: As for `energy_report`.
        penalty: As for `penalty_values`. Defaults to the model's own.

    Raises:
        ValueError: If the model's synapses cannot be counted.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), DirectEncoding(2), LIF(name="spikes"),
    ...     keras.layers.Dense(3), RateReadout()])
    >>> meter = EnergyMeter(model)
    >>> [meter.report(np.full((5, 4), v, "float32")).synops for v in (0.0, 1.0)]
    [0.0, 24.0]
    """

    def __init__(
        self, model: keras.Model, *, penalty: SpikePenalty | None = None
    ) -> None:
        spiking = spiking_layers(model)
        self.model = model
        self.terms = (
            current_terms(model) if penalty is None else terms_of(model, penalty)
        )
        self.sites: dict[SiteKey, Site] = {}
        self.weighted: tuple[Weighted, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.time_steps = 1
        self._rows = 1  # of a batch that are one sample, where the caller folds time
        self.readable = graph.is_graph_model(model)
        if self.readable:
            synapses: Synapses = analyze(model)
            self.sites = {site.key: site for site in synapses.sites}
            self.weighted = synapses.layers
            self.time_steps = synapses.time_steps
            self.notes = synapses.notes
            if synapses.folded_by_caller:
                self._rows = synapses.time_steps
        else:
            if not spiking:
                raise ValueError(
                    "`model` must be a Sequential or Functional model, or have at "
                    "least one spiking layer (keras_ssp.layers.LIF). Received: "
                    f"model={model.name!r}."
                )
            self.notes = (SUBCLASSED_NOTE,)
        self._probe = _Probe(self)

    def report(
        self,
        data: Data,
        *,
        energy_model: EnergyModelLike = "cmos45",
        batch_size: int = 128,
        verbose: int = 0,
    ) -> EnergyReport:
        """See `energy_report`."""
        energy = hardware.get(energy_model)
        return self._report(energy, *self._run(data, batch_size, verbose))

    def report_and_outputs(
        self,
        data: Data,
        *,
        energy_model: EnergyModelLike = "cmos45",
        batch_size: int = 128,
        verbose: int = 0,
    ) -> tuple[EnergyReport, Tensors]:
        """The report, and what `model.predict` returns, from one pass over the data."""
        energy = hardware.get(energy_model)
        outputs: list[Tensors] = []
        sums, samples = self._run(data, batch_size, verbose, outputs)
        joined = tree.map_structure(lambda *parts: np.concatenate(parts), *outputs)
        return self._report(energy, sums, samples), joined

    def _report(
        self,
        energy: hardware.EnergyModel,
        sums: dict[SiteKey, dict[str, Array]],
        samples: int,
    ) -> EnergyReport:
        filled = next(
            (
                float(sums[key]["steps"]) / (samples * site.steps)
                for key, site in self.sites.items()
                if "steps" in sums[key]
            ),
            1.0,
        )
        return EnergyReport(
            model_name=str(self.model.name),
            energy_model=energy,
            samples=samples,
            time_steps=self.time_steps,
            layers=tuple(
                facts.row(sums[key] if key else {}, samples, energy, filled)
                for key, facts in self.facts()
            ),
            ann_macs=self.ann_macs,
            data_steps=self.data_steps,
            notes=self.notes,
        )

    def facts(self) -> list[tuple[SiteKey | None, LayerFacts]]:
        """What is known of each row of the report, in the order of the model.

        With the key of the site that it is of, `None` for analogue synapses.
        """
        rows: list[tuple[int, SiteKey | None, LayerFacts]] = [
            (site.position, key, site_facts(site, self.weighted))
            for key, site in self.sites.items()
        ]
        rows += [
            (layer.position, None, analogue_facts(layer))
            for layer in self.weighted
            if layer.macs
        ]
        return [row[1:] for row in sorted(rows, key=lambda row: row[0])]

    @property
    def ann_macs(self) -> float:
        """Multiply-accumulates of the ANN of the same shape."""
        return sum(layer.dense for layer in self.weighted)

    @property
    def data_steps(self) -> int | None:
        """T, where the data have a time axis of their own; else `None`."""
        own = any(isinstance(k, EventFrames) for k in graph.inner_layers(self.model))
        return self.time_steps if own or self._rows > 1 else None

    def penalty_values(
        self, data: Data, *, batch_size: int = 128, verbose: int = 0
    ) -> dict[str, float]:
        """See `penalty_values`."""
        sums, samples = self._run(data, batch_size, verbose)
        return {
            site.name: float(sums[key]["penalty"]) / samples
            for key, site in self.sites.items()
            if "penalty" in sums[key]
        }

    def omega(self, report: EnergyReport) -> float:
        """Omega of the whole model in a report of this meter, as its layers add it."""
        of_call = {row.name: row.penalty or 0.0 for row in report.layers}
        omegas = {key: of_call.get(s.name, 0.0) for key, s in self.sites.items()}
        return combined_omega(self.model, omegas)

    def _run(
        self,
        data: Data,
        batch_size: int,
        verbose: int,
        outputs: list[Tensors] | None = None,
    ) -> tuple[dict[SiteKey, dict[str, Array]], int]:
        """Sums over all samples for each site, and how many; fills `outputs`."""
        probe = _Probe(self, with_outputs=True) if outputs is not None else self._probe
        batch_size = positive_int("batch_size", batch_size)
        batch_size = max(batch_size - batch_size % self._rows, self._rows)
        sums: dict[SiteKey, dict[str, Array]] = {}
        samples = 0
        bar = keras.utils.Progbar(count_batches(data, batch_size), verbose=verbose)
        for inputs in input_batches(data, self.model, batch_size):
            found = [rows_of(inputs) // self._rows]
            # A network without any spikes has nothing to measure, only to count.
            if self.sites or not self.readable or outputs is not None:
                counted, returned = probe.predict_on_batch(inputs)
                keys = list(self.sites)
                for k, counts in counted.items():
                    name = self.sites[keys[k]].name
                    add_up(sums.setdefault(keys[k], {}), counts, name)
                    found.append(len(counts["synops"]))
                if outputs is not None:
                    outputs.append(returned)
            # A layer that folds time for itself may see fewer samples than rows.
            samples += min(found)
            bar.add(1)
        for key in self.sites:
            sums.setdefault(key, {})
        return sums, samples

    def run(
        self,
        inputs: Tensors,
        also: Callable[[SiteKey, Tensor], None] | None = None,
        *,
        exact: bool = False,
    ) -> tuple[dict[SiteKey, dict[str, Tensor]], Tensors]:
        """Runs the model on tensors, in evaluation mode.

        Args:
            inputs: As for the model.
            also: Is called with the key of each site and its spikes,
                `(batch * T, ...)`. Defaults to none.
            exact: As for `count`. Defaults to `False`.

        Returns:
            What `count` counts at each site, and the model's outputs.
        """
        counts: dict[SiteKey, dict[str, Tensor]] = {}
        made: dict[SiteKey, Tensor] = {}
        gates = [site for site in self.sites.values() if site.gate is not None]

        def add(key: SiteKey, spikes: Tensor, steps: int, valid: Tensor | None) -> None:
            site, omega = self.sites[key], self._omega(key)
            counts[key] = count(site, spikes, steps, omega, valid=valid, exact=exact)
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


class _Probe(keras.Model):
    """Runs a model and returns counts, and its outputs if they are asked for.

    A Keras model, so that every backend compiles it in its own way.
    """

    def __init__(self, counted: EnergyMeter, *, with_outputs: bool = False) -> None:
        super().__init__(name="energy_probe")
        self.with_outputs = with_outputs
        self.counted = counted
        self.model = counted.model

    def call(self, inputs: Tensors) -> tuple[dict[int, dict[str, Tensor]], Tensors]:
        """What is counted at each site, by its place among the meter's; outputs."""
        counts, returned = self.counted.run(inputs, exact=True)
        places = list(self.counted.sites)
        numbered = {places.index(key): counted for key, counted in counts.items()}
        return numbered, returned if self.with_outputs else ()
