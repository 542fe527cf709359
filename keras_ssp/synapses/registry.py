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
from typing import Any, overload

from keras_ssp._registry import Registry, defined_again
from keras_ssp.graph import Call
from keras_ssp.layers import SpikingLayer
from keras_ssp.synapses.taps import Tap
from keras_ssp.types import Array, Operation

SynapseRule = Callable[[Call], Array]
RouteRule = Callable[[Call, Tap, int], Sequence[Sequence[Tap]]]
ExtraMacs = Callable[[Call], int]
LayerType = type | str  # a layer class, or "ops.Name" for an operation of keras.ops


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
        inputs: For a synapse of a spiking layer, whose `apply` is about its own
            spikes: the rule of the weights that its input meets, if any.
        elementwise: For a route: whether every output element is one input element,
            so that tensors that mix spikes and analogue values may pass.
        binary: For a route: whether spikes that are 0 or 1 stay so, so that it may
            stand before a gate.
        gate: For a route: whether a call with several inputs is a gate, whose output
            are events of its own (AND, OR).
        macs: For an analogue layer with weights, or one that multiplies tensors with
            each other: function of the call, multiply-accumulates of one run.
        note: What the report says of a call of the layer.
        free: For an analogue layer: whether its weights are known to cost nothing that
            is counted, as the scale and offset of a normalisation.
    """

    kind: str
    apply: Any = None
    extra_macs: ExtraMacs | None = None
    inputs: SynapseRule | None = None
    elementwise: bool = False
    binary: bool = False
    gate: bool = False
    macs: Callable[[Call], float] | None = None
    note: str = ""
    free: bool = False

    def __str__(self) -> str:
        name = getattr(self.apply, "__name__", None)
        return f"counted by {name}" if name else f"registered as {self.kind!r}"


# A value may be a function of the layer where the arguments decide.
Choose = Callable[[Operation], Rule]
Entry = Rule | Choose


def _same(held: Entry, value: Entry) -> bool:
    if isinstance(held, Rule) and isinstance(value, Rule):
        return held == value or defined_again(held.apply, value.apply)
    return defined_again(held, value)


RULES: Registry[Entry] = Registry("layer_type", key="layer_type", same=_same)


@overload
def register_synapse(
    layer_type: type,
    *,
    extra_macs: ExtraMacs | None = ...,
    inputs: SynapseRule | None = ...,
    overwrite: bool = ...,
) -> Callable[[SynapseRule], SynapseRule]: ...


@overload
def register_synapse(
    layer_type: type,
    rule: SynapseRule,
    *,
    extra_macs: ExtraMacs | None = ...,
    inputs: SynapseRule | None = ...,
    overwrite: bool = ...,
) -> SynapseRule: ...


def register_synapse(
    layer_type: type,
    rule: SynapseRule | None = None,
    *,
    extra_macs: ExtraMacs | None = None,
    inputs: SynapseRule | None = None,
    overwrite: bool = False,
) -> Callable[[SynapseRule], SynapseRule] | SynapseRule:
    """Registers the fan-out of a weighted layer type.

    The function takes the `Call` (its `layer`, and `inputs` and `outputs` with
    their `features`) and returns `psi`, an array that broadcasts against
    `call.inputs[0].features`: for each input element the number of weights that it
    is multiplied with. As a decorator, or called with the function.

    Of a spiking layer (`SpikingLayer`), the function gives the synapses that its own
    spikes drive inside the layer, such as recurrent weights: an array that broadcasts
    against `call.outputs[0].features`. What comes after the layer is counted as ever
    and added.

    Args:
        layer_type: Subclass of `keras.layers.Layer`.
        rule: The function.
        extra_macs: Function of the call: multiply-accumulates per row inside the
            layer that analogue values drive, whatever its input.
        inputs: Of a spiking layer that also multiplies its input by weights: function
            of the call that gives `psi` of the input, as for any other layer.
        overwrite: Whether it may replace a rule that is there.

    Returns:
        The function, or a decorator that returns it.

    Raises:
        ValueError: If `layer_type` has a rule already.

    Example:

    >>> class Diagonal(keras.layers.Layer):  # y_i = w_i * x_i
    ...     pass
    >>> @register_synapse(Diagonal)
    ... def _diagonal(call):
    ...     return np.ones((1,) * len(call.inputs[0].features))
    """

    def add(rule: SynapseRule) -> SynapseRule:
        entry = Rule("synapse", rule, extra_macs, inputs)
        RULES.add((layer_type,), entry, overwrite=overwrite)
        return rule

    return add if rule is None else add(rule)


@overload
def register_route(
    *layer_types: LayerType,
    elementwise: bool = ...,
    binary: bool = ...,
    overwrite: bool = ...,
) -> Callable[[RouteRule], RouteRule]: ...


@overload
def register_route(
    *layer_types: LayerType,
    rule: RouteRule,
    elementwise: bool = ...,
    binary: bool = ...,
    overwrite: bool = ...,
) -> RouteRule: ...


def register_route(
    *layer_types: LayerType,
    rule: RouteRule | None = None,
    elementwise: bool = False,
    binary: bool = False,
    overwrite: bool = False,
) -> Callable[[RouteRule], RouteRule] | RouteRule:
    """Registers how events pass through a layer type without weights.

    The function takes the `Call`, a `Tap` on its output and the number of that
    output, and returns for each input the taps that cost the same. As a decorator, or
    called with `rule=`. For a layer that hands its input on:

        register_route(MyIdentity, rule=lambda call, tap, output: [[tap]])

    Args:
        *layer_types: Subclasses of `keras.layers.Layer`, or `"ops.Name"` for the
            operation classes of `keras.ops`.
        rule: The function.
        elementwise: Whether each output element is one input element.
        binary: Whether spikes that are 0 or 1 stay so: such a layer may stand before a
            gate (a product, maximum or minimum of spikes).
        overwrite: Whether it may replace rules that are there.

    Returns:
        The function, or a decorator that returns it.

    Raises:
        ValueError: If a layer type has a rule already, or is a spiking layer.
    """

    def add(rule: RouteRule) -> RouteRule:
        entry = Rule("route", rule, elementwise=elementwise, binary=binary)
        RULES.add(_quiet(layer_types), entry, overwrite=overwrite)
        return rule

    return add if rule is None else add(rule)


def register_analogue(
    *layer_types: LayerType,
    macs: Callable[[Call], float] | None = None,
    ends_events: bool = False,
    overwrite: bool = False,
) -> None:
    """Registers layer types that turn analogue values into analogue values.

    Args:
        *layer_types: As for `register_route`.
        macs: Function of the `Call`: the multiply-accumulates of one run on one
            sample. Without it the layer costs nothing, which the energy report says in
            a note if it has weights.
        ends_events: Whether spikes may arrive and end there (a readout).
        overwrite: Whether it may replace rules that are there.

    Raises:
        ValueError: If a layer type has a rule already, or is a spiking layer.

    Example:

    >>> class Doubling(keras.layers.Layer):  # no weights: 0
    ...     def call(self, x):
    ...         return 2 * x
    >>> register_analogue(Doubling)
    """
    entry = Rule("end" if ends_events else "analogue", macs=macs)
    RULES.add(_quiet(layer_types), entry, overwrite=overwrite)


def register_by_arguments(
    layer_type: type, choose: Choose, *, overwrite: bool = False
) -> None:
    """Registers a layer type whose arguments decide which `Rule` it follows."""
    RULES.add((layer_type,), choose, overwrite=overwrite)


def _quiet(layer_types: tuple[LayerType, ...]) -> tuple[LayerType, ...]:
    for layer_type in layer_types:
        if isinstance(layer_type, type) and issubclass(layer_type, SpikingLayer):
            raise ValueError(
                "`layer_type` must not be a spiking layer: its output are new spikes, "
                "not those of its input. Remedy: `register_synapse` if it has synapses "
                f"inside; else it needs no rule. Received: {layer_type.__name__}."
            )
    return layer_types


def rule_for(layer: Operation) -> Rule | None:
    """The rule of a layer or operation, `None` if there is none."""
    keys: list[LayerType] = list(type(layer).__mro__)
    if type(layer).__module__.startswith("keras.src.ops."):
        keys.append(f"ops.{type(layer).__name__}")
    for key in keys:
        entry = RULES.find(key)
        if entry is not None:
            return entry if isinstance(entry, Rule) else entry(layer)
    return None
