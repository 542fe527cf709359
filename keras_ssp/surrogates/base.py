"""The base of all spike functions, and the names they are known by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import keras
from keras import ops

_REGISTRY: dict[str, type[Surrogate]] = {}
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
    def derivative(self, x: Any) -> Any:
        """Returns the surrogate derivative at `x`: same shape, same dtype, finite."""

    def __call__(self, x: Any) -> Any:
        x = ops.convert_to_tensor(x)
        dtype = keras.backend.standardize_dtype(x.dtype)
        if not keras.backend.is_float_dtype(dtype):
            raise ValueError(f"`x` must be floating-point. Received: x.dtype={dtype}.")

        def spike(x: Any) -> tuple[Any, Callable[..., Any]]:
            # torch passes the inputs and `upstream=`, the others only the upstream.
            def grad(*args: Any, upstream: Any = None) -> Any:
                return (args[0] if upstream is None else upstream) * self.derivative(x)

            return ops.cast(x >= 0, dtype), grad

        return ops.custom_gradient(spike)(x)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that build an equal surrogate."""
        return {k: v for k, v in vars(self).items() if not k.startswith("_")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Surrogate:
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
    name: str, *aliases: str, package: str = "custom"
) -> Callable[[_Class], _Class]:
    """Class decorator: makes a surrogate known to `get` and to model saving.

    Args:
        name: Name for `get`; snake case by custom.
        aliases: Further names of the same class.
        package: Prefix of the class name in saved models.

    Raises:
        ValueError: If the class is no `Surrogate` or a name belongs to another.

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
        if not (isinstance(cls, type) and issubclass(cls, Surrogate)):
            raise ValueError(f"`cls` must subclass Surrogate. Received: cls={cls!r}.")
        for key in (name, *aliases):
            # The same class again is a notebook cell that was run twice.
            held = _REGISTRY.get(key, cls)
            if (held.__module__, held.__qualname__) != (
                cls.__module__,
                cls.__qualname__,
            ):
                raise ValueError(
                    f"`name` must be free: {key!r} is {held.__qualname__}. "
                    f"Received: name={key!r} for {cls.__qualname__}."
                )
        _REGISTRY.update(dict.fromkeys((name, *aliases), cls))
        keras.saving.register_keras_serializable(package=package)(cls)
        return cls

    return decorate


def names() -> tuple[str, ...]:
    """Returns every name that `get` knows, aliases too, sorted."""
    return tuple(sorted(_REGISTRY))


def get(identifier: str | dict[str, Any] | Surrogate | type[Surrogate]) -> Surrogate:
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
    found: Any = identifier
    if isinstance(identifier, str):
        found = _REGISTRY.get(identifier)
    elif isinstance(identifier, dict):
        found = keras.saving.deserialize_keras_object(identifier)
    if isinstance(found, type) and issubclass(found, Surrogate):
        found = found()
    if not isinstance(found, Surrogate):
        raise ValueError(
            f"`surrogate` must be one of {', '.join(map(repr, names()))}, a Surrogate "
            "(instance or class) or its serialized config. "
            f"Received: surrogate={identifier!r}."
        )
    return found


def serialize(surrogate: Surrogate) -> dict[str, Any]:
    """Returns `surrogate` as a JSON-ready dict, which `get` takes back."""
    config: dict[str, Any] = keras.saving.serialize_keras_object(surrogate)
    return config


def deserialize(config: dict[str, Any]) -> Surrogate:
    """Returns the surrogate that `serialize` turned into `config`."""
    return get(config)
