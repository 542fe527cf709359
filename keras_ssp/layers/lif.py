"""Leaky integrate-and-fire neurons."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_ssp import surrogates
from keras_ssp._checks import boolean, one_of, real
from keras_ssp.kernels import Dynamics, is_infinite, is_nan
from keras_ssp.layers.neurons import register_neuron
from keras_ssp.layers.spiking import SpikingLayer
from keras_ssp.surrogates import Surrogate, SurrogateLike
from keras_ssp.types import Tensor, TensorLike

RESETS = ("hard", "soft", "none")
_BETA = 0.5
# Half-base of the default surrogate, in thresholds: at 1 its derivative is 0 at rest.
_REACH = 1.25
# As snnTorch calls them.
_ALSO_CALLED = {"zero": "hard", "subtract": "soft"}
# A learned threshold stays above 0: Keras' own smallest number.
_LEAST_THRESHOLD = keras.config.epsilon()


@dataclasses.dataclass(frozen=True)
class LIFDynamics(Dynamics):
    """The equations of `LIF`.

    Forward (`g` is the surrogate derivative at `v - threshold`):

        v[t] = beta * u[t-1] + x[t]
        s[t] = 1 if v[t] >= threshold else 0
        u[t] = 0 if s[t] else v[t]          reset="hard"
               v[t] - threshold * s[t]      reset="soft"
               v[t]                         reset="none"

    A NaN gives NaN for a spike; an infinite potential fires and is reset as any other.
    Backward, with `ds`, `du` the gradients that reach `s[t]`, `u[t]`:

        hard:  e = ds - du * v   (ds alone if detached);  dv = du * (1 - s) + g * e
        soft:  e = ds - du * threshold  (ds alone ...);   dv = du + g * e
        none:  e = ds;                                    dv = du + g * e
        dx[t] = dv;  du[t-1] += beta * dv;  dbeta += dv * u[t-1]
        dthreshold -= g * e, and in the soft reset also du * s
    """

    surrogate: Surrogate
    reset: str = "hard"
    detach_reset: bool = False
    initial_potential: float = 0.0

    parameters = ("beta", "threshold")
    keeps_nan = True

    def initial(self) -> tuple[float, ...]:
        return (self.initial_potential,)

    def forward(
        self, state: tuple[Tensor, ...], x: Tensor, parameters: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        (u,), (beta, threshold) = state, parameters
        v = beta * u + x
        fires = v >= threshold
        s = ops.where(is_nan(v), v, ops.cast(fires, v.dtype))
        if self.reset == "hard":  # not v * (1 - s): infinity times 0 is NaN
            return s, (ops.where(fires, ops.zeros_like(v), v),)
        if self.reset == "soft":
            return s, (v - threshold * s,)
        return s, (v,)

    def backward(
        self,
        state: tuple[Tensor, ...],
        x: Tensor,
        parameters: tuple[Tensor, ...],
        ds: Tensor,
        d_state: tuple[Tensor, ...],
    ) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor | float, ...]]:
        (u,), (beta, threshold), (du,) = state, parameters, d_state
        v = beta * u + x
        s = ops.cast(v >= threshold, v.dtype)
        g = self.surrogate.derivative(v - threshold)
        error, dv, dthreshold = ds, du, 0.0
        if self.reset == "hard":
            if not self.detach_reset:
                # The surrogate of an infinite potential is 0 in the limit, with v.
                error = ds - du * ops.where(is_infinite(v), ops.zeros_like(v), v)
            dv = du * (1.0 - s)
        elif self.reset == "soft":
            if not self.detach_reset:
                error = ds - du * threshold
            dthreshold = -du * s
        through_spike = g * error
        dv = dv + through_spike
        return dv, (beta * dv,), (dv * u, dthreshold - through_spike)


@register_neuron("lif", package="keras_ssp")
class LIF(SpikingLayer):
    """Leaky integrate-and-fire neurons, a drop-in for `ReLU()`.

    For every neuron and time step:

        v[t] = beta * u[t-1] + x[t]
        s[t] = 1 if v[t] >= threshold else 0
        u[t] = 0 if s[t] else v[t]         reset="hard"
               v[t] - threshold * s[t]     reset="soft"
               v[t]                        reset="none"

    The derivative of the step is replaced by a surrogate in the backward pass.
    `beta=1` is the integrate-and-fire neuron, T = 1 the single-step network.
    Time is folded into the batch, batch-major: row `b * T + t` is sample `b` at
    step `t`. In a Sequential or Functional model T is learned from the encoding
    layer above (T = 1 without one); elsewhere give `time_steps`.

    Args:
        beta: Float in [0, 1], the share of potential kept from step to step.
            Defaults to 0.5.
        threshold: Positive float, the potential at which a neuron fires (`>=`).
            Defaults to 1.0.
        reset: `"hard"` (to 0), `"soft"` (subtract the threshold) or `"none"`.
            Defaults to `"hard"`. `"zero"` and `"subtract"`, as elsewhere, are
            understood.
        surrogate: Name, config or `keras_ssp.surrogates.Surrogate`. Defaults to a
            `Triangle` of width `max(1, 1.25 * threshold)`: wide enough to reach neurons
            at rest, so that layers with Keras' own initialisers, without normalisation,
            learn (measured in docs/results/defaults.md). `"triangle"`, of width 1, is
            that of the networks of `keras_ssp.models`.
        detach_reset: Whether the backward pass ignores the reset's dependence on
            the spike. Defaults to `False`.
        learn_beta: Whether `beta` is a trainable weight (kept within [0, 1]).
        learn_threshold: Whether `threshold` is a trainable weight (kept positive).
        initial_potential: Float, `u[-1]`. Defaults to 0.0.
        return_potential: Whether the layer returns `[spikes, u]` instead of spikes.
        time_steps: Positive integer T, or `None` to learn it from the model.
        fan_out: Synapses that each neuron's spike drives, a number or an array
            that broadcasts against the features. Needed in subclassed models,
            which have no graph to read; elsewhere it replaces what is counted.
        **kwargs: Arguments of `keras.layers.Layer`; and `tau`, a time constant of at
            least 1 in steps, in place of `beta`: `beta = 1 - 1 / tau`. (SpikingJelly's
            `LIFNode(tau)` also divides the input by tau; here it is not.)

    Input shape: `(batch * T, ...)`. Output shape: the same; a list of two such
    tensors with `return_potential=True`.

    Raises:
        ValueError: If an argument is not of the kind given above, layers disagree on
            T, or T cannot be known.

    Example:

    >>> layer = LIF(beta=0.5, time_steps=3)
    >>> x = np.array([[0.8], [0.8], [0.8]], "float32")  # one sample, three steps
    >>> np.asarray(layer(x)).ravel().tolist()
    [0.0, 1.0, 0.0]

    Reference: Suetake et al., arXiv 2302.01500; surrogate gradients after Neftci
    et al., IEEE Signal Processing Magazine 36 (2019).
    """

    ranges = {"beta": (0.0, 1.0), "threshold": (_LEAST_THRESHOLD, None)}

    def __init__(
        self,
        beta: float = _BETA,
        *,
        threshold: float = 1.0,
        reset: str = "hard",
        surrogate: SurrogateLike | None = None,
        detach_reset: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        initial_potential: float = 0.0,
        return_potential: bool = False,
        time_steps: int | None = None,
        fan_out: TensorLike | None = None,
        **kwargs: Any,
    ) -> None:
        if "tau" in kwargs:
            beta = _beta_of(kwargs.pop("tau"), beta)
        super().__init__(
            return_potential=return_potential,
            time_steps=time_steps,
            fan_out=fan_out,
            **kwargs,
        )
        self.beta = real("beta", beta, low=0.0, high=1.0)
        self.threshold = real("threshold", threshold, above=0.0)
        known = isinstance(reset, str) and reset in _ALSO_CALLED
        self.reset = _ALSO_CALLED[reset] if known else one_of("reset", reset, RESETS)
        if surrogate is None:
            surrogate = surrogates.Triangle(max(1.0, _REACH * self.threshold))
        self.surrogate = surrogates.get(surrogate)
        self.detach_reset = boolean("detach_reset", detach_reset)
        self.learn_beta = boolean("learn_beta", learn_beta)
        self.learn_threshold = boolean("learn_threshold", learn_threshold)
        self.initial_potential = real("initial_potential", initial_potential)

    def dynamics(self) -> LIFDynamics:
        return LIFDynamics(
            surrogate=self.surrogate,
            reset=self.reset,
            detach_reset=self.detach_reset,
            initial_potential=self.initial_potential,
        )


def _beta_of(tau: Any, beta: float) -> float:
    """`beta` of a time constant."""
    tau = real("tau", tau, low=1.0)
    if beta != _BETA:
        raise ValueError(
            "`tau` must be given in place of `beta`, not beside it. Received: "
            f"tau={tau}, beta={beta}."
        )
    return 1.0 - 1.0 / tau
