"""What the layers of this package tell each other within one call of a model.

A model is called; deep inside, layers run that must know what ran before them: which T
the encoding layer stated, how often a layer was called, what the penalty adds up to so
far. That is kept here for each outermost call under way, and gone when it ends. Each
thread, and each context, has states of its own.
"""

from __future__ import annotations

import dataclasses
import weakref
from contextvars import ContextVar
from typing import NamedTuple

import keras

from keras_ssp.graph import keras_private
from keras_ssp.types import Tensor


class Scaled(NamedTuple):
    """What the last batch norm has made, `outputs = inputs * scale + shift`.

    Scale and shift are one number per feature of the last axis.
    """

    outputs: Tensor
    inputs: Tensor
    scale: Tensor
    shift: Tensor


@dataclasses.dataclass(eq=False)
class CallState:
    """The state of the outermost call under way.

    Args:
        timeline_checked: Whether the time steps of the whole model were checked.
        time_steps: T that an encoding layer has folded into the batch, in models
            that have no graph to read.
        valid: Which rows hold a time step of the data, `(batch * T,)` booleans; the
            others are padding. `None` where all do.
        encoded: Whether an encoding layer has run.
        omegas: What penalised layers have added to the penalty so far, in order, for
            each penalty that `penalize` put on a model, and each run of that model.
        normed: What the last batch norm has made, until a spiking layer takes it.
        repeated: What `DirectEncoding` has made, and of what, until it is taken.
        made: Spikes that are needed again, by layer and number of its call.
    """

    timeline_checked: bool = False
    time_steps: int | None = None
    valid: Tensor | None = None
    encoded: bool = False
    omegas: dict[tuple[str, int], list[Tensor]] = dataclasses.field(
        default_factory=dict
    )
    normed: Scaled | None = None
    repeated: tuple[Tensor, Tensor] | None = None
    made: dict[tuple[int, int], Tensor] = dataclasses.field(default_factory=dict)
    _counts: dict[int, int] = dataclasses.field(default_factory=dict)
    _losses: dict[int, tuple[weakref.ref[object] | None, Tensor]] = dataclasses.field(
        default_factory=dict
    )

    def made_of(self, x: Tensor) -> Scaled | None:
        """How the last batch norm has made `x`, if it has; forgotten once asked."""
        found, self.normed = self.normed, None
        return found if found is not None and found.outputs is x else None

    def repeat_of(self, x: Tensor) -> Tensor | None:
        """What `x` repeats at each step, if it does; forgotten once asked."""
        found, self.repeated = self.repeated, None
        return found[1] if found is not None and found[0] is x else None

    def counted(self, layer: keras.layers.Layer) -> int:
        """How often `layer` ran before within this call."""
        return self._counts.get(id(layer), 0)

    def count(self, layer: keras.layers.Layer) -> int:
        """How often `layer` ran before within this call; counts this time too."""
        index = self.counted(layer)
        self._counts[id(layer)] = index + 1
        return index

    def with_cleared(self, layer: keras.layers.Layer, loss: Tensor) -> Tensor:
        """A loss that `layer` is to add, and its earlier ones that Keras has cleared.

        The JAX trainer clears the losses inside a nested model at each of its calls;
        those of the calls before would be lost.
        """
        found = keras_private.losses_context()
        # Weakly: the state is kept under this very context, and would keep it alive,
        # and the model with it.
        context = None if found is None else weakref.ref(found)
        last, earlier = self._losses.get(id(layer), (context, 0.0))
        self._losses[id(layer)] = context, earlier + loss
        return loss if last == context else earlier + loss


_States = weakref.WeakKeyDictionary[object, CallState]
_states: ContextVar[_States] = ContextVar("keras_ssp_call_states")


def call_state() -> CallState:
    """The state of the outermost call under way.

    A fresh one, forgotten at once, where no call is under way.
    """
    call = keras_private.call_under_way()
    if call is None:
        return CallState()
    states = _states.get(None)
    if states is None:
        states = weakref.WeakKeyDictionary()
        _states.set(states)
    state = states.get(call)
    if state is None:
        state = states[call] = CallState()
    return state
