"""Neurons as a user would add them: one that adapts, one with recurrent weights.

Not registered here: the names would then be known to all tests of this process.
"""

import dataclasses

import keras
from keras import ops

from keras_ssp import LIF, surrogates
from keras_ssp.layers import Dynamics, SpikingLayer


@dataclasses.dataclass(frozen=True)
class AdaptiveDynamics(Dynamics):
    """Two states: each spike raises the threshold, which decays to 1."""

    surrogate: surrogates.Surrogate
    gain: float

    state = ("potential", "adaptation")
    parameters = ("beta", "decay")

    def forward(self, state, x, parameters):
        (u, a), (beta, decay) = state, parameters
        v = beta * u + x
        s = ops.cast(v >= 1.0 + a, v.dtype)
        return s, (v * (1.0 - s), decay * a + self.gain * s)

    def backward(self, state, x, parameters, ds, d_state):
        (u, a), (beta, decay), (du, da) = state, parameters, d_state
        v = beta * u + x
        s = ops.cast(v >= 1.0 + a, v.dtype)
        e = self.surrogate.derivative(v - 1.0 - a) * (ds - du * v + self.gain * da)
        dv = du * (1.0 - s) + e
        return dv, (beta * dv, decay * da - e), (dv * u, da * a)


@keras.saving.register_keras_serializable(package="tests")
class Adaptive(SpikingLayer):
    """A scalar parameter, and one that is learned per neuron."""

    ranges = {"beta": (0.0, 1.0)}

    def __init__(
        self,
        beta=0.5,
        *,
        decay=0.9,
        gain=0.25,
        surrogate="triangle",
        learn_beta=False,
        learn_decay=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.beta, self.decay, self.gain = beta, decay, gain
        self.learn_beta, self.learn_decay = learn_beta, learn_decay
        self.surrogate = surrogates.get(surrogate)

    def dynamics(self):
        return AdaptiveDynamics(self.surrogate, self.gain)

    def parameter_weight(self, name):
        if name != "decay":
            return super().parameter_weight(name)
        return self.add_weight(
            name=name,
            shape=self.feature_shape,
            initializer=keras.initializers.Constant(self.decay),
            dtype="float32",
        )

    def parameter(self, name):
        value = super().parameter(name)
        return ops.reshape(value, (-1,)) if len(value.shape) else value


@dataclasses.dataclass(frozen=True)
class RecurrentDynamics(Dynamics):
    """The spikes of the step before come back through a matrix."""

    surrogate: surrogates.Surrogate

    state = ("potential", "spikes")
    parameters = ("beta", "kernel")

    def forward(self, state, x, parameters):
        (u, back), (beta, kernel) = state, parameters
        v = beta * u + x + ops.matmul(back, kernel)
        s = ops.cast(v >= 1.0, v.dtype)
        return s, (v * (1.0 - s), s)

    def backward(self, state, x, parameters, ds, d_state):
        (u, back), (beta, kernel), (du, d_back) = state, parameters, d_state
        v = beta * u + x + ops.matmul(back, kernel)
        s = ops.cast(v >= 1.0, v.dtype)
        e = self.surrogate.derivative(v - 1.0) * (ds + d_back - du * v)
        dv = du * (1.0 - s) + e
        before = (beta * dv, ops.matmul(dv, ops.transpose(kernel)))
        return dv, before, (dv * u, ops.matmul(ops.transpose(back), dv))


@keras.saving.register_keras_serializable(package="tests")
class Recurrent(SpikingLayer):
    """Fully recurrent neurons on `(batch * T, units)`."""

    learn_kernel = True

    def __init__(self, beta=0.5, *, surrogate="triangle", **kwargs):
        super().__init__(**kwargs)
        self.beta = beta
        self.surrogate = surrogates.get(surrogate)

    def dynamics(self):
        return RecurrentDynamics(self.surrogate)

    def parameter_weight(self, name):
        (units,) = self.feature_shape
        return self.add_weight(
            name="kernel", shape=(units, units), initializer="glorot_uniform"
        )


def like_lif(kind):
    """Dynamics of a kind of `LIF`'s, with what `LIF()` has."""
    dynamics = LIF().dynamics()
    fields = {f.name: getattr(dynamics, f.name) for f in dataclasses.fields(dynamics)}
    return kind(**fields)
