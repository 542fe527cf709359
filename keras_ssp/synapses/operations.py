"""How events pass through the operations of `keras.ops`, and through wrappers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from keras import layers

from keras_ssp.graph import Call, Edge
from keras_ssp.synapses.copies import as_layer, moved, sizes_in
from keras_ssp.synapses.registry import (
    Rule,
    register_by_arguments,
    register_route,
    rule_for,
)
from keras_ssp.synapses.routes import TapsByInput, no_path
from keras_ssp.synapses.taps import Tap, compact, full
from keras_ssp.types import Array, Config

# --- operations that move, drop or repeat elements ------------------------------------

register_route(
    *(
        f"ops.{name}"
        for name in (
            *("ArraySplit", "BroadcastTo", "CropImages", "DepthToSpace", "Diagonal"),
            *("Dsplit", "Dstack", "ExpandDims", "ExtractPatches", "Flip", "Fliplr"),
            *("Flipud", "GetItem", "Hsplit", "Hstack", "Moveaxis", "Pad", "PadImages"),
            *("Ravel", "Rearrange", "Repeat", "Resize", "Roll", "Rot90", "Slice"),
            *("SpaceToDepth", "Split", "Squeeze", "Stack", "Swapaxes", "Take"),
            *("TakeAlongAxis", "Tile", "Transpose", "Tril", "Triu", "Unstack", "View"),
            *("Vsplit", "Vstack", "Where"),
        )
    ),
    rule=moved,
    elementwise=True,
    binary=True,
)


# --- operations that reduce axes ------------------------------------------------------


def reduced_axes(call: Call) -> tuple[int, ...]:
    """The axes that are reduced, of the features.

    Raises:
        ValueError: If the batch axis is among them.
    """
    axis = call.layer.axis
    rank = len(call.inputs[0].shape)
    axes = range(rank) if axis is None else np.atleast_1d(axis)
    found = tuple(sorted(int(a) % rank for a in axes))
    if 0 in found:
        raise ValueError(
            f"Layer '{call.name}' reduces the batch axis, where time is folded. "
            "Remedy: give it the axes of the features, such as `axis=-1`."
        )
    return tuple(a - 1 for a in found)


@register_route("ops.Mean", "ops.Sum")
def _summed(call: Call, tap: Tap, output: int) -> TapsByInput:
    """A spike is an event at every synapse that its sum feeds."""
    axes = reduced_axes(call)
    no_path(call, tap)
    weight = tap.weight
    if not call.layer.keepdims:
        for axis in axes:
            weight = np.expand_dims(weight, axis)
    return [[Tap(compact(weight), sizes_in(call))]]


@register_route("ops.Max", "ops.Amax", binary=True)
def _largest(call: Call, tap: Tap, output: int) -> TapsByInput:
    """Events are those that leave the maximum, as after a max pooling."""
    reduced_axes(call)
    return [[Tap(tap.weight, tap.size, (as_layer(call), *tap.path))]]


# --- layers that run another layer ----------------------------------------------------


def _inner(call: Call, *, drop: int) -> Call:
    """The call of the wrapped layer, with so many leading axes of features fewer."""
    cut = [Edge((e.shape[0], *e.shape[1 + drop :])) for e in call.inputs]
    out = [Edge((e.shape[0], *e.shape[1 + drop :])) for e in call.outputs]
    return dataclasses.replace(
        call, layer=call.layer.layer, inputs=tuple(cut), outputs=tuple(out)
    )


def _spectral(layer: layers.SpectralNormalization) -> Rule:
    rule = rule_for(layer.layer)
    if rule is None or rule.kind != "synapse":
        return Rule("analogue")
    extra = rule.extra_macs
    return dataclasses.replace(
        rule,
        apply=lambda call: rule.apply(_inner(call, drop=0)),
        extra_macs=extra and (lambda call: extra(_inner(call, drop=0))),
    )


def _distributed(layer: layers.TimeDistributed) -> Rule:
    """The rule of the wrapped layer, once for each element of axis 1."""
    rule = rule_for(layer.layer)
    if rule is None:
        raise ValueError(
            f"Layer '{layer.name}' runs a layer of type {type(layer.layer).__name__}, "
            "which has no fan-out rule. Remedy: register one with "
            "`keras_ssp.synapses.register_synapse`, `register_route` or "
            "`register_analogue`."
        )
    extra, macs = rule.extra_macs, rule.macs

    def times(count: float, call: Call) -> float:
        return count * int(call.inputs[0].features[0] or 0)

    changes: Config = {
        "extra_macs": extra and (lambda c: int(times(extra(_inner(c, drop=1)), c))),
        "macs": macs and (lambda c: times(macs(_inner(c, drop=1)), c)),
    }
    if rule.kind == "synapse":
        changes["apply"] = lambda call: rule.apply(_inner(call, drop=1))[None]
    elif rule.kind == "route":
        changes["apply"] = lambda call, tap, output: _each(rule, call, tap, output)
    return dataclasses.replace(rule, **changes)


def _each(rule: Rule, call: Call, tap: Tap, output: int) -> TapsByInput:
    if tap.path or rule.gate:
        no_path(call, tap)
    inner, n = _inner(call, drop=1), int(call.inputs[0].features[0] or 0)
    weights: Array = full(tap.weight, tap.size)
    pulled: list[Sequence[Tap]] = []
    for k in range(n):
        (taps,) = rule.apply(inner, Tap(weights[k], tap.size[1:]), output)
        pulled.append(taps)
    if any(len(taps) != 1 or taps[0].path for taps in pulled):
        raise ValueError(
            f"Layer '{call.name}' runs a max pooling for each element of axis 1, which "
            "cannot be counted. Remedy: a pooling of one more axis, such as "
            "`MaxPooling3D((1, 2, 2))`."
        )
    each = [full(taps[0].weight, taps[0].size) for taps in pulled]
    return [[Tap(compact(np.stack(each)), sizes_in(call))]]


register_by_arguments(layers.SpectralNormalization, _spectral)
register_by_arguments(layers.TimeDistributed, _distributed)
