"""Who says aloud, in plain `fit`, that a layer was silent or saturated in an epoch."""

from __future__ import annotations

import math
import warnings
import weakref
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ssp._rates import SATURATED, SILENT, flag_of
from keras_ssp.kernels import keeps_state, leaves_python, within_step
from keras_ssp.types import Tensor

#: What helps a layer that never fires.
CURE = (
    "a BatchNormalization before it, kernel_initializer='he_normal' in the layer "
    "before it, or a lower threshold"
)
#: What a flag of a layer means, and what helps.
REMEDIES = {
    SILENT: ("never fires", f"{CURE}; or a lower lambda"),
    SATURATED: ("fires at nearly every step", "a higher threshold, or weaker inputs"),
}
_NOTHING_SEEN = (math.inf, math.inf)


class SpikeWatch(keras.metrics.Metric):
    """Warns, once, of a layer that was silent or saturated in a whole epoch of `fit`.

    Silent: not one spike in all training batches of the epoch. Saturated: a rate of
    0.95 or more in each of them. It is a metric because Keras tells a layer
    of the ends of epochs only through its metrics; it measures nothing, has no
    variables and adds nothing to the logs.

    Args:
        layer: A spiking layer. Its variable `rates_seen` holds the least rate of a
            batch since the epoch began, and the largest one, negative.
    """

    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__(name=f"{layer.name}_watch")
        # Weakly: Keras saves what metrics hold, and the layer holds this one.
        self._layer = weakref.ref(layer)
        #: What has been warned of.
        self.said: set[str] = set()
        self._left_out: set[str] = set()
        self._stepping = False
        self._looked = False

    def variable(self) -> keras.Variable:
        """What holds the rates: Keras on JAX lets nothing else out of a compiled step.

        Each of several replicas has its own while it runs. Were they to agree on it in
        the middle of a call, TensorFlow would run parts of their calls in turns, and
        one would clear the losses of the other.
        """
        return keras.Variable(
            keras.initializers.Constant(math.inf),
            shape=(2,),
            dtype="float32",
            trainable=False,
            autocast=False,
            aggregation="mean",
            synchronization="on_read",
            name="rates_seen",
        )

    def see(self, spikes: Tensor) -> None:
        """Takes the spikes of one training batch into account."""
        layer = self._layer()
        if layer is None or leaves_python() or not keeps_state():
            return
        # Not a mean: an empty batch, as one of several replicas may get, has none.
        spikes = ops.cast(ops.stop_gradient(spikes), "float32")
        count = math.prod(ops.shape(spikes))
        if isinstance(count, int):  # a number: a GPU would be waited for
            rate = ops.sum(spikes) / max(count, 1)
        else:
            rate = ops.sum(spikes) / ops.maximum(ops.cast(count, "float32"), 1.0)
        rates = ops.stack([rate, -rate])
        layer.rates_seen.assign(ops.minimum(layer.rates_seen, rates))
        self._stepping = True

    def leave_out(self, flag: str) -> None:
        """Says nothing of a flag in this epoch: somebody else does."""
        self._left_out.add(flag)

    def reset_state(self) -> None:
        self._stepping = self._looked = False
        self._left_out.clear()
        layer = self._layer()
        if layer is not None and layer.built:
            layer.rates_seen.assign(_NOTHING_SEEN)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the layer itself tells what it emits."""

    def result(self) -> dict[str, Tensor]:
        # Keras asks in each step, which may be traced or not, and once more, outside
        # of all steps, when the epoch has ended.
        stepping, self._stepping = self._stepping, False
        if not (stepping or self._looked or within_step()):
            self._looked = True
            self._judge()
        return {}

    def _judge(self) -> None:
        layer = self._layer()
        if layer is None or not layer.built:
            return
        seen = layer.rates_seen + 0.0  # of several devices: by an operation alone
        least, most = np.array(ops.convert_to_numpy(seen)) * (1, -1)
        flag = flag_of(least, most) if least < math.inf else None
        if flag is None or flag in self.said | self._left_out:
            return
        self.said.add(flag)
        does, remedy = REMEDIES[flag]
        warnings.warn(
            f"Layer '{layer.name}' is {flag}: it {does}, in all of this epoch's "
            "training batches, so it hands on nothing that its input decides. "
            f"Remedy: {remedy}.",
            stacklevel=2,
        )
