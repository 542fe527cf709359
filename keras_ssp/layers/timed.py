"""What the layers that know about time steps share."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_ssp import graph
from keras_ssp._checks import positive_int
from keras_ssp.graph import CallState, timeline
from keras_ssp.types import Config, Shape, Tensor


class TimedLayer(keras.layers.Layer):
    """A layer that must know how many time steps are folded into its batch.

    Args:
        time_steps: Positive integer, or `None` to learn it from the encoding layer
            above when the model is built.
    """

    time_role: str

    def __init__(self, *, time_steps: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.time_steps = positive_int("time_steps", time_steps, optional=True)
        self._learned_steps: int | None = None
        self.learned_from_encoding = False

    @property
    def steps(self) -> int | None:
        """T as given or learned; `None` while it is unknown."""
        return self.time_steps if self.time_steps is not None else self._learned_steps

    def learn_steps(self, tensor: Tensor) -> int:
        """Learns T from the graph above a symbolic tensor and returns it."""
        if not graph.has_history(tensor):
            return self.steps or 1  # replayed inside an outer model: nothing to learn
        above = timeline.steps_above(tensor)
        known = self.steps if self.learned_from_encoding else self.time_steps
        if above is not None and known is not None and known != above:
            raise ValueError(
                f"Layer '{self.name}' has time_steps={known}, but the encoding layer "
                f"above it has time_steps={above}. Remedy: drop `time_steps` from "
                f"'{self.name}': T is stated once, in the encoding layer."
            )
        if above is None and self.learned_from_encoding:
            raise ValueError(
                f"Layer '{self.name}' is shared between a place with T="
                f"{self._learned_steps} and one with no encoding layer above it. "
                "Remedy: use two layers."
            )
        self.learned_from_encoding = above is not None and self.time_steps is None
        self._learned_steps = above or 1
        return self.steps or 1

    def running_steps(self, tensor: Tensor, call: CallState) -> int:
        """T at run time, after the checks that only a running model allows."""
        timeline.on_call(self, call)
        steps = self.steps or 1
        rows = tensor.shape[0]
        # JAX exports with a symbol for the number of rows, which is no int.
        if isinstance(rows, int) and rows % steps:
            raise ValueError(
                f"Layer '{self.name}' must receive a batch that is a multiple of its "
                f"time_steps={steps}. Received: shape={tuple(tensor.shape)}."
            )
        return steps

    def get_config(self) -> Config:
        return {**super().get_config(), "time_steps": self.time_steps}


def batch_rows(rows: int | None, steps: int) -> int | None:
    """Samples in a static number of folded rows."""
    return None if rows is None else rows // steps


def require_features(layer: keras.layers.Layer, shape: Shape) -> None:
    """Rejects inputs without a batch axis and at least one feature axis."""
    if len(shape) < 2:
        raise ValueError(
            f"Layer '{layer.name}' must receive a tensor with a batch axis and at "
            f"least one more. Received: shape={tuple(shape)}."
        )


def repeat_rows(x: Tensor, steps: int) -> Tensor:
    """`(batch, ...)` to `(batch * steps, ...)`, batch-major."""
    return ops.repeat(x, steps, axis=0)
