"""A Keras model as one flat list of calls, nested models opened up.

For `Sequential([Dense(3, name="a"), Sequential([ReLU(name="b")], name="inner")])` the
graph has the calls `a` and `inner/b`; the output edge of `a` is the input edge of
`inner/b`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from keras_ssp.graph.keras_private import (
    Node,
    ends,
    functional,
    has_history,
    nodes_above,
    nodes_of,
    shape_of,
)
from keras_ssp.types import Config, Operation, Shape, Tensor


def numbered(name: str, index: int) -> str:
    """The name of a layer's call: with its index, but for the first one."""
    return name if index == 0 else f"{name}:{index}"


@dataclasses.dataclass(frozen=True, eq=False)
class Edge:
    """A tensor of the flat graph. Two edges are equal only if identical."""

    shape: Shape

    @property
    def features(self) -> Shape:
        """The shape without the batch axis."""
        return self.shape[1:]


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer or operation.

    Args:
        layer: What is called; an operation of `keras.ops` where there is no layer.
        name: Its name, after the names of the models that it is nested in.
        index: How often the same layer was called before.
        inputs: The edges that it reads.
        outputs: The edges that it makes.
        args: Positional arguments; tensors among them are symbolic.
        kwargs: Keyword arguments.
    """

    layer: Operation
    name: str
    index: int
    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    args: tuple[Any, ...]
    kwargs: Config

    @property
    def numbered_name(self) -> str:
        """Its name, with the index where the same layer was called before."""
        return numbered(self.name, self.index)


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """The calls of a model in the order in which they run."""

    name: str
    inputs: tuple[Edge, ...]
    calls: tuple[Call, ...]
    outputs: tuple[Edge, ...]

    def producers(self) -> dict[Edge, tuple[Call, int]]:
        """Maps each edge to the call that makes it and its output number."""
        return {
            edge: (call, k)
            for call in self.calls
            for k, edge in enumerate(call.outputs)
        }

    def consumers(self) -> dict[Edge, list[Call]]:
        """Maps each edge to the calls that read it."""
        found: dict[Edge, list[Call]] = {}
        for call in self.calls:
            for edge in dict.fromkeys(call.inputs):
                found.setdefault(edge, []).append(call)
        return found


def run(call: Call, tensors: Sequence[Tensor], layer: Operation = None) -> list[Tensor]:
    """Runs what is called on other tensors, one for each of the call's inputs.

    Args:
        call: The call.
        tensors: The tensors.
        layer: Runs in place of the layer, by its `__call__`. Defaults to the layer
            itself, whose `call` runs, so that nothing is recorded or built.

    Returns:
        The outputs, flat.
    """
    given = iter(tensors)
    args, kwargs = keras.tree.map_structure(
        lambda x: next(given) if isinstance(x, keras.KerasTensor) else x,
        (call.args, without_masks(call.kwargs)),
    )
    function = call.layer.call if layer is None else layer
    outputs: list[Tensor] = keras.tree.flatten(function(*args, **kwargs))
    return outputs


def without_masks(kwargs: Config) -> Config:
    """Keyword arguments without the masks that Keras hands on beside the tensors."""
    return {k: v for k, v in kwargs.items() if not _is_mask(k)}


def read_by(args: tuple[Any, ...], kwargs: Config) -> list[Tensor]:
    """The symbolic tensors among the arguments of a call, masks left out."""
    flat = keras.tree.flatten((args, without_masks(kwargs)))
    return [x for x in flat if isinstance(x, keras.KerasTensor)]


def _is_mask(name: str) -> bool:
    return name == "mask" or name.endswith("_mask")


def trace(model: keras.Model) -> Graph:
    """Returns the flat graph of a built Sequential or Functional model.

    Raises:
        ValueError: If `model` has no graph to read: a subclassed model, or a
            Sequential model that was never built.
    """
    inner = functional(model)
    if inner is None:
        raise ValueError(
            "`model` must be a built Sequential or Functional model: a subclassed "
            "model has no graph to read, and a Sequential model gets one from "
            "`keras.Input` or its first call. "
            f"Received: model={getattr(model, 'name', model)!r} of type "
            f"{type(model).__name__}."
        )
    builder = _Builder()
    first, last = ends(inner)
    env = {id(t): Edge(shape_of(t)) for t in first}
    inputs = tuple(env[id(t)] for t in first)
    builder.run(nodes_of(inner), env, prefix="")
    outputs = tuple(env[id(t)] for t in last)
    return Graph(str(model.name), inputs, tuple(builder.calls), outputs)


def trace_to(tensor: Tensor) -> Graph:
    """Returns the flat graph above one symbolic tensor."""
    nodes = list(nodes_above(tensor))
    builder = _Builder()
    env: dict[int, Edge] = {}
    for node in nodes:
        # A bare KerasTensor starts a graph without an InputLayer above it.
        roots = [t for t in node.inputs if not has_history(t)]
        for t in node.outputs if node.is_input else roots:
            env.setdefault(id(t), Edge(shape_of(t)))
    inputs = tuple(env.values())
    builder.run(nodes, env, prefix="")
    return Graph("", inputs, tuple(builder.calls), (env[id(tensor)],))


class _Builder:
    """Collects calls; `env` maps the identity of symbolic tensors to their edges."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._counts: dict[int, int] = {}

    def run(self, nodes: Iterable[Node], env: dict[int, Edge], prefix: str) -> None:
        for node in nodes:
            # A node with other inputs belongs to a call of the model elsewhere.
            if node.is_input or any(id(t) not in env for t in node.inputs):
                continue
            inputs = tuple(env[id(t)] for t in read_by(node.args, node.kwargs))
            inner = functional(node.operation)
            if inner is not None:
                outputs = self._open(node, inner, inputs, prefix)
            else:
                outputs = self._record(node, inputs, prefix)
            env.update(zip(map(id, node.outputs), outputs, strict=True))

    def _open(
        self, node: Node, inner: keras.Model, inputs: tuple[Edge, ...], prefix: str
    ) -> tuple[Edge, ...]:
        first, last = ends(inner)
        env = dict(zip(map(id, first), inputs, strict=True))
        self.run(nodes_of(inner), env, f"{prefix}{node.operation.name}/")
        return tuple(env[id(t)] for t in last)

    def _record(
        self, node: Node, inputs: tuple[Edge, ...], prefix: str
    ) -> tuple[Edge, ...]:
        layer = node.operation
        index = self._counts.get(id(layer), 0)
        self._counts[id(layer)] = index + 1
        outputs = tuple(Edge(shape_of(t)) for t in node.outputs)
        self.calls.append(
            Call(
                layer=layer,
                name=prefix + str(layer.name),
                index=index,
                inputs=inputs,
                outputs=outputs,
                args=node.args,
                kwargs=node.kwargs,
            )
        )
        return outputs
