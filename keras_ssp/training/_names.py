"""Neurons and penalties by name, as a config asks for them."""

from __future__ import annotations

import inspect

from keras_ssp import penalties
from keras_ssp.layers import LIF

_PENALTIES = {
    "synaptic": penalties.SynapticPenalty,
    "spike_count": penalties.SpikeCountPenalty,
    "balanced": penalties.BalancedPenalty,
    "synops_target": penalties.SynOpsTarget,
}


def penalty_names() -> tuple[str, ...]:
    return tuple(_PENALTIES)


def get_penalty(name: str) -> type[penalties.SpikePenalty]:
    return _PENALTIES[name]


def neuron_names() -> tuple[str, ...]:
    return ("lif",)


def get_neuron(name: str) -> type[LIF]:
    return {"lif": LIF}[name]


def neuron_arguments(cls: type[LIF]) -> tuple[str, ...]:
    return tuple(n for n in inspect.signature(cls).parameters if n != "kwargs")


def activation_names() -> tuple[str, ...]:
    return (*neuron_names(), "relu", "qcfs")
