"""Counts what a model does on data, in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
from keras import tree

from keras_ssp import graph
from keras_ssp._checks import one_of, positive_int, texts
from keras_ssp.datasets.inputs import count_batches, input_batches, rows_of
from keras_ssp.energy import hardware
from keras_ssp.energy.counter import SiteKey, counter_of
from keras_ssp.energy.counting import LayerFacts, add_up, analogue_facts, site_facts
from keras_ssp.energy.hardware import EnergyModelLike
from keras_ssp.energy.report import EnergyReport
from keras_ssp.layers import EventFrames
from keras_ssp.penalties import SpikePenalty
from keras_ssp.penalties.binding import combined_omega
from keras_ssp.synapses.sites import Site
from keras_ssp.types import Array, Data, Tensor, Tensors

__all__ = ["EnergyMeter", "SiteKey"]

RATES = ("neuron", "step")


class EnergyMeter:
    """Measures one model many times, as it is when the meter is made.

    What `energy_report` and `penalty_values` do in one call. What was traced for one
    meter of a model serves all of them, until the model changes: make a new meter
    after `penalize`, and after surgery.

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
        self.model = model
        self._counter = counter_of(model, penalty)

    @property
    def sites(self) -> Mapping[SiteKey, Site]:
        """Where events are made; of a subclassed model, as far as it has run."""
        return self._counter.sites

    @property
    def readable(self) -> bool:
        """Whether the model has a graph to read."""
        return self._counter.readable

    @property
    def time_steps(self) -> int:
        """T."""
        return self._counter.time_steps

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on how the model is counted."""
        return self._counter.notes

    def report(
        self,
        data: Data,
        *,
        energy_model: EnergyModelLike = "cmos45",
        batch_size: int = 128,
        rates: str | Sequence[str] = (),
        verbose: int = 0,
    ) -> EnergyReport:
        """See `energy_report`."""
        energy = hardware.get(energy_model)
        asked = {rates} if isinstance(rates, str) else {*texts("rates", rates)}
        for name in asked:
            one_of("rates", name, RATES)
        found = self._run(data, batch_size, verbose, rates=tuple(sorted(asked)))
        return self._report(energy, *found)

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
            (site.position, key, site_facts(site, self._counter.weighted))
            for key, site in self.sites.items()
        ]
        rows += [
            (layer.position, None, analogue_facts(layer))
            for layer in self._counter.weighted
            if layer.macs
        ]
        return [row[1:] for row in sorted(rows, key=lambda row: row[0])]

    @property
    def ann_macs(self) -> float:
        """Multiply-accumulates of the ANN of the same shape."""
        return sum(layer.dense for layer in self._counter.weighted)

    @property
    def data_steps(self) -> int | None:
        """T, where the data have a time axis of their own; else `None`."""
        own = any(isinstance(k, EventFrames) for k in graph.inner_layers(self.model))
        return self.time_steps if own or self._counter.rows > 1 else None

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
        return self._counter.run(inputs, also, exact=exact)

    def _run(
        self,
        data: Data,
        batch_size: int,
        verbose: int,
        outputs: list[Tensors] | None = None,
        rates: tuple[str, ...] = (),
    ) -> tuple[dict[SiteKey, dict[str, Array]], int]:
        """Sums over all samples for each site, and how many; fills `outputs`."""
        counter, with_outputs = self._counter, outputs is not None
        batch_size = positive_int("batch_size", batch_size)
        batch_size = max(batch_size - batch_size % counter.rows, counter.rows)
        sums: dict[SiteKey, dict[str, Array]] = {}
        samples = 0
        bar = keras.utils.Progbar(count_batches(data, batch_size), verbose=verbose)
        for inputs in input_batches(data, self.model, batch_size):
            found = [rows_of(inputs) // counter.rows]
            # A network without any spikes has nothing to measure, only to count.
            if counter.sites or not counter.readable or with_outputs:
                counted, returned = counter.batch(
                    inputs, with_outputs=with_outputs, rates=rates
                )
                for key, counts in counted.items():
                    name = counter.sites[key].name
                    add_up(sums.setdefault(key, {}), counts, name)
                    found.append(len(counts["synops"]))
                if outputs is not None:
                    outputs.append(returned)
            # A layer that folds time for itself may see fewer samples than rows.
            samples += min(found)
            bar.add(1)
        for key in counter.sites:
            sums.setdefault(key, {})
        return sums, samples
