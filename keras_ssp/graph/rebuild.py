"""Makes a new Functional model out of another one, call by call.

Layers are copied, never reused: a second call would leave a node in the original
model. Nested models are opened up, and a layer that is called twice becomes two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import keras
from keras import tree

from keras_ssp.graph.calls import Call, Edge, Graph, run, trace, without_masks
from keras_ssp.types import Operation, Tensor

V = TypeVar("V")  # what stands for a tensor: a symbolic tensor, or one with its scale
#: Takes a call and the values of its inputs, returns the values of its outputs.
Visitor: TypeAlias = Callable[[Call, list[V]], Sequence[V]]


class UniqueNames:
    """Hands out names that Keras accepts, each of them once."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def __call__(self, wanted: str) -> str:
        wanted = wanted.replace("/", "_")
        name, k = wanted, 0
        while name in self._used:
            k += 1
            name = f"{wanted}_{k}"
        self._used.add(name)
        return name


def make_inputs(model: keras.Model, names: UniqueNames) -> list[Tensor]:
    """Fresh `keras.Input`s like those of `model`."""
    return [
        keras.Input(batch_shape=x.shape, dtype=x.dtype, name=names(x.name))
        for x in model.inputs
    ]


def run_through(graph: Graph, inputs: Sequence[V], visit: Visitor[V]) -> list[V]:
    """Calls `visit(call, input_values)` in order; returns the output values."""
    env: dict[Edge, V] = dict(zip(graph.inputs, inputs, strict=True))
    for call in graph.calls:
        outputs = visit(call, [env[edge] for edge in call.inputs])
        env.update(zip(call.outputs, outputs, strict=True))
    return [env[edge] for edge in graph.outputs]


def pack_model(
    like: keras.Model, inputs: Sequence[Tensor], outputs: Sequence[Tensor], name: str
) -> keras.Model:
    """A model whose inputs and outputs have the structure that `like`'s have."""
    if isinstance(like, keras.Sequential):  # one of each, and no `input` property
        return keras.Model(inputs[0], outputs[0], name=name)
    return keras.Model(
        tree.pack_sequence_as(like.input, list(inputs)),
        tree.pack_sequence_as(like.output, list(outputs)),
        name=name,
    )


def rebuild(
    model: keras.Model,
    name: str,
    make_visitor: Callable[[Graph, UniqueNames], Visitor[Tensor]],
) -> keras.Model:
    """The model that `make_visitor(graph, names)` makes of the calls of `model`."""
    graph, names = trace(model), UniqueNames()
    inputs = make_inputs(model, names)
    outputs = run_through(graph, inputs, make_visitor(graph, names))
    return pack_model(model, inputs, outputs, name)


def replay(call: Call, tensors: Sequence[Tensor], name: str) -> Sequence[Tensor]:
    """Calls a copy of the layer, weights included, on other tensors."""
    masks = [k for k, v in call.kwargs.items() if isinstance(v, keras.KerasTensor)]
    if any(k not in without_masks(call.kwargs) for k in masks):
        raise ValueError(
            f"Layer '{call.name}' is given a mask, which is not carried over to "
            "another model. Remedy: use `keras.layers.Masking`, or batches without "
            "padding."
        )
    layer = copy_layer(call, name)
    outputs = run(call, tensors, layer)
    copy_weights(call.layer, layer)
    return outputs


def copy_layer(call: Call, name: str, kind: Any = None, **changes: object) -> Operation:
    """A layer of the same type, or of `kind`, and of the same configuration.

    Its weights are not copied yet.
    """
    original = call.layer
    try:
        config = {**original.get_config(), **changes}
        layer = (kind or type(original)).from_config(config)
    except Exception as error:
        raise ValueError(
            f"Layer '{call.name}' of type {type(original).__name__} cannot be copied: "
            f"{error} Remedy: give the class a `get_config` from which `from_config` "
            "makes it again."
        ) from error
    layer.name = name  # operations do not take a name from their config
    return layer


def copy_weights(original: Operation, copied: Operation) -> None:
    """Copies all weights of one layer to another of the same configuration."""
    if getattr(original, "weights", None):
        copied.set_weights(original.get_weights())
    if hasattr(copied, "finalize_state"):  # Normalization derives two tensors
        copied.finalize_state()
