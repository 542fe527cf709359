"""All that Keras keeps private and this package needs, touched in this file alone.

That is the history of symbolic tensors, the nodes of a functional model, the layers
inside a layer, the context of the outermost call under way, the functional model whose
graph is being run, the compiled functions of a model, the schedule of an optimizer's
learning rate, what a subclassed model was built with, whether Keras is exporting or
loading, whether it computes a layer again in the backward pass, what it keeps in every
layer, and the values that its JAX trainer holds on to.
`tests/graph/test_keras_private.py` has one test per attribute.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras

from keras_ssp._checks import shown
from keras_ssp.types import Config, Operation, Shape, Tensor, Tensors


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """One symbolic call as Keras has recorded it."""

    operation: Operation
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    args: tuple[Any, ...]
    kwargs: Config
    is_input: bool


def functional(layer: Operation) -> keras.Model | None:
    """The Keras object that holds a model's graph, `None` if it has none.

    The model itself, or what a Sequential model keeps inside and makes again whenever
    its layers change.
    """
    if isinstance(layer, keras.Sequential):
        layer = getattr(layer, "_functional", None)
    return layer if hasattr(layer, "_nodes_by_depth") else None


def is_graph_model(layer: Operation) -> bool:
    """Whether `layer` is a Sequential or Functional model that can be read."""
    return functional(layer) is not None


def require_model(model: object) -> keras.Model:
    """Returns `model` if it is a Keras model.

    Raises:
        TypeError: If it is not.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"`model` must be a keras.Model. Received: model={shown(model)} of type "
            f"{type(model).__name__}."
        )
    return model


def ends(inner: keras.Model) -> tuple[list[Tensor], list[Tensor]]:
    """The symbolic inputs and outputs of a functional model, flat."""
    return list(inner._inputs), list(inner._outputs)


def nodes_of(inner: keras.Model) -> Iterator[Node]:
    """The nodes of a functional model in the order in which they run."""
    # Keras runs a functional model depth by depth; the k-th call of a shared
    # layer here must be the k-th call at run time.
    for depth in sorted(inner._nodes_by_depth, reverse=True):
        yield from map(_node, inner._nodes_by_depth[depth])


def nodes_above(tensor: Tensor) -> Iterable[Node]:
    """The nodes that a symbolic tensor depends on, in the order in which they run."""
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
    return map(_node, ordered.values())


def has_history(tensor: Tensor) -> bool:
    """Whether a symbolic tensor knows the call that made it."""
    history = getattr(tensor, "_keras_history", None)
    return history is not None and history.operation is not None


def shape_of(tensor: Tensor) -> Shape:
    """The shape of a symbolic tensor as a plain tuple."""
    return tuple(tensor.shape)


def _node_of(tensor: Tensor) -> Any:
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def _node(node: Any) -> Node:
    return Node(
        operation=node.operation,
        inputs=tuple(node.input_tensors),
        outputs=tuple(node.output_tensors),
        args=tuple(node.arguments.args),
        kwargs=dict(node.arguments.kwargs),
        is_input=bool(node.is_input),
    )


def inner_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """All layers inside `layer`, at any depth, itself left out."""
    return list(layer._flatten_layers(include_self=False))


def outermost_call() -> keras.layers.Layer | None:
    """The layer whose call is the outermost one under way, if any.

    The JAX trainer runs a model's `call` without its `__call__`, so a model inside it
    looks like the outermost one; there the callers are looked through.
    """
    context, scope = _call_context(), _stateless_scope()
    # Only that trainer maps variables to values; Keras' symbolic runs map none.
    if scope is not None and scope.state_mapping:
        return _outermost_self("keras.src.layers.layer", "stateless_call")
    return None if context is None else context.entry_layer


def functional_under_way() -> keras.Model | None:
    """The outermost functional model whose graph is being run in this thread, if any.

    Of a Sequential model, what it keeps inside.
    """
    return _outermost_self("keras.src.models.functional", "call")


def _outermost_self(module: str, function: str) -> Any:
    """`self` of the outermost caller of that name in that module, `None` if none."""
    found: types.FrameType | None = None
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:
        code = frame.f_code
        if (
            code.co_name == function
            and code.co_varnames[:1] == ("self",)
            and frame.f_globals.get("__name__") == module
        ):
            found = frame
        frame = frame.f_back
    return None if found is None else found.f_locals.get("self")


def call_under_way() -> object | None:
    """An object that lives exactly as long as the outermost call under way, if any.

    Keras keeps it per thread, so that it is another one in each.
    """
    scope = _stateless_scope()
    # Each layer of the JAX trainer has a call of its own; the scope is that of all.
    # (Symbolic runs have scopes too, in which a model may be called several times.)
    if scope is not None and scope.state_mapping:
        return scope
    return _call_context() or scope


def within_stateless_scope() -> bool:
    """Whether Keras takes note of what is assigned, instead of assigning it."""
    return _stateless_scope() is not None


def losses_context() -> object | None:
    """The call whose start cleared the losses of all layers inside, by identity.

    The outermost call, except for the JAX trainer: there each layer or nested model
    that the whole model calls clears the losses inside it again.
    """
    return _call_context()


def _call_context() -> Any | None:
    return keras.src.backend.common.global_state.get_global_attribute(
        "current_call_ctx"
    )


def _stateless_scope() -> Any | None:
    return keras.src.backend.common.stateless_scope.get_stateless_scope()


def forget_compiled(model: keras.Model) -> None:
    """Makes `fit`, `evaluate` and `predict` trace the model again."""
    for name in ("train_function", "test_function", "predict_function"):
        if hasattr(model, name):
            setattr(model, name, None)


def learning_rate_schedule(
    optimizer: keras.optimizers.Optimizer,
) -> keras.optimizers.schedules.LearningRateSchedule | None:
    """The schedule of the learning rate, `None` where it is no schedule.

    The public property only has the present value.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of loss scaling
    rate = getattr(optimizer, "_learning_rate", None)
    schedule = isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
    return rate if schedule else None


def symbolic_inputs(model: keras.Model) -> Tensors:
    """The inputs of a built model as symbolic tensors, in the structure it takes.

    Of a subclassed model, what it was built with; `None` if that is not known or it
    takes several arguments.
    """
    inner = functional(model)
    if inner is not None:
        return inner._inputs_struct
    shapes = getattr(model, "_build_shapes_dict", None) or {}
    if len(shapes) != 1:
        return None
    return _symbolic(next(iter(shapes.values())), model.input_dtype, None)


def _symbolic(shapes: Any, dtype: str, name: str | None) -> Tensors:
    if isinstance(shapes, Mapping):
        return {k: _symbolic(v, dtype, str(k)) for k, v in shapes.items()}
    if all(n is None or isinstance(n, int) for n in shapes):
        return keras.KerasTensor((None, *shapes[1:]), dtype=dtype, name=name)
    return [_symbolic(each, dtype, None) for each in shapes]


def within_export() -> bool:
    """Whether `model.export` of Keras is what runs.

    Keras does not tell the layers, so the callers are looked through.
    """
    return any(module.startswith("keras.src.export.") for module, _ in callers())


def within_load_model() -> bool:
    """Whether a whole saved model is being loaded, not only weights into one."""
    return any(
        module == "keras.src.saving.saving_lib" and function.startswith("_load_model")
        for module, function in callers()
    )


def callers() -> Iterator[tuple[str, str]]:
    """Module and name of each function that is running, the innermost first."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:
        yield frame.f_globals.get("__name__", ""), frame.f_code.co_name
        frame = frame.f_back


def recomputed(layer: keras.layers.Layer) -> bool:
    """Whether a `keras.RematScope` has `layer` run again in the backward pass."""
    scope = getattr(layer, "_remat_mode", None)
    if scope is None:
        return False
    named = scope.mode == "list_of_layers" and layer.name in scope.layer_names
    return named or scope.mode in ("full", "larger_than")


# What Keras writes into a model while it compiles, trains and runs it.
_OF_RUNNING = frozenset(
    (
        *("_compile_config", "_compiled_trainable_state", "optimizer", "history"),
        *("stop_training", "stop_evaluating", "stop_predicting", "_jax_state"),
        *("_distribute_reduction_method", "_epoch_iterator", "_eval_epoch_iterator"),
    )
)


def own_attributes(layer: keras.layers.Layer) -> dict[str, Any]:
    """What the class of a layer keeps in it: all but what Keras has in every layer."""
    if isinstance(layer, keras.Model):
        if type(layer).__module__.startswith("keras."):
            return {}  # its graph says it all
        shared = _shared_names(keras.Model) | _OF_RUNNING
    else:
        shared = _shared_names(keras.layers.Layer)
    not_its = ("_self_", "_keras_ssp_")  # TensorFlow's, and what we keep with a model
    kept = list(vars(layer).items())
    return {k: v for k, v in kept if k not in shared and not k.startswith(not_its)}


@functools.cache
def _shared_names(cls: type[keras.layers.Layer]) -> frozenset[str]:
    return frozenset(vars(cls(name="bare")))  # unnamed, it would shift others' names


def forget_state(model: keras.Model) -> None:
    """Lets go of the values that the JAX trainer kept of the last batch."""
    if hasattr(model, "_jax_state"):
        model._jax_state = None
