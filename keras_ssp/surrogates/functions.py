"""Spike functions: a step forward, a surrogate derivative backward.

Every surrogate maps `x = v - threshold` to a spike, exactly 0 or 1, with
`H(0) = 1`. In the backward pass, the derivative of the step, which is zero almost
everywhere, is replaced by `derivative(x)`. The first line of every class gives it;
the arguments are positive finite numbers, widths in units of the potential and
slopes in inverse units. Where a class says nothing else, its defaults are ours.
"""

from __future__ import annotations

import math

from keras import ops

from keras_ssp._checks import real
from keras_ssp.surrogates.base import Surrogate, register
from keras_ssp.types import Tensor


def _positive(name: str, value: float) -> float:
    return real(name, value, above=0.0)


# Far from the threshold a product or a square may overflow to inf in float16. Each
# formula below is written so that inf then gives 0: no inf - inf, no 0 * inf.


def _logistic(x: Tensor, slope: float) -> Tensor:
    e = ops.exp(-slope * ops.abs(x))
    return slope * e / ops.square(1.0 + e)


def _normal(x: Tensor, width: float) -> Tensor:
    peak = 1.0 / (math.sqrt(2.0 * math.pi) * width)
    return peak * ops.exp(-0.5 * ops.square(x / width))


@register("triangle", package="keras_ssp")
class Triangle(Surrogate):
    """`max(0, 1 - |x| / width) / width`: area 1, peak `1 / width`.

    Args:
        width: Half of the base.

    Reference: Esser et al., PNAS 2016 (shape); Deng et al., ICLR 2022 (this form).
    """

    def __init__(self, width: float = 1.0) -> None:
        self.width = _positive("width", width)

    def derivative(self, x: Tensor) -> Tensor:
        # Not `ops.maximum`: Keras on PyTorch makes float32 of float64 there.
        return ops.relu(1.0 - ops.abs(x) / self.width) / self.width


@register("rectangle", package="keras_ssp")
class Rectangle(Surrogate):
    """`1 / width` where `|x| < width / 2`, else 0: area 1.

    Args:
        width: The whole base.

    Reference: Wu et al., Frontiers in Neuroscience 2018 (STBP, `h_1`).
    """

    def __init__(self, width: float = 1.0) -> None:
        self.width = _positive("width", width)

    def derivative(self, x: Tensor) -> Tensor:
        return ops.cast(ops.abs(x) < self.width / 2.0, x.dtype) / self.width


@register("sigmoid", package="keras_ssp")
class Sigmoid(Surrogate):
    """`slope * s * (1 - s)`, `s = 1 / (1 + exp(-slope * x))`: area 1, peak `slope / 4`.

    Args:
        slope: Steepness.

    Reference: Zenke & Vogels, Neural Computation 2021.
    """

    def __init__(self, slope: float = 4.0) -> None:
        self.slope = _positive("slope", slope)

    def derivative(self, x: Tensor) -> Tensor:
        return _logistic(x, self.slope)


@register("fast_sigmoid", "superspike", package="keras_ssp")
class FastSigmoid(Surrogate):
    """SuperSpike, `1 / (1 + slope * |x|)**2`: peak 1, area `2 / slope`.

    Args:
        slope: Steepness.

    Reference: Zenke & Ganguli, Neural Computation 2018.
    """

    def __init__(self, slope: float = 10.0) -> None:
        self.slope = _positive("slope", slope)

    def derivative(self, x: Tensor) -> Tensor:
        return ops.square(1.0 / (1.0 + self.slope * ops.abs(x)))


@register("arctan", "atan", package="keras_ssp")
class ArcTan(Surrogate):
    """`(slope / 2) / (1 + (pi / 2 * slope * x)**2)`: area 1, peak `slope / 2`.

    Args:
        slope: Steepness.

    Reference: Fang et al., ICCV 2021 (PLIF).
    """

    def __init__(self, slope: float = 2.0) -> None:
        self.slope = _positive("slope", slope)

    def derivative(self, x: Tensor) -> Tensor:
        scaled = (math.pi / 2.0 * self.slope) * x
        return (self.slope / 2.0) / (1.0 + ops.square(scaled))


@register("piecewise_exponential", package="keras_ssp")
class PiecewiseExponential(Surrogate):
    """`height * exp(-slope * |x|)`: area `2 * height / slope`, 1 by default.

    Args:
        slope: Decay; the paper's `beta`.
        height: Peak; the paper's `1 / alpha`.

    Reference: Shrestha & Orchard, NeurIPS 2018 (SLAYER).
    """

    def __init__(self, slope: float = 2.0, *, height: float = 1.0) -> None:
        self.slope = _positive("slope", slope)
        self.height = _positive("height", height)

    def derivative(self, x: Tensor) -> Tensor:
        return self.height * ops.exp(-self.slope * ops.abs(x))


@register("gaussian", package="keras_ssp")
class Gaussian(Surrogate):
    """`N(x; 0, width**2)`, the normal density: area 1.

    Args:
        width: Standard deviation.

    Reference: Wu et al., Frontiers in Neuroscience 2018 (STBP, `h_4`).
    """

    def __init__(self, width: float = 0.5) -> None:
        self.width = _positive("width", width)

    def derivative(self, x: Tensor) -> Tensor:
        return _normal(x, self.width)


@register("multi_gaussian", package="keras_ssp")
class MultiGaussian(Surrogate):
    """A normal density less two wide ones, slightly negative far out.

    `(1 + height) * N(x; 0, width**2) - height * N(x; width, (scale * width)**2)
    - height * N(x; -width, (scale * width)**2)`: area `1 - height`. Defaults and
    formula are those of BrainPy's MultiGaussianGrad without its factor 0.5.

    Args:
        width: Standard deviation of the middle.
        height: Weight of the two wide densities.
        scale: Their width over `width`.

    Reference: Yin et al., Nature Machine Intelligence 2021.
    """

    def __init__(
        self, width: float = 0.5, *, height: float = 0.15, scale: float = 6.0
    ) -> None:
        self.width = _positive("width", width)
        self.height = _positive("height", height)
        self.scale = _positive("scale", scale)

    def derivative(self, x: Tensor) -> Tensor:
        wide = self.scale * self.width
        sides = _normal(x - self.width, wide) + _normal(x + self.width, wide)
        return (1.0 + self.height) * _normal(x, self.width) - self.height * sides


@register("straight_through", package="keras_ssp")
class StraightThrough(Surrogate):
    """1 everywhere: the gradient passes unchanged.

    Reference: Bengio et al., arXiv:1308.3432, 2013.
    """

    def derivative(self, x: Tensor) -> Tensor:
        return ops.ones_like(x)


@register("s2nn", package="keras_ssp")
class S2NN(Surrogate):
    """`slope * s * (1 - s)` below the threshold, `height / (1 + x)` from there on.

    `s` is the sigmoid of `slope * x`. The tail above the threshold falls so slowly
    that strongly driven neurons of a single-step network (T = 1) keep learning;
    its area is infinite. At threshold 1 the tail is `height / v`.

    This is S2NN-style: the form in which SpikingJelly and BrainPy implement the
    paper below. We had no full text to check it against.

    Args:
        slope: Steepness below the threshold.
        height: Value at the threshold; `slope / 4` makes the two parts meet.

    Reference: Suetake et al., arXiv:2201.10879, 2022.
    """

    def __init__(self, slope: float = 4.0, *, height: float = 1.0) -> None:
        self.slope = _positive("slope", slope)
        self.height = _positive("height", height)

    def derivative(self, x: Tensor) -> Tensor:
        # |x| keeps the branch that is not taken away from a division by zero.
        tail = self.height / (1.0 + ops.abs(x))
        return ops.where(x < 0, _logistic(x, self.slope), tail)
