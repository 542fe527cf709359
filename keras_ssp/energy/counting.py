"""What is counted at one layer, and the row of the report that it makes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from keras import ops

from keras_ssp.energy.formulas import ANALOGUE, SPIKING, EnergyModel, LayerCounts
from keras_ssp.energy.rows import ENCODING, GATE, LayerReport
from keras_ssp.synapses.sites import Site, Weighted
from keras_ssp.synapses.sums import joined
from keras_ssp.synapses.taps import Tap, exact_per_sample, per_sample, uniform
from keras_ssp.types import Array, Config, Table, Tensor


def count(
    site: Site,
    spikes: Tensor,
    steps: int,
    omega: Callable[[Tensor, int], Tensor] | None,
    *,
    valid: Tensor | None = None,
    exact: bool = False,
    rates: Collection[str] = (),
) -> dict[str, Tensor]:
    """Counts what one batch of spikes does.

    Args:
        site: Where the spikes were made.
        spikes: `(batch * steps, ...)`.
        steps: T.
        omega: Gives the penalty of each sample from spikes and T, if there is one.
        valid: Which rows hold data, `(batch * steps,)`. Defaults to all.
        exact: Whether spikes and SynOps come in two parts, see `exact_per_sample`.
        rates: `"neuron"`, `"step"` or both: what is counted for them too.

    Returns:
        Quantity to one float32 number a sample, `(batch,)`, or two, `(batch, 2)`;
        `"neurons"` to the spikes of each neuron, `(1, ...)`. For rates, `"fired"` to
        how often each neuron was active, `(1, ...)`, `"fired_at"` and `"steps_at"` to
        how many were at each step, and whether it holds data, `(batch, steps)`.
    """
    ones = [uniform(1.0, site.size)]

    def summed(taps: Sequence[Tap]) -> Tensor:
        if exact:
            return exact_per_sample(taps, spikes, steps, binary=site.spiking)
        return per_sample(taps, spikes, steps)

    counts = {"spikes": summed(ones), "synops": summed(site.taps)}
    if omega is not None:
        counts["penalty"] = omega(spikes, steps)
    if valid is not None:
        rows = ops.cast(ops.reshape(valid, (-1, steps)), "float32")
        counts["steps"] = ops.sum(rows, axis=1)
        if "step" in rates:
            counts["steps_at"] = rows
    active = wide = ops.cast(spikes, "float32")
    if site.spiking:
        counts["neurons"] = ops.sum(wide, axis=0, keepdims=True)
    elif site.gate is None:
        wrong = ops.logical_or(wide < 0, ops.not_equal(wide, ops.floor(wide)))
        wrong = ops.logical_and(wrong, ops.logical_not(ops.isnan(wide)))
        active = ops.cast(wide != 0, "float32")
        counts["uncountable"] = per_sample(ones, ops.cast(wrong, "float32"), steps)
        counts["active"] = per_sample(ones, active, steps)
    if "neuron" in rates:
        counts["fired"] = ops.sum(active, axis=0, keepdims=True)
    if "step" in rates:
        at_once = ops.sum(active, axis=tuple(range(1, len(active.shape))))
        counts["fired_at"] = ops.reshape(at_once, (-1, steps))
    return counts


def add_up(row: dict[str, Array], counts: Mapping[str, Array], name: str) -> None:
    """Adds what was counted exactly in one batch to the sums over all samples.

    Args:
        row: Quantity to its sum.
        counts: What `count` returned, as arrays.
        name: The layer's name.

    Raises:
        ValueError: If events are not whole numbers of at least 0.
    """
    for quantity, counted in counts.items():
        value = np.asarray(counted, "float64")
        if quantity in ("spikes", "synops"):
            value = joined(value)
        if quantity == "uncountable" and value.any():
            raise ValueError(
                f"Layer '{name}' states that its input are event counts, so `data` "
                "must hold whole numbers of at least 0. Received: other values. "
                "Remedy: `EventFrames(events=False)` for analogue frames."
            )
        # Summed over samples alone: (1, ...) is per neuron, (batch, steps) per step.
        kept = quantity in ("neurons", "fired", "fired_at", "steps_at")
        total = value.sum(axis=0) if kept else value.sum()
        row[quantity] = row.get(quantity, 0.0) + total


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerFacts:
    """What is known of a row of the report before any data is seen.

    Args:
        name, kind, neurons, time_steps, fan_out, dense, macs, notes: As in
            `LayerReport`.
        updates: Neuron updates per sample; of an analogue row, values written.
        weights: Weight values that its synapses read from.
        targets: Neurons that its synapses write to, if they are known.
    """

    name: str
    kind: str
    neurons: int
    time_steps: int
    updates: int
    fan_out: float
    weights: int
    dense: float
    macs: float = 0.0
    targets: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def spiking(self) -> bool:
        """Whether events are what the row counts."""
        return self.kind != ANALOGUE

    def counts(self, spikes: float = 0.0, synops: float = 0.0) -> LayerCounts:
        """What the layer does for a sample, for an energy model."""
        return LayerCounts(
            kind=SPIKING if self.spiking else ANALOGUE,
            synops=synops,
            macs=self.macs,
            neurons=self.neurons,
            updates=self.updates,
            spikes=spikes,
            weights=self.weights,
            fan_out=self.fan_out,
            targets=self.targets,
        )

    def row(
        self,
        sums: Mapping[str, Array],
        samples: int,
        energy: EnergyModel,
        filled: float = 1.0,
    ) -> LayerReport:
        """The row of the report.

        Args:
            sums: What `count` counted there, summed over all samples.
            samples: How many there were.
            energy: What operations cost.
            filled: Part of the time steps that held data. Defaults to all.
        """
        filled = filled if self.time_steps > 1 else 1.0
        macs = self.macs * filled
        spikes = float(sums.get("spikes", 0.0)) / samples
        synops = float(sums.get("synops", 0.0)) / samples
        optional: Config = {}
        if "penalty" in sums:
            optional["penalty"] = float(sums["penalty"]) / samples
        if "neurons" in sums:
            optional["silent_neurons"] = int(np.count_nonzero(sums["neurons"] == 0))
        slots = samples * self.neurons * self.time_steps * filled
        if self.spiking and slots:
            # Event counts may exceed 1, a rate may not.
            optional["rate"] = (
                float(sums.get("active", sums.get("spikes", 0.0))) / slots
            )
        optional |= self.rates(sums, samples)
        counts = dataclasses.replace(
            self.counts(spikes, synops), macs=macs, updates=self.updates * filled
        )
        return LayerReport(
            name=self.name,
            kind=self.kind,
            neurons=self.neurons,
            time_steps=self.time_steps,
            energy_pj=energy.layer_energy(counts),
            spikes=spikes,
            synops=synops,
            fan_out=self.fan_out,
            macs=macs,
            dense=self.dense,
            notes=self.notes,
            updates=counts.updates,
            weights=self.weights,
            targets=self.targets,
            **optional,
        )

    def rates(self, sums: Mapping[str, Array], samples: int) -> dict[str, Array]:
        """The rates at each step and of each neuron, as far as they were counted.

        Steps of padding are no steps; the rate at a step that is padding in every
        sample is NaN.
        """
        found = {}
        at = sums.get("steps_at", np.full(self.time_steps, float(samples)))
        if "fired_at" in sums:
            with np.errstate(invalid="ignore"):
                found["step_rates"] = sums["fired_at"] / (at * self.neurons)
        if "fired" in sums:
            steps = float(sums.get("steps", samples * self.time_steps))
            found["neuron_rates"] = sums["fired"] / max(steps, 1.0)
        return found

    def to_dict(self) -> Config:
        """The facts as plain JSON types."""
        return {**dataclasses.asdict(self), "notes": list(self.notes)}

    @classmethod
    def from_dict(cls, values: Table) -> LayerFacts:
        """Builds facts from what `to_dict` returned; other values are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        found = {name: value for name, value in values.items() if name in known}
        return cls(**{**found, "notes": tuple(found.get("notes", ()))})


def kind_of(site: Site) -> str:
    """What the report calls a place where events are made."""
    if site.gate is not None:
        return GATE
    return str(site.layer.kind) if site.spiking else ENCODING


def site_facts(site: Site, weighted: Sequence[Weighted]) -> LayerFacts:
    """The facts of a layer that emits events.

    Args:
        site: The layer's call.
        weighted: The layers with synapses of the whole model.
    """
    neurons = int(uniform(1.0, site.size).total)
    driven = [w for w in weighted if site.position in w.drivers]
    largest = sum(tap.total for tap in site.taps)
    return LayerFacts(
        name=site.name,
        kind=kind_of(site),
        neurons=neurons,
        time_steps=site.steps,
        updates=neurons * site.steps if site.spiking else 0,
        weights=sum(_weights(w) for w in driven),
        fan_out=largest / neurons,
        dense=largest * site.steps,
        targets=sum(w.outputs for w in driven) or None,
        notes=site.notes,
    )


def analogue_facts(layer: Weighted) -> LayerFacts:
    """The facts of a layer whose synapses analogue values drive."""
    return LayerFacts(
        name=layer.name,
        kind=ANALOGUE,
        neurons=layer.inputs,
        time_steps=layer.steps,
        updates=layer.outputs * layer.steps,
        weights=_weights(layer),
        fan_out=layer.dense / layer.inputs,
        dense=layer.macs,
        macs=layer.macs,
    )


def _weights(layer: Weighted) -> int:
    return int(sum(math.prod(w.shape) for w in getattr(layer.layer, "weights", ())))
