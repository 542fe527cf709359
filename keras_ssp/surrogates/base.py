"""The base of all spike functions, and the names they are known by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias, TypeVar, Union

import keras
from keras import ops

from keras_ssp._registry import Registry
from keras_ssp.types import Config, Tensor

#: A name, a serialized config, a class (with its defaults), or the surrogate itself.
SurrogateLike: TypeAlias = Union[str, Config, "Surrogate", "type[Surrogate]"]

_SURROGATES: Registry[type[Surrogate]] = Registry(
    "surrogate", also="a Surrogate (instance or class) or its serialized config"
)
_Class = TypeVar("_Class", bound="type[Surrogate]")


class Surrogate(ABC):
    """Base of all spike functions.

    A subclass stores its arguments as attributes of the same name and writes
    `derivative` with `keras.ops` only. Two surrogates of one class with equal
    attributes are equal and hash alike (the kernels keep one compiled loop for
    both), so leave the attributes of an instance as they are.

    Call arguments:
        x: Floating-point tensor of any shape, `v - threshold`.

    Returns:
        Tensor of the shape and dtype of `x`: 1 where `x >= 0`, else 0.

    Raises:
        ValueError: If an argument is not a positive finite number, or if `x` is
            not floating-point.

    Example:

    >>> from keras_ssp.surrogates import Triangle
    >>> spikes = Triangle(width=1.0)(keras.ops.array([-0.5, 0.0, 2.0]))
    >>> keras.ops.convert_to_numpy(spikes).tolist()
    [0.0, 1.0, 1.0]
    """

    @abstractmethod
    def derivative(self, x: Tensor) -> Tensor:
        """Returns the surrogate derivative at `x`: same shape, same dtype, finite."""

    def __call__(self, x: Tensor) -> Tensor:
        x = ops.convert_to_tensor(x)
        dtype = keras.backend.standardize_dtype(x.dtype)
        if not keras.backend.is_float_dtype(dtype):
            raise ValueError(f"`x` must be floating-point. Received: x.dtype={dtype}.")

        def spike(x: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
            # torch passes the inputs and `upstream=`, the others only the upstream.
            def grad(*args: Tensor, upstream: Tensor | None = None) -> Tensor:
                return (args[0] if upstream is None else upstream) * self.derivative(x)

            return ops.cast(x >= 0, dtype), grad

        return ops.custom_gradient(spike)(x)

    def get_config(self) -> Config:
        """Returns the arguments that build an equal surrogate."""
        return {k: v for k, v in vars(self).items() if not k.startswith("_")}

    @classmethod
    def from_config(cls, config: Config) -> Surrogate:
        """Builds a surrogate from what `get_config` returned."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or not isinstance(other, Surrogate):
            return NotImplemented
        return self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((type(self), tuple(sorted(self.get_config().items()))))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def register(
    name: str, *aliases: str, package: str = "custom", overwrite: bool = False
) -> Callable[[_Class], _Class]:
    """Class decorator: makes a surrogate known to `get` and to model saving.

    Args:
        name: Name for `get`, a string without spaces; snake case by custom.
        *aliases: Further names of the same class.
        package: Prefix of the class name in saved models.
        overwrite: Whether it may replace another surrogate of that name.

    Raises:
        ValueError: If the class is no `Surrogate` or a name is taken.

    Example:

    >>> from keras_ssp.surrogates import Surrogate, get, register
    >>> @register("flat_half")
    ... class FlatHalf(Surrogate):
    ...     def derivative(self, x):
    ...         return 0.5 * keras.ops.ones_like(x)
    >>> get("flat_half")
    FlatHalf()
    """

    def decorate(cls: _Class) -> _Class:
        _SURROGATES.add_class(
            (name, *aliases), cls, Surrogate, package=package, overwrite=overwrite
        )
        return cls

    return decorate


def names() -> tuple[str, ...]:
    """Returns every name that `get` knows, aliases too, sorted."""
    return tuple(sorted(_SURROGATES.names()))


def get(identifier: SurrogateLike) -> Surrogate:
    """Returns the surrogate that `identifier` names.

    Args:
        identifier: A name from `names()` (case matters) or a class, both taken with
            their default arguments; what `serialize` returned; or an instance,
            which is returned as it is.

    Raises:
        ValueError: If `identifier` is none of these.

    Example:

    >>> from keras_ssp.surrogates import get
    >>> get("triangle")
    Triangle(width=1.0)
    """
    found: object = identifier
    if isinstance(identifier, str):
        found = _SURROGATES.get(identifier)
    elif isinstance(identifier, dict):
        found = keras.saving.deserialize_keras_object(identifier)
    if isinstance(found, type) and issubclass(found, Surrogate):
        found = found()
    if not isinstance(found, Surrogate):
        raise ValueError(_SURROGATES.unknown(identifier))
    return found


def serialize(surrogate: Surrogate) -> Config:
    """Returns `surrogate` as a JSON-ready dict, which `get` takes back."""
    config: Config = keras.saving.serialize_keras_object(surrogate)
    return config


def deserialize(config: Config) -> Surrogate:
    """Returns the surrogate that `serialize` turned into `config`."""
    return get(config)
