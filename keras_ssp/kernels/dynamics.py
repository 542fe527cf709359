"""What a kernel must know of a neuron: its state, its parameters, one step each way."""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import ClassVar, NamedTuple

from keras import ops

from keras_ssp.types import Tensor


class Dynamics(abc.ABC):
    """The equations of one kind of neuron, over which all kernels loop.

    A subclass is a frozen dataclass: its fields are what is fixed (a surrogate, the
    kind of reset), and compiled loops are kept by it. It names its state and its
    parameters in the order in which the two steps take and give them, and writes the
    steps with `keras.ops` and arithmetic only. All tensors are `(batch, neurons)`,
    float32 (float64 for float64 input); parameters are scalars, `(neurons,)`, or
    matrices such as recurrent weights, `(neurons, neurons)`. Each row is computed on
    its own: kernels hand over several steps of a sample as rows.

    A leaky integrator that fires and keeps its potential:

        @dataclasses.dataclass(frozen=True)
        class Leaky(Dynamics):
            surrogate: Surrogate
            parameters = ("beta",)

            def forward(self, state, x, parameters):
                (u,), (beta,) = state, parameters
                v = beta * u + x                          # v[t] = beta u[t-1] + x[t]
                return ops.cast(v >= 1.0, v.dtype), (v,)  # s[t], u[t] = v[t]

            def backward(self, state, x, parameters, ds, d_state):
                (u,), (beta,), (du,) = state, parameters, d_state
                v = beta * u + x
                dv = du + ds * self.surrogate.derivative(v - 1.0)
                return dv, (beta * dv,), (dv * u,)
    """

    #: Names of what a neuron keeps from one step to the next.
    state: ClassVar[tuple[str, ...]] = ("potential",)
    #: Names of the numbers that it is described by; each may be learned.
    parameters: ClassVar[tuple[str, ...]] = ()
    #: Whether `forward` itself answers NaN with NaN. Where not, the loop puts a NaN
    #: where the input is one: what is not finite must not look like silence.
    keeps_nan: ClassVar[bool] = False

    def initial(self) -> tuple[float, ...]:
        """The state before the first step, a number for each name. Defaults to 0."""
        return (0.0,) * len(self.state)

    @abc.abstractmethod
    def forward(
        self, state: tuple[Tensor, ...], x: Tensor, parameters: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step: `state[t-1], x[t]` to `s[t], state[t]`.

        Args:
            state: State after the step before.
            x: Input current of this step.
            parameters: The parameters.

        Returns:
            Spikes, exactly 0 or 1 (NaN where they cannot be known), and the state
            after this step.
        """

    @abc.abstractmethod
    def backward(
        self,
        state: tuple[Tensor, ...],
        x: Tensor,
        parameters: tuple[Tensor, ...],
        ds: Tensor,
        d_state: tuple[Tensor, ...],
    ) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor | float, ...]]:
        """One step of backpropagation through time.

        Args:
            state: State after the step before, as `forward` was given it.
            x: Input current of this step.
            parameters: The parameters.
            ds: Gradient that reaches the spikes of this step.
            d_state: Gradient that reaches the state after this step.

        Returns:
            Gradients with respect to `x` and to `state`, and this step's terms of the
            gradient with respect to each parameter: `(batch, neurons)`, which the
            kernel sums over the axes that the parameter does not have; of a matrix,
            its own shape.
        """


class Affine(NamedTuple):
    """What a loop's input was made of, `values * scale + shift`, as by a batch norm.

    Args:
        values: `(batch, time, neurons)`.
        scale: Float32 `(neurons,)`.
        shift: Float32 `(neurons,)`.
    """

    values: Tensor
    scale: Tensor
    shift: Tensor


@dataclasses.dataclass(frozen=True)
class LoopSpec:
    """What is fixed when the loop is built; compiled loops are kept by it.

    Args:
        dynamics: The neuron.
        time_steps: T.
        record: Numbers of the states that are returned along with the spikes.
        learned: For each parameter whether its gradient is wanted.
        only_fired: Whether what enters by the inlet reaches only spikes that are 1.
    """

    dynamics: Dynamics
    time_steps: int
    record: tuple[int, ...] = ()
    learned: tuple[bool, ...] = ()
    only_fired: bool = False


def is_nan(values: Tensor) -> Tensor:
    """`ops.isnan`, which PyTorch's compiler for CPUs runs number by number."""
    return ops.not_equal(values, values)


def is_infinite(values: Tensor) -> Tensor:
    """`ops.isinf`, for the same reason."""
    return ops.equal(ops.abs(values), math.inf)


def loop_dtype(dtype: str) -> str:
    """The dtype in which states are kept."""
    return "float64" if dtype == "float64" else "float32"
