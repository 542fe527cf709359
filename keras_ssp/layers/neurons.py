"""Neurons by name, as networks, configs and the command line ask for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, overload

from keras_ssp._registry import Registry
from keras_ssp.layers.spiking import SpikingLayer

_NEURONS: Registry[type[SpikingLayer]] = Registry("neuron")
_Class = TypeVar("_Class", bound="type[SpikingLayer]")


@overload
def register_neuron(
    name: str, *, overwrite: bool = ..., package: str = ...
) -> Callable[[_Class], _Class]: ...


@overload
def register_neuron(
    name: str, cls: _Class, *, overwrite: bool = ..., package: str = ...
) -> _Class: ...


def register_neuron(
    name: str,
    cls: _Class | None = None,
    *,
    overwrite: bool = False,
    package: str = "custom",
) -> _Class | Callable[[_Class], _Class]:
    """Gives a neuron a name, and makes it known to model saving.

    The name may then be the `activation` of the networks in `keras_ssp.models` and of
    `TrainConfig`, in study files and on the command line, and it is the kind that
    `energy_report` shows. As a decorator, or called with the class.

    Args:
        name: The name, a string without spaces; snake case by custom.
        cls: The class, a subclass of `SpikingLayer`.
        overwrite: Whether it may replace another neuron of that name.
        package: Prefix of the class name in saved models.

    Returns:
        The class, or a decorator that returns it.

    Raises:
        ValueError: If `cls` is no `SpikingLayer`, or the name is taken.

    Example:

    >>> @register_neuron("quiet_lif")
    ... class QuietLIF(LIF):
    ...     def __init__(self, beta=0.5, *, threshold=2.0, **kwargs):
    ...         super().__init__(beta, threshold=threshold, **kwargs)
    >>> QuietLIF().kind, get_neuron("quiet_lif").__name__
    ('quiet_lif', 'QuietLIF')
    """

    def add(cls: _Class) -> _Class:
        _NEURONS.add_class(
            (name,), cls, SpikingLayer, package=package, overwrite=overwrite
        )
        cls.kind = name
        return cls

    return add if cls is None else add(cls)


def neuron_names() -> tuple[str, ...]:
    """Names of all registered neurons, `"lif"` first."""
    return _NEURONS.names()


def get_neuron(name: str) -> type[SpikingLayer]:
    """The neuron that is registered by a name.

    Raises:
        ValueError: If `name` is unknown.

    Example:

    >>> get_neuron("lif").__name__
    'LIF'
    """
    return _NEURONS.get(name)
