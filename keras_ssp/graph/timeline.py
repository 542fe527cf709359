"""Time steps: who folds time into the batch, who unfolds it, and who must know T.

Between an encoding layer and a readout every tensor is `(batch * T, ...)`,
batch-major: row `b * T + t` holds sample `b` at step `t`. T is stated once, in
the encoding layer. Layers with a `time_role` learn it here:

* `"encoding"` folds: its output has `layer.time_steps` steps;
* `"spiking"` runs over time: it needs the T of its input;
* `"readout"` unfolds: its output has no time axis left.
"""

from __future__ import annotations

import weakref

import keras

from keras_ssp.graph import keras_private
from keras_ssp.graph.call_state import CallState
from keras_ssp.graph.calls import Call, Edge, Graph, trace, trace_to
from keras_ssp.types import Operation, Tensor

# Models whose timeline was found right, so that it is not checked at every call. No
# result depends on it, so threads may share it.
_checked: weakref.WeakSet[keras.Model] = weakref.WeakSet()
# The same, for whether a model may have gates.
_joining: weakref.WeakKeyDictionary[keras.Model, bool] = weakref.WeakKeyDictionary()
#: Names of the layers and operations that make a gate of two tensors of spikes.
GATES = ("Multiply", "Maximum", "Minimum")


def role(layer: Operation) -> str | None:
    """The layer's part in the timeline, `None` for ordinary layers."""
    return getattr(layer, "time_role", None)


def spiking_layers(model: keras.layers.Layer) -> list[keras.layers.Layer]:
    """All spiking layers inside `model`, in the order in which they were made."""
    layers = [model, *keras_private.inner_layers(model)]
    return [layer for layer in layers if role(layer) == "spiking"]


def steps_above(tensor: Tensor) -> int | None:
    """T of a symbolic tensor, `None` where no encoding layer is above it.

    Raises:
        ValueError: If the layers above disagree on T.
    """
    graph = trace_to(tensor)
    return time_states(graph)[graph.outputs[0]]


def check_model(model: keras.Model) -> dict[Edge, int | None]:
    """Checks the whole timeline of a Sequential or Functional model.

    Raises:
        ValueError: If layers disagree on T, or an output is still folded.
    """
    return check_graph(trace(model))


def check_graph(graph: Graph) -> dict[Edge, int | None]:
    """Checks the timeline of a traced model; returns the T of every tensor."""
    states = time_states(graph)
    encoded = any(role(call.layer) == "encoding" for call in graph.calls)
    producers = graph.producers()
    for edge in graph.outputs:
        steps = states[edge]
        if encoded and steps is not None and steps > 1:
            source = producers[edge][0].name if edge in producers else "input"
            raise ValueError(
                f"Layer '{source}' is an output of model '{graph.name}' but still has "
                f"time folded into its batch (T={steps}), so the model would return "
                f"{steps} rows per sample. Remedy: end that branch with "
                "`keras_ssp.layers.RateReadout()`; to look at spikes, use "
                "`keras.Function(model.inputs, layer.output)`."
            )
    return states


def folded_by_caller(graph: Graph) -> int | None:
    """T of a graph without an encoding layer whose layers state one above 1.

    Its input is `(batch * T, ...)`. `None` of every other graph.
    """
    if any(role(call.layer) == "encoding" for call in graph.calls):
        return None
    timed = [c.layer for c in graph.calls if role(c.layer) in ("spiking", "readout")]
    steps = {layer.time_steps for layer in timed if (layer.time_steps or 1) > 1}
    return int(steps.pop()) if len(steps) == 1 else None


def time_states(graph: Graph) -> dict[Edge, int | None]:
    """T of every tensor of a graph, `None` where time is not folded."""
    folded = folded_by_caller(graph)
    states: dict[Edge, int | None] = dict.fromkeys(graph.inputs, folded)
    for call in graph.calls:
        _check_activation(call)
        state = _joined(call, states)
        if role(call.layer) == "encoding":
            if state is not None:
                raise ValueError(
                    f"Encoding layer '{call.name}' receives a tensor in which time is "
                    f"already folded (T={state}): T is stated once, by one encoding "
                    "layer. Remedy: remove the second encoding layer."
                )
            state = call.layer.time_steps
        elif role(call.layer) in ("spiking", "readout"):
            state = _agreed(call, state)
            if role(call.layer) == "readout":
                state = None
        states.update((edge, state) for edge in call.outputs)
    return states


def joins_tensors(inner: keras.Model) -> bool:
    """Whether a functional model multiplies tensors, or takes their maximum.

    Of two tensors of spikes these are gates, which make events of their own.
    """
    found = _joining.get(inner)
    if found is None:
        calls = trace(inner).calls
        found = any(
            type(c.layer).__name__ in GATES and len(c.inputs) > 1 for c in calls
        )
        _joining[inner] = found
    return found


def check_padding(inner: keras.Model) -> None:
    """Refuses layers that would learn from padded time steps.

    Raises:
        ValueError: If a batch normalisation is reached by padded steps and not by the
            mask that names them.
    """
    graph = trace(inner)
    states = time_states(graph)
    told: dict[Edge, bool] = dict.fromkeys(graph.inputs, True)
    for call in graph.calls:
        first = call.inputs[0] if call.inputs else None
        masked = bool(getattr(call.layer, "supports_masking", False))
        reached = first is None or (told[first] and masked)
        if role(call.layer) == "encoding":
            reached = len(call.outputs[0].shape) == 2
        folded = first is not None and states[first] is not None
        norm = isinstance(call.layer, keras.layers.BatchNormalization)
        if norm and folded and not told[call.inputs[0]]:
            raise ValueError(
                f"Layer '{call.name}' would take padded time steps into its "
                "statistics: the mask that names them does not reach it. Remedy: a "
                "normalisation of each row alone, such as "
                "`keras.layers.LayerNormalization`, or batches without padding."
            )
        told.update((edge, reached) for edge in call.outputs)


def on_call(layer: keras.layers.Layer, call: CallState) -> None:
    """Checks, when a layer runs, what could not be checked when it was built.

    The first run of a functional model checks its whole timeline. Where the
    outermost call is of a subclassed model, the T that its encoding layer states
    travels with the call.
    """
    if call.timeline_checked:
        return
    root = keras_private.outermost_call()
    inner = keras_private.functional(root)  # a new one where a layer was popped
    if inner is not None:
        if inner not in _checked:
            check_model(root)
            _checked.add(inner)
        call.timeline_checked = True
        return
    current = call.time_steps
    if role(layer) == "encoding":
        call.time_steps = layer.time_steps
        return
    if current is not None and current > 1:
        _check_in_subclass(layer, current)
    if role(layer) == "readout":
        call.time_steps = None


def _check_in_subclass(layer: keras.layers.Layer, current: int) -> None:
    explicit = layer.time_steps
    if explicit is None and not layer.learned_from_encoding:
        raise ValueError(
            f"Layer '{layer.name}' cannot know T: an encoding layer folded "
            f"{current} steps into the batch, but this layer is not in the same "
            f"functional graph. Remedy: pass `time_steps={current}` to it (or "
            "`time_steps=1` if its own input is not folded)."
        )
    if explicit not in (None, 1, current):
        raise ValueError(
            f"Layer '{layer.name}' has time_steps={explicit}, but the encoding layer "
            f"above it has time_steps={current}. Remedy: make them equal."
        )


def _check_activation(call: Call) -> None:
    activation = getattr(call.layer, "activation", None)
    if activation is not None and role(activation) is not None:
        raise ValueError(
            f"Layer '{call.name}' has the spiking layer '{activation.name}' as its "
            "`activation`: its spikes could be neither counted nor penalised. Remedy: "
            f"make it a layer of its own after '{call.name}'."
        )


def _joined(call: Call, states: dict[Edge, int | None]) -> int | None:
    found = {states[edge] for edge in call.inputs}
    if len(found) > 1:
        listed = ", ".join("not folded" if s is None else f"T={s}" for s in found)
        raise ValueError(
            f"Layer '{call.name}' joins tensors that disagree on time steps: {listed}. "
            "Remedy: let all its inputs pass through the same encoding layer."
        )
    return found.pop() if found else None


def _agreed(call: Call, state: int | None) -> int | None:
    layer = call.layer
    own: int | None = layer.time_steps
    if state is None:
        return own  # no encoding above: T = 1, or a batch the caller folded
    unlearned = own is None and not layer.learned_from_encoding
    if unlearned and layer.steps not in (None, state):
        raise ValueError(
            f"Layer '{call.name}' cannot know T: it was built as part of a model in "
            "which no encoding layer stands above it, and its input now has time "
            f"folded in (T={state}). Remedy: pass `time_steps={state}` to the layer."
        )
    known = own if own is not None else layer.steps
    if known is not None and known != state:
        raise ValueError(
            f"Layer '{call.name}' has time_steps={known}, but the encoding layer above "
            f"it has time_steps={state}. Remedy: drop `time_steps` from "
            f"'{call.name}', T is stated once, in the encoding layer."
        )
    return state
