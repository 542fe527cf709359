"""The rule of each call, and what is said where it cannot be counted."""

from __future__ import annotations

import keras

from keras_ssp import graph
from keras_ssp.graph import Call, timeline
from keras_ssp.synapses.products import costs_nothing
from keras_ssp.synapses.registry import Rule, rule_for


def rule_of(call: Call) -> Rule:
    """The rule of a call; where there is none, an error says how to register one."""
    rule = rule_for(call.layer) or costs_nothing(call.layer)
    if rule is not None:
        return rule
    what = _registered(call)
    raise ValueError(
        f"Layer '{call.name}' of type {type(call.layer).__name__} has no fan-out rule, "
        "so its energy cannot be counted. Remedy: register one with "
        f"`keras_ssp.synapses.register_synapse({what}, ...)` (a layer with weights), "
        f"`register_route({what}, rule=...)` (it only moves or adds up events) or "
        f"`register_analogue({what})` (analogue output, no weights or `macs=` given)."
    )


def check_inside(call: Call) -> None:
    """Refuses layers with spiking layers inside, which a graph cannot show."""
    if isinstance(call.layer, keras.layers.Layer):
        inside = [k for k in graph.inner_layers(call.layer) if timeline.role(k)]
        if inside:
            raise ValueError(
                f"Layer '{call.name}' ({type(call.layer).__name__}) has the layer "
                f"'{inside[0].name}' inside, whose spikes and time steps cannot be "
                "seen from outside. Remedy: call it in the graph itself, on the output "
                "of an encoding layer; time is folded into the batch, so no layer has "
                "to be run step by step."
            )


def _registered(call: Call) -> str:
    """What a rule for the call is registered under, as it is written in a program."""
    name = type(call.layer).__name__
    operation = type(call.layer).__module__.startswith("keras.src.ops.")
    return f'"ops.{name}"' if operation else name


def turns_analogue(call: Call, rule: Rule) -> ValueError:
    """What is said of spikes that reach a layer which makes them analogue."""
    remedy = (
        "move it before the spiking layer or after the synapse, or register a rule "
    )
    if rule.macs is not None:
        remedy = "products of spikes with each other are not counted yet; register one "
    return ValueError(
        f"Layer '{call.name}' ({type(call.layer).__name__}) receives spikes and turns "
        "them into analogue values, which the energy count does not allow. Remedy: "
        f"{remedy}with `keras_ssp.synapses.register_route({_registered(call)}, "
        "rule=..., overwrite=True)`."
    )
