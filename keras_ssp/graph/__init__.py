"""Reads a Keras model: its calls, its time steps, and how to build another from it."""

from keras_ssp.graph.keras_private import (
    Call,
    Edge,
    Graph,
    call_store,
    forget_compiled,
    functional,
    has_history,
    inner_layers,
    is_graph_model,
    losses_context,
    outermost_call,
    trace,
    trace_to,
)

__all__ = [
    "Call",
    "Edge",
    "Graph",
    "call_store",
    "forget_compiled",
    "functional",
    "has_history",
    "inner_layers",
    "is_graph_model",
    "losses_context",
    "outermost_call",
    "trace",
    "trace_to",
]
