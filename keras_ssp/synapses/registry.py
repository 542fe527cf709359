"""The registry of fan-out rules: which synapses an event drives, layer by layer.

Two kinds of rules, one small function per layer type, kept in a registry:

* a *synapse* rule gives `psi` of a weighted layer: for each element of its input,
  the weights that it meets (its fan-out), as an array that broadcasts;
* a *route* rule draws taps on a layer's output back to its inputs, for layers
  that only move, pool or add up events.

`keras_ssp.synapses.analysis` walks a model by these rules. A layer without a rule is
an error, never a silent 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_ssp.graph import Call
from keras_ssp.synapses.taps import Tap

SynapseRule = Callable[[Call], np.ndarray]
RouteRule = Callable[[Call, Tap, int], Sequence[Sequence[Tap]]]


@dataclasses.dataclass(frozen=True)
class Rule:
    """How one layer type is counted.

    Args:
        kind: `"synapse"`, `"route"`, `"analogue"` (an operation without weights
            whose output is analogue; events may not reach it) or `"end"` (the same,
            and events may end there: readouts, encoders).
        apply: The rule's function; `None` for the last two kinds.
        extra_macs: For a synapse: multiply-accumulates per row inside the layer that
            are driven by analogue values, e.g. the pointwise half of a separable
            convolution.
        elementwise: For a route: whether every output element is one input element,
            so that tensors that mix spikes and analogue values may pass.
    """

    kind: str
    apply: Any = None
    extra_macs: Callable[[Call], int] | None = None
    elementwise: bool = False


# A value may be a function of the layer where the arguments decide.
_rules: dict[Any, Rule | Callable[[Any], Rule]] = {}


def register_synapse(
    layer_type: type, *, extra_macs: Callable[[Call], int] | None = None
) -> Callable[[SynapseRule], SynapseRule]:
    """Registers the fan-out of a weighted layer type.

    The function takes the `Call` (its `layer`, and `inputs` and `outputs` with
    their `features`) and returns `psi`, an array that broadcasts against
    `call.inputs[0].features`: for each input element the number of weights that it
    is multiplied with.

    Args:
        layer_type: Subclass of `keras.layers.Layer`.
        extra_macs: Function of the call: multiply-accumulates per row inside the
            layer that analogue values drive, whatever its input.

    Example:

    >>> class Diagonal(keras.layers.Layer):  # y_i = w_i * x_i
    ...     pass
    >>> @register_synapse(Diagonal)
    ... def _diagonal(call):
    ...     return np.ones((1,) * len(call.inputs[0].features))
    """

    def add(rule: SynapseRule) -> SynapseRule:
        _rules[layer_type] = Rule("synapse", rule, extra_macs)
        return rule

    return add


def register_route(
    *layer_types: type | str, elementwise: bool = False
) -> Callable[[RouteRule], RouteRule]:
    """Registers how events pass through a layer type without weights.

    The function takes the `Call`, a `Tap` on its output and the number of that
    output, and returns for each input the taps that cost the same.

    Args:
        *layer_types: Subclasses of `keras.layers.Layer`, or `"ops.Name"` for the
            operation classes of `keras.ops`.
        elementwise: Whether each output element is one input element.
    """

    def add(rule: RouteRule) -> RouteRule:
        for layer_type in layer_types:
            _rules[layer_type] = Rule("route", rule, elementwise=elementwise)
        return rule

    return add


def register_analogue(*layer_types: type | str, ends_events: bool = False) -> None:
    """Registers layer types without weights whose output is analogue.

    Args:
        *layer_types: As for `register_route`.
        ends_events: Whether spikes may arrive and end there (a readout).
    """
    for layer_type in layer_types:
        _rules[layer_type] = Rule("end" if ends_events else "analogue")


def register_by_arguments(layer_type: type, choose: Callable[[Any], Rule]) -> None:
    """Registers a layer type whose arguments decide which `Rule` it follows."""
    _rules[layer_type] = choose


def rule_for(layer: Any) -> Rule | None:
    """The rule of a layer or operation, `None` if there is none."""
    keys: list[Any] = list(type(layer).__mro__)
    if type(layer).__module__.startswith("keras.src.ops."):
        keys.append(f"ops.{type(layer).__name__}")
    for key in keys:
        rule = _rules.get(key)
        if rule is not None:
            return rule if isinstance(rule, Rule) else rule(layer)
    return None
