"""What is counted at one layer, and the row of the report that it makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from keras import ops

from keras_ssp.energy.formulas import ANALOGUE, SPIKING, EnergyModel, LayerCounts
from keras_ssp.energy.rows import ENCODING, LayerReport
from keras_ssp.penalties.binding import BoundPenalty
from keras_ssp.synapses.sites import Site, Weighted
from keras_ssp.synapses.taps import per_sample, uniform
from keras_ssp.types import Array, Config, Table, Tensor


def count(
    site: Site, spikes: Tensor, steps: int, penalty: BoundPenalty | None
) -> dict[str, Tensor]:
    """Counts what one batch of spikes does.

    Args:
        site: Where the spikes were made.
        spikes: `(batch * steps, ...)`.
        steps: T.
        penalty: The penalty on the layer, if any.

    Returns:
        Quantity to one float32 number a sample, `(batch,)`; `"neurons"` to the spikes
        of each neuron, `(1, ...)`.
    """
    counts = {
        "spikes": per_sample([uniform(1.0, site.size)], spikes, steps),
        "synops": per_sample(site.taps, spikes, steps),
    }
    if site.spiking:
        per_neuron = ops.sum(ops.cast(spikes, "float32"), axis=0, keepdims=True)
        counts["neurons"] = per_neuron
        if penalty is not None:
            counts["penalty"] = penalty.value(site.index, spikes, steps)
    else:
        wide = ops.cast(spikes, "float32")
        wrong = ops.logical_or(wide < 0, ops.not_equal(wide, ops.floor(wide)))
        active = ops.cast(wide != 0, "float32")
        tap = uniform(1.0, site.size)
        counts["uncountable"] = per_sample([tap], ops.cast(wrong, "float32"), steps)
        counts["active"] = per_sample([tap], active, steps)
    return counts


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
        self, sums: Mapping[str, Array], samples: int, energy: EnergyModel
    ) -> LayerReport:
        """The row of the report.

        Args:
            sums: What `count` counted there, summed over all samples.
            samples: How many there were.
            energy: What operations cost.
        """
        spikes = float(sums.get("spikes", 0.0)) / samples
        synops = float(sums.get("synops", 0.0)) / samples
        optional: Config = {}
        if "penalty" in sums:
            optional["penalty"] = float(sums["penalty"]) / samples
        if "neurons" in sums:
            optional["silent_neurons"] = int(np.count_nonzero(sums["neurons"] == 0))
        if "active" in sums:  # event counts may exceed 1, a rate may not
            slots = samples * self.neurons * self.time_steps
            optional["rate"] = float(sums["active"]) / slots
        return LayerReport(
            name=self.name,
            kind=self.kind,
            neurons=self.neurons,
            time_steps=self.time_steps,
            energy_pj=energy.layer_energy(self.counts(spikes, synops)),
            spikes=spikes,
            synops=synops,
            fan_out=self.fan_out,
            macs=self.macs,
            dense=self.dense,
            notes=self.notes,
            **optional,
        )

    def to_dict(self) -> Config:
        """The facts as plain JSON types."""
        return {**dataclasses.asdict(self), "notes": list(self.notes)}

    @classmethod
    def from_dict(cls, values: Table) -> LayerFacts:
        """Builds facts from what `to_dict` returned; other values are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        found = {name: value for name, value in values.items() if name in known}
        return cls(**{**found, "notes": tuple(found.get("notes", ()))})


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
        kind=site.layer.kind if site.spiking else ENCODING,
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
    return int(layer.layer.count_params())
