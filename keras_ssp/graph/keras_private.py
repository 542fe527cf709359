"""Reads a Keras model as one flat list of calls.

Everything that Keras keeps private and this package needs is touched in this
file alone (`tests/graph/` is its contract): the history of symbolic
tensors, the nodes of a functional model, the layers inside a layer, and the
context of the outermost call under way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import keras


@dataclasses.dataclass(frozen=True, eq=False)
class Edge:
    """A tensor of the flat graph. Two edges are equal only if identical."""

    shape: tuple[int | None, ...]

    @property
    def features(self) -> tuple[int | None, ...]:
        """The shape without the batch axis."""
        return self.shape[1:]


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer or operation, after nested models are opened up."""

    layer: Any
    name: str
    index: int
    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


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


def is_graph_model(layer: Any) -> bool:
    """Whether `layer` is a Sequential or Functional model that can be read."""
    return functional(layer) is not None


def trace(model: Any) -> Graph:
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
    env = {id(t): Edge(tuple(t.shape)) for t in inner._inputs}
    inputs = tuple(env[id(t)] for t in inner._inputs)
    builder.run(_nodes_in_order(inner), env, prefix="")
    outputs = tuple(env[id(t)] for t in inner._outputs)
    return Graph(str(model.name), inputs, tuple(builder.calls), outputs)


def trace_to(tensor: Any) -> Graph:
    """Returns the flat graph above one symbolic tensor."""
    nodes = list(_nodes_above(tensor))
    builder = _Builder()
    env: dict[int, Edge] = {}
    for node in nodes:
        # A bare KerasTensor starts a graph without an InputLayer behind it.
        roots = [t for t in node.input_tensors if not has_history(t)]
        for t in node.output_tensors if node.is_input else roots:
            env.setdefault(id(t), Edge(tuple(t.shape)))
    inputs = tuple(env.values())
    builder.run(nodes, env, prefix="")
    return Graph("", inputs, tuple(builder.calls), (env[id(tensor)],))


def has_history(tensor: Any) -> bool:
    """Whether a symbolic tensor knows the call that made it."""
    history = getattr(tensor, "_keras_history", None)
    return history is not None and history.operation is not None


def inner_layers(layer: Any) -> list[Any]:
    """All layers inside `layer`, at any depth, itself left out."""
    return list(layer._flatten_layers(include_self=False))


def outermost_call() -> Any | None:
    """The layer whose call is the outermost one under way, if any.

    `None` also where that cannot be told: the JAX trainer runs a model's `call`
    without its `__call__`, so a model inside it would look like the outermost one.
    """
    context, scope = _call_context(), _stateless_scope()
    # Only that trainer maps variables to values; Keras' symbolic runs map none.
    if context is None or (scope is not None and scope.state_mapping):
        return None
    return context.entry_layer


def call_store() -> dict[str, Any]:
    """A dict that lives as long as the outermost call under way.

    Empty and forgotten at once where no call is under way.
    """
    holder = _stateless_scope() or _call_context()
    store: dict[str, Any] = {}
    return store if holder is None else vars(holder).setdefault("_keras_ssp", store)


def losses_context() -> Any | None:
    """The call whose start cleared the losses of all layers inside, by identity.

    The outermost call, but for the JAX trainer: there each layer or nested model that
    the whole model calls clears the losses inside it once more.
    """
    return _call_context()


def _call_context() -> Any | None:
    return keras.src.backend.common.global_state.get_global_attribute(
        "current_call_ctx"
    )


def _stateless_scope() -> Any | None:
    return keras.src.backend.common.stateless_scope.get_stateless_scope()


def forget_compiled(model: Any) -> None:
    """Makes `fit`, `evaluate` and `predict` trace the model anew."""
    for name in ("train_function", "test_function", "predict_function"):
        if hasattr(model, name):
            setattr(model, name, None)


def functional(layer: Any) -> Any | None:
    """The Keras object that holds a model's graph, `None` if it has none.

    The model itself, or what a Sequential model keeps inside and makes anew whenever
    its layers change.
    """
    if isinstance(layer, keras.Sequential):
        layer = getattr(layer, "_functional", None)
    return layer if hasattr(layer, "_nodes_by_depth") else None


def _nodes_in_order(functional: Any) -> Iterator[Any]:
    # Keras runs a functional model depth by depth; the k-th call of a shared
    # layer here must be the k-th call at run time.
    for depth in sorted(functional._nodes_by_depth, reverse=True):
        yield from functional._nodes_by_depth[depth]


def _nodes_above(tensor: Any) -> Iterable[Any]:
    ordered: dict[int, Any] = {}
    started: set[int] = set()
    stack = [(_node_of(tensor), False)]
    while stack:  # depth first without recursion: deep models exist
        node, done = stack.pop()
        if done:
            ordered[id(node)] = node
        elif id(node) not in started:
            started.add(id(node))
            stack.append((node, True))
            stack.extend(
                (_node_of(t), False) for t in node.input_tensors if has_history(t)
            )
    return ordered.values()


def _node_of(tensor: Any) -> Any:
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


class _Builder:
    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._counts: dict[int, int] = {}

    def run(self, nodes: Iterable[Any], env: dict[int, Edge], prefix: str) -> None:
        for node in nodes:
            if node.is_input or any(id(t) not in env for t in node.input_tensors):
                continue
            inputs = tuple(env[id(t)] for t in node.input_tensors)
            inner = functional(node.operation)
            if inner is not None:
                outputs = self._open(node, inner, inputs, prefix)
            else:
                outputs = self._record(node, inputs, prefix)
            env.update(zip(map(id, node.output_tensors), outputs, strict=True))

    def _open(
        self, node: Any, inner: Any, inputs: tuple[Edge, ...], prefix: str
    ) -> tuple[Edge, ...]:
        env = dict(zip(map(id, inner._inputs), inputs, strict=True))
        self.run(_nodes_in_order(inner), env, f"{prefix}{node.operation.name}/")
        return tuple(env[id(t)] for t in inner._outputs)

    def _record(
        self, node: Any, inputs: tuple[Edge, ...], prefix: str
    ) -> tuple[Edge, ...]:
        layer = node.operation
        index = self._counts.get(id(layer), 0)
        self._counts[id(layer)] = index + 1
        outputs = tuple(Edge(tuple(t.shape)) for t in node.output_tensors)
        self.calls.append(
            Call(
                layer,
                prefix + str(layer.name),
                index,
                inputs,
                outputs,
                tuple(node.arguments.args),
                dict(node.arguments.kwargs),
            )
        )
        return outputs
