"""What is counted at one layer, and the row of the report that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from keras import ops

from keras_ssp.energy.formulas import ANALOGUE, SPIKING, EnergyModel, LayerCounts
from keras_ssp.energy.rows import ENCODING, LayerReport
from keras_ssp.penalties.binding import BoundPenalty
from keras_ssp.synapses.sites import Site, Weighted
from keras_ssp.synapses.taps import per_sample, uniform
from keras_ssp.types import Array, Config, Tensor


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


def site_row(
    site: Site,
    sums: Mapping[str, Array],
    samples: int,
    weighted: Sequence[Weighted],
    energy: EnergyModel,
) -> LayerReport:
    """The row of a layer that emits events.

    Args:
        site: The layer's call.
        sums: What `count` counted there, summed over all samples.
        samples: How many there were.
        weighted: The layers with synapses of the whole model.
        energy: What operations cost.
    """
    neurons = int(uniform(1.0, site.size).total)
    spikes = float(sums.get("spikes", 0.0)) / samples
    synops = float(sums.get("synops", 0.0)) / samples
    driven = [w for w in weighted if site.position in w.drivers]
    largest = sum(tap.total for tap in site.taps)
    cost = energy.layer_energy(
        LayerCounts(
            kind=SPIKING,
            synops=synops,
            neurons=neurons,
            updates=neurons * site.steps if site.spiking else 0,
            spikes=spikes,
            weights=sum(_weights(w) for w in driven),
            fan_out=largest / neurons,
            targets=sum(w.outputs for w in driven) or None,
        )
    )
    optional: Config = {}
    if "penalty" in sums:
        optional["penalty"] = float(sums["penalty"]) / samples
    if "neurons" in sums:
        optional["silent_neurons"] = int(np.count_nonzero(sums["neurons"] == 0))
    if "active" in sums:  # event counts may exceed 1, a rate may not
        slots = samples * neurons * site.steps
        optional["rate"] = float(sums["active"]) / slots
    return LayerReport(
        name=site.name,
        kind=site.layer.kind if site.spiking else ENCODING,
        neurons=neurons,
        time_steps=site.steps,
        energy_pj=cost,
        spikes=spikes,
        synops=synops,
        fan_out=largest / neurons,
        dense=largest * site.steps,
        notes=site.notes,
        **optional,
    )


def analogue_row(layer: Weighted, energy: EnergyModel) -> LayerReport:
    """The row of a layer whose synapses analogue values drive."""
    counts = LayerCounts(
        kind=ANALOGUE,
        macs=layer.macs,
        neurons=layer.inputs,
        updates=layer.outputs * layer.steps,
        weights=_weights(layer),
        fan_out=layer.dense / layer.inputs,
    )
    return LayerReport(
        name=layer.name,
        kind=ANALOGUE,
        neurons=layer.inputs,
        time_steps=layer.steps,
        energy_pj=energy.layer_energy(counts),
        fan_out=layer.dense / layer.inputs,
        macs=layer.macs,
        dense=layer.macs,
    )


def _weights(layer: Weighted) -> int:
    return int(layer.layer.count_params())
