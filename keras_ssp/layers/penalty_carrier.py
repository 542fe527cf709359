"""What a spiking layer needs to carry a penalty: lambda, the loss, saving both."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from keras_ssp.graph import CallState, keras_private
from keras_ssp.kernels import leaves_python
from keras_ssp.layers.events import EventSource
from keras_ssp.layers.timed import TimedLayer
from keras_ssp.types import Config, Tensor

# What the penalty of a layer is called among its saved weights.
_PENALTY = "penalty"


class LayerPenalty(Protocol):
    """What a spiking layer asks of the penalty that was put on it."""

    @property
    def penalty(self) -> Any:
        """The `SpikePenalty` itself."""

    @property
    def weight(self) -> float:
        """lambda, as the penalty was given it."""

    @property
    def group(self) -> str:
        """The same for all layers that the penalty was put on together."""

    @property
    def factor(self) -> float:
        """What the layer's Omega is multiplied by in the sum of its group."""

    def place(self, layer: PenaltyCarrier, index: int) -> PlacedPenalty:
        """The penalty at the layer's call number `index` in the outermost call."""


class PlacedPenalty(Protocol):
    """What a spiking layer asks of its penalty while it runs."""

    @property
    def only_fired(self) -> bool:
        """Whether only spikes that are 1 have a gradient."""

    def loop_weights(self) -> Tensor | None:
        """Weights `(neurons,)` that `kernels.run_loop` is to be given, if any."""

    def loss(
        self, spikes: Tensor, steps: int, call: CallState, inlet: Tensor | None
    ) -> Tensor | None:
        """The loss, without lambda, that the call is to add, if any.

        `inlet` is that of the loop where it was given the weights.
        """


class PenaltyCarrier(EventSource, TimedLayer):
    """A layer whose spikes a penalty may weigh; the base of `SpikingLayer`.

    lambda is a variable of the layer, `penalty_weight`, but none of its `weights`. The
    penalty goes with the layer's config when a model is saved or cloned.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._penalty: LayerPenalty | None = None
        self._first_lambda = 0.0

    def add_penalty_weight(self) -> None:
        """Makes the variable that holds lambda; `build` calls it."""
        # lambda lives in a variable, so that a schedule, a controller or a tuner can
        # move it without tracing the model again.
        self.penalty_weight = self.add_weight(
            name="penalty_weight",
            shape=(),
            initializer=keras.initializers.Constant(self._first_lambda),
            trainable=False,
            dtype="float32",
            autocast=False,
        )

    def get_config(self) -> Config:
        config: Config = super().get_config()
        if self._penalty is not None:
            config["penalty"] = keras.saving.serialize_keras_object(self._penalty)
            if self.penalty_weight_now != self._penalty.weight:
                config["penalty_weight"] = self.penalty_weight_now
        return config

    @classmethod
    def from_config(cls, config: Config) -> PenaltyCarrier:
        config = dict(config)
        penalty = config.pop("penalty", None)
        weight = config.pop("penalty_weight", None)
        layer = cls(**config)
        if penalty is not None:
            layer.bind_penalty(keras.saving.deserialize_keras_object(penalty), weight)
        return layer

    def placed_penalty(self, call: CallState) -> PlacedPenalty | None:
        """The penalty on what the layer is about to emit, if any."""
        if self._penalty is None or leaves_python():
            return None
        return self._penalty.place(self, call.counted(self))

    def emit(
        self,
        spikes: Tensor,
        steps: int,
        call: CallState,
        placed: PlacedPenalty | None = None,
        inlet: Tensor | None = None,
    ) -> None:
        """Tells who listens of the spikes, and adds the penalty on them to the loss.

        Args:
            spikes: `(batch * steps, ...)`.
            steps: T.
            call: The outermost call under way.
            placed: The penalty on them.
            inlet: Where its gradient enters the loop, if the loop has its weights.
        """
        self.announce(spikes, steps, call)
        if placed is None:
            return
        loss = placed.loss(spikes, steps, call, inlet)
        if loss is not None:
            loss = self.penalty_weight * call.with_cleared(self, loss)
            # Keras adds losses up in its own default dtype, and wants them in it.
            self.add_loss(ops.cast(loss, keras.config.floatx()))

    def rematerialized_call(
        self, layer_call: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Callable[..., Any]:
        # The loop keeps nothing but its input as it is. Run again by Keras, the penalty
        # would lose its gradient (TensorFlow) or its trace (JAX).
        return layer_call

    @property
    def weights(self) -> list[keras.Variable]:
        # Without lambda: weights that are copied from another network, kept as the best
        # of a training or loaded from a file must not take a penalty along. Nor what
        # was seen of a training.
        own = [getattr(self, name, None) for name in ("penalty_weight", "rates_seen")]
        return [w for w in super().weights if not any(w is k for k in own)]

    def save_own_variables(self, store: Any) -> None:
        for k, weight in enumerate(self.weights):
            store[str(k)] = weight
        if self._penalty is not None:
            # For a model class that makes its layers itself, without their configs.
            penalty = keras.saving.serialize_keras_object(self._penalty)
            kept = json.dumps({"penalty": penalty, "weight": self.penalty_weight_now})
            store[_PENALTY] = np.frombuffer(kept.encode(), "uint8")

    def load_own_variables(self, store: Any) -> None:
        keys, weights = set(store.keys()), self.weights
        numbered = len(keys - {_PENALTY})
        # Older files have lambda, as the last of the weights.
        with_lambda = self.built and numbered == len(weights) + 1
        if numbered != len(weights) and not with_lambda:
            raise ValueError(
                f"Layer '{self.name}' expected {len(weights)} variables, but received "
                f"{numbered} variables during loading. "
                f"Expected: {[w.name for w in weights]}."
            )
        for k, weight in enumerate(weights):
            weight.assign(store[str(k)])
        # Of a file of weights alone, the penalty that it was trained with stays there.
        if not keras_private.within_load_model():
            return
        if _PENALTY in keys:
            kept = json.loads(bytes(np.asarray(store[_PENALTY], "uint8")))
            if self._penalty is None:
                self._penalty = keras.saving.deserialize_keras_object(kept["penalty"])
            self.penalty_weight.assign(kept["weight"])
        elif with_lambda:
            self.penalty_weight.assign(store[str(len(weights))])

    @property
    def penalty(self) -> Any:
        """The `SpikePenalty` that `penalize` put on this layer, or `None`."""
        return None if self._penalty is None else self._penalty.penalty

    @property
    def bound_penalty(self) -> LayerPenalty | None:
        """The penalty together with the places where it weighs this layer's spikes."""
        return self._penalty

    @property
    def penalty_weight_now(self) -> float:
        """lambda as it is now, a number."""
        if not self.built:
            return self._first_lambda
        # Not float(...): a variable of several devices is read by an operation alone.
        return float(ops.convert_to_numpy(self.penalty_weight + 0.0))

    def bind_penalty(
        self, bound: LayerPenalty | None, weight: float | None = None
    ) -> None:
        """Sets or removes (`None`) the penalty; users call `penalize` instead.

        Args:
            bound: The penalty.
            weight: lambda. Defaults to the penalty's own.
        """
        self._penalty = bound
        own = 0.0 if bound is None else bound.weight
        self._first_lambda = own if weight is None else weight
        if self.built:
            self.penalty_weight.assign(self._first_lambda)
