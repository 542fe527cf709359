"""What is counted at one layer, and the row of the report that it makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_ssp.energy.formulas import LayerCounts
from keras_ssp.energy.rows import ANALOGUE, ENCODING, LayerReport
from keras_ssp.synapses.sites import Site, Weighted
from keras_ssp.synapses.taps import per_sample, uniform


def count(site: Site, spikes: Any, steps: int) -> dict[str, Any]:
    layer = site.layer
    counts = {
        "spikes": per_sample([uniform(1.0, site.size)], spikes, steps),
        "synops": per_sample(site.taps, spikes, steps),
    }
    if site.spiking:
        per_neuron = ops.sum(ops.cast(spikes, "float32"), axis=0, keepdims=True)
        counts["neurons"] = per_neuron
        if layer.bound_penalty is not None:
            counts["penalty"] = layer.bound_penalty.value(site.index, spikes, steps)
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
    sums: dict[str, np.ndarray],
    samples: int,
    weighted: Sequence[Weighted],
    energy: Any,
) -> LayerReport:
    neurons = int(uniform(1.0, site.size).total)
    spikes = float(sums.get("spikes", 0.0)) / samples
    synops = float(sums.get("synops", 0.0)) / samples
    driven = [w for w in weighted if site.position in w.drivers]
    largest = sum(tap.total for tap in site.taps)
    cost = energy.layer_energy(
        LayerCounts(
            kind="spiking",
            synops=synops,
            neurons=neurons,
            updates=neurons * site.steps if site.spiking else 0,
            spikes=spikes,
            weights=sum(_weights(w) for w in driven),
            fan_out=largest / neurons,
            targets=sum(w.outputs for w in driven) or None,
        )
    )
    optional: dict[str, Any] = {}
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


def analogue_row(layer: Weighted, energy: Any) -> LayerReport:
    counts = LayerCounts(
        kind="analogue",
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
