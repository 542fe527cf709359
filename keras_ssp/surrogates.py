"""Spike functions with surrogate gradients, and their registry.

The forward pass is the step function, exactly 0 or 1 with H(0) = 1; the backward
pass uses `derivative` in its place (Neftci, Mostafa & Zenke, IEEE Signal Processing
Magazine 36, 2019). `x` is always the potential minus the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import keras
from keras import ops

from keras_ssp._checks import real

_registry: dict[str, type[Surrogate]] = {}


def register(*names: str) -> Callable[[type[Surrogate]], type[Surrogate]]:
    """Registers a `Surrogate` subclass under names that `get` understands.

    Example:

    >>> @register("my_box")
    ... @keras.saving.register_keras_serializable(package="me")
    ... class MyBox(Surrogate):
    ...     def derivative(self, x):
    ...         return keras.ops.cast(keras.ops.abs(x) < 0.5, x.dtype)
    >>> get("my_box")
    MyBox()
    """

    def add(cls: type[Surrogate]) -> type[Surrogate]:
        _registry.update(dict.fromkeys(names, cls))
        return cls

    return add


class Surrogate:
    """Base of the spike functions.

    Subclasses list their arguments in `defaults` (all positive floats) and give
    `derivative`. Two surrogates are equal if class and arguments are.

    Args:
        **arguments: Positive floats, see each subclass.

    Raises:
        TypeError: If an argument is unknown.
        ValueError: If an argument is not a positive finite number.
    """

    defaults: ClassVar[dict[str, float]] = {}

    def __init__(self, **arguments: float) -> None:
        unknown = sorted(set(arguments) - set(self.defaults))
        if unknown:
            raise TypeError(
                f"{type(self).__name__} takes {', '.join(self.defaults) or 'nothing'}. "
                f"Received: {', '.join(unknown)}."
            )
        for name, default in self.defaults.items():
            value = arguments.get(name, default)
            setattr(self, name, real(name, value, above=0.0))

    def derivative(self, x: Any) -> Any:
        """Stands in for dH/dx; same shape and dtype as `x`, finite everywhere."""
        raise NotImplementedError

    def __call__(self, x: Any) -> Any:
        """The step function with this surrogate as its gradient."""

        @ops.custom_gradient
        def spike(x: Any) -> tuple[Any, Callable[..., Any]]:
            def grad(*args: Any, upstream: Any = None) -> Any:
                g = args[0] if upstream is None else upstream
                return g * self.derivative(x)

            return ops.cast(x >= 0, x.dtype), grad

        return spike(ops.convert_to_tensor(x))

    def get_config(self) -> dict[str, float]:
        """The arguments."""
        return {name: getattr(self, name) for name in self.defaults}

    @classmethod
    def from_config(cls, config: dict[str, float]) -> Surrogate:
        """Restores a surrogate from `get_config`."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.get_config() == other.get_config()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), *self.get_config().items()))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def _serializable(cls: type[Surrogate]) -> type[Surrogate]:
    decorated: type[Surrogate] = keras.saving.register_keras_serializable(
        package="keras_ssp"
    )(cls)
    return decorated


@register("triangle")
@_serializable
class Triangle(Surrogate):
    """`max(0, 1 - |x| / width) / width`; area 1.

    Reference: Bellec et al., NeurIPS 2018 (piecewise-linear pseudo-derivative);
    Esser et al., PNAS 113 (2016).
    """

    defaults = {"width": 1.0}
    width: float

    def derivative(self, x: Any) -> Any:
        return ops.relu(1.0 - ops.abs(x / self.width)) / self.width


@register("rectangle")
@_serializable
class Rectangle(Surrogate):
    """`1 / width` where `|x| < width / 2`, else 0; area 1.

    Reference: Wu et al., "Spatio-temporal backpropagation", Frontiers in
    Neuroscience 12 (2018).
    """

    defaults = {"width": 1.0}
    width: float

    def derivative(self, x: Any) -> Any:
        return ops.cast(ops.abs(x) < self.width / 2, x.dtype) / self.width


@register("sigmoid")
@_serializable
class Sigmoid(Surrogate):
    """`slope * sigma(slope * x) * (1 - sigma(slope * x))`; area 1.

    Reference: Zenke & Vogels, Neural Computation 33 (2021).
    """

    defaults = {"slope": 4.0}
    slope: float

    def derivative(self, x: Any) -> Any:
        y = ops.sigmoid(self.slope * x)
        return self.slope * y * (1.0 - y)


@register("fast_sigmoid", "superspike")
@_serializable
class FastSigmoid(Surrogate):
    """`1 / (1 + slope * |x|)^2`; height 1, area `2 / slope`.

    Reference: Zenke & Ganguli, "SuperSpike", Neural Computation 30 (2018).
    """

    defaults = {"slope": 10.0}
    slope: float

    def derivative(self, x: Any) -> Any:
        # The inverse is squared, not the sum: float16 would overflow.
        y = 1.0 / (1.0 + self.slope * ops.abs(x))
        return y * y


@register("arctan")
@_serializable
class ArcTan(Surrogate):
    """`(slope / 2) / (1 + (pi / 2 * slope * x)^2)`; area 1.

    Reference: Fang et al., ICCV 2021 (arXiv 2007.05785).
    """

    defaults = {"slope": 2.0}
    slope: float

    def derivative(self, x: Any) -> Any:
        # Far out the square overflows float16; 100 / slope is beyond any use.
        y = ops.clip(math.pi / 2 * self.slope * x, -200.0, 200.0)
        return self.slope / 2 / (1.0 + y * y)


@register("piecewise_exponential")
@_serializable
class PiecewiseExponential(Surrogate):
    """`height * exp(-slope * |x|)`; area `2 * height / slope`.

    Reference: Shrestha & Orchard, "SLAYER", NeurIPS 2018.
    """

    defaults = {"slope": 2.0, "height": 1.0}
    slope: float
    height: float

    def derivative(self, x: Any) -> Any:
        return self.height * ops.exp(-self.slope * ops.abs(x))


def _gaussian(x: Any, mean: float, sigma: float) -> Any:
    # Clipped at 20 sigma: exp is 0 there, and the square must not overflow.
    z = ops.clip((x - mean) / sigma, -20.0, 20.0)
    return ops.exp(-0.5 * z * z) / (sigma * math.sqrt(2 * math.pi))


@register("gaussian")
@_serializable
class Gaussian(Surrogate):
    """The normal density with standard deviation `sigma`; area 1.

    Reference: Yin, Corradi & Bohte, ICONS 2020.
    """

    defaults = {"sigma": 0.5}
    sigma: float

    def derivative(self, x: Any) -> Any:
        return _gaussian(x, 0.0, self.sigma)


@register("multi_gaussian")
@_serializable
class MultiGaussian(Surrogate):
    """A Gaussian with small negative side lobes:

        (1 + height) * N(x; 0, sigma) - height * N(x; sigma, scale * sigma)
                                      - height * N(x; -sigma, scale * sigma)

    Its area is `1 - height`.

    Reference: Yin, Corradi & Bohte, Nature Machine Intelligence 3 (2021), with
    their height 0.15, scale 6 and sigma 0.5.
    """

    defaults = {"sigma": 0.5, "height": 0.15, "scale": 6.0}
    sigma: float
    height: float
    scale: float

    def derivative(self, x: Any) -> Any:
        side = self.scale * self.sigma
        lobes = _gaussian(x, self.sigma, side) + _gaussian(x, -self.sigma, side)
        return (1.0 + self.height) * _gaussian(x, 0.0, self.sigma) - self.height * lobes


@register("straight_through")
@_serializable
class StraightThrough(Surrogate):
    """1 everywhere: the gradient passes as if there were no threshold.

    Reference: Bengio, Leonard & Courville, arXiv 1308.3432 (2013).
    """

    def derivative(self, x: Any) -> Any:
        return ops.ones_like(x)


@register("s2nn")
@_serializable
class S2NN(Surrogate):
    """Asymmetric, for single-step networks; above threshold it decays slowly.

        x < 0:   slope * sigma(slope * x) * (1 - sigma(slope * x))
        x >= 0:  height / (1 + x)

    A neuron that fired keeps a gradient however far above its threshold it is. The
    area is not finite. This is the form in which surrogate libraries (SpikingJelly,
    BrainPy) implement the paper below; we did not check it against the paper.

    Reference: Suetake et al., "S3NN: Time Step Reduction of Spiking Surrogate
    Gradients", Neural Networks 159 (2023), arXiv 2201.10879.
    """

    defaults = {"slope": 4.0, "height": 1.0}
    slope: float
    height: float

    def derivative(self, x: Any) -> Any:
        y = ops.sigmoid(self.slope * x)
        below = self.slope * y * (1.0 - y)
        # relu keeps the unused branch finite at x = -1.
        return ops.where(x < 0, below, self.height / (1.0 + ops.relu(x)))


def names() -> tuple[str, ...]:
    """The names that `get` understands."""
    return tuple(sorted(_registry))


def get(identifier: Any) -> Surrogate:
    """Returns a surrogate from a name, class, config or instance.

    Args:
        identifier: Name such as `"triangle"`, dict made by `serialize`, `Surrogate`
            subclass, or `Surrogate`, which is returned as it is.

    Raises:
        ValueError: If nothing is known by that name.

    Example:

    >>> get("triangle")
    Triangle(width=1.0)
    """
    if isinstance(identifier, Surrogate):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Surrogate):
        return identifier()
    if isinstance(identifier, str) and identifier in _registry:
        return _registry[identifier]()
    if isinstance(identifier, dict):
        found = keras.saving.deserialize_keras_object(identifier)
        if isinstance(found, Surrogate):
            return found
    raise ValueError(
        f"`surrogate` must be one of {', '.join(map(repr, names()))}, a config or a "
        f"Surrogate. Received: surrogate={identifier!r}."
    )


def serialize(surrogate: Surrogate) -> dict[str, Any]:
    """The config from which `get` restores a surrogate."""
    config: dict[str, Any] = keras.saving.serialize_keras_object(surrogate)
    return config
