"""Spikes as they are made, and who listens to them.

The energy meter runs a model and listens to the spikes of all its layers:

    with listening(hook):
        model(x, training=False)

Only what runs inside the block, in the same thread, is heard.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import keras

from keras_ssp import graph
from keras_ssp.graph import CallState, timeline
from keras_ssp.types import Tensor

#: `hook(layer, call_index, spikes, time_steps)`; spikes are `(batch * T, ...)`.
EventHook = Callable[[keras.layers.Layer, int, Tensor, int], None]

# A context variable: a measurement in one thread must not hear the models of another.
_listeners: ContextVar[tuple[EventHook, ...]] = ContextVar(
    "keras_ssp_listeners", default=()
)


@contextlib.contextmanager
def listening(hook: EventHook) -> Iterator[None]:
    """Calls `hook` for every tensor of spikes made inside the block."""
    token = _listeners.set((*_listeners.get(), hook))
    try:
        yield
    finally:
        _listeners.reset(token)


class EventSource:
    """Mixin of layers whose output consists of events (spikes)."""

    #: Whether the output tensor number 0 holds events.
    emits_events = True

    def _needed_again(self) -> bool:
        """Whether a gate or a target may weigh these spikes together with others."""
        if getattr(self, "time_role", None) == "encoding":
            return True  # no more than the input itself
        running = graph.functional_under_way()
        return running is not None and timeline.joins_tensors(running)

    def announce(self, spikes: Tensor, steps: int, call: CallState) -> int:
        """Tells all listeners about new spikes; returns the call's index."""
        index = call.count(self)
        if self._needed_again():
            call.made[id(self), index] = spikes
        for hook in _listeners.get():
            hook(self, index, spikes, steps)
        return index
