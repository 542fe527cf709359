"""Whether a layer is still the one that a trace was made of.

A trace holds what the layers were when it was made: numbers, names and functions that
they keep as attributes are constants in it. Only what variables hold is read anew.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Final

import keras
import numpy as np

from keras_ssp.graph import keras_private

#: Something that is equal to another one if nothing has changed in between.
Fingerprint = tuple[object, ...]

_DEEPEST: Final = 3  # objects within objects that are looked into
_PLAIN = (bool, int, str, bytes, type(None), np.dtype)
# Functions do not change; layers are looked at for themselves; what metrics hold is of
# a training alone.
_OPAQUE = (
    *(type, types.FunctionType, types.MethodType, types.ModuleType),
    *(keras.layers.Layer, keras.metrics.Metric),
)
# What is made elsewhere, such as variables and tensors, is told by which object it is.
_FOREIGN = frozenset(
    (
        *("keras", "tensorflow", "jax", "jaxlib", "torch", "numpy", "builtins"),
        *("_thread", "threading", "weakref", "functools", "contextvars"),
    )
)


class Same:
    """Equal only to one of the same object, which lives as long as this."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def layers_seen(model: keras.Model) -> Fingerprint:
    """The fingerprint of a model and of all layers inside, their weights' values aside.

    Example:

    >>> lif = LIF()
    >>> model = keras.Sequential([keras.Input((4,)), lif])
    >>> before = layers_seen(model)
    >>> lif.threshold = 0.5
    >>> layers_seen(model) == before
    False
    """
    inside = [model, *keras_private.inner_layers(model)]
    return tuple(_layer_seen(layer) for layer in inside)


def _layer_seen(layer: keras.layers.Layer) -> Fingerprint:
    policy = layer.dtype_policy
    own = keras_private.own_attributes(layer)
    return (
        *(Same(layer), type(layer), type(layer).call),
        *(policy.name, policy.compute_dtype, policy.variable_dtype),
        *(layer.trainable, layer.supports_masking, layer.autocast),
        *((name, value_seen(own[name])) for name in sorted(own)),
    )


def value_seen(value: Any, depth: int = 0) -> object:
    """The fingerprint of a value: by what it is where that is plain, else by which.

    Args:
        value: Anything that a layer may have as an attribute.
        depth: How many objects it is in.
    """
    if isinstance(value, _PLAIN):
        return type(value), value
    if isinstance(value, (float, complex, np.generic)):
        return type(value), repr(value)  # so that NaN is NaN
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.shape, value.dtype, value.tobytes()
    if depth >= _DEEPEST or isinstance(value, _OPAQUE):
        return Same(value)
    if isinstance(value, Mapping):
        items = [(value_seen(k, depth + 1), v) for k, v in list(value.items())]
        return (type(value), *((k, value_seen(v, depth + 1)) for k, v in items))
    if isinstance(value, (list, tuple)):
        return (type(value), *(value_seen(v, depth + 1) for v in list(value)))
    if isinstance(value, (set, frozenset)):
        return type(value), frozenset(value)
    foreign = type(value).__module__.partition(".")[0] in _FOREIGN
    if foreign or not hasattr(value, "__dict__"):
        return Same(value)
    inside = [(k, value_seen(v, depth + 1)) for k, v in sorted(vars(value).items())]
    return (Same(value), *inside)
