"""What proposes the next point of a search; one class a way of doing it."""

from __future__ import annotations

import abc
import dataclasses
import numbers
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from keras_ssp._registry import Registry
from keras_ssp.tuner.space import Space
from keras_ssp.types import Array

_SAMPLERS: Registry[type[Sampler]] = Registry("sampler", also="or a Sampler")
_Class = TypeVar("_Class", bound="type[Sampler]")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Observations:
    """What a search knows when it asks for the next point.

    Args:
        points: `(n, d)`, the points of the trials that finished, in their order.
        losses: `(n, m)`, their objectives on the objectives' scales, each to be
            minimised.
        reference: `(m,)`, the worst losses that count; `None` until it is known.
        pending: `(k, d)`, points of trials that are under way.
        failed: `(f, d)`, points of trials that failed.
    """

    points: Array
    losses: Array
    reference: Array | None
    pending: Array
    failed: Array


class Sampler(abc.ABC):
    """Proposes the points of a search, one after the other.

    A sampler keeps no state: what it proposes depends on its arguments alone, so that
    a search that was interrupted goes on as if it had not been.

    Example:

    >>> class Middle(Sampler):
    ...     def propose(self, space, observations, index, rng):
    ...         return np.full(space.size, 0.5)
    """

    @abc.abstractmethod
    def propose(
        self,
        space: Space,
        observations: Observations,
        index: int,
        rng: np.random.Generator,
    ) -> Array | None:
        """The next point of the unit cube, `(space.size,)` numbers in [0, 1].

        Args:
            space: The hyperparameters; it turns points into values.
            observations: What is known so far.
            index: How many points were proposed before. Where a proposal means values
                that were tried already, the sampler is asked again with the next
                index.
            rng: Random numbers, the same ones for the same trial of the same search.

        Returns:
            The point; `None` where the sampler has no further one, which ends the
            search.
        """


def register(name: str, *, overwrite: bool = False) -> Callable[[_Class], _Class]:
    """Gives a sampler a name, which the `sampler` of a search may then be.

    Raises:
        ValueError: If the name is taken, or what is decorated is no `Sampler`.
    """

    def add(cls: _Class) -> _Class:
        if not (isinstance(cls, type) and issubclass(cls, Sampler)):
            raise ValueError(f"`cls` must subclass Sampler. Received: cls={cls!r}.")
        _SAMPLERS.add((name,), cls, overwrite=overwrite)
        return cls

    return add


def names() -> tuple[str, ...]:
    """Names of all samplers."""
    return _SAMPLERS.names()


def get(sampler: str | Sampler) -> Sampler:
    """The sampler of a name; a `Sampler` is returned as it is.

    Raises:
        ValueError: If there is no sampler of that name.
    """
    return sampler if isinstance(sampler, Sampler) else _SAMPLERS.get(sampler)()


def name_of(sampler: Sampler) -> str:
    """The name that a sampler is registered by, else that of its class."""
    return _SAMPLERS.name_of(type(sampler)) or type(sampler).__name__


def checked_seed(seed: int | None) -> int | None:
    """Returns a seed that random numbers can be drawn by, or `None`."""
    whole = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if seed is not None and (not whole or seed < 0):
        raise ValueError(
            "`seed` must be an integer of at least 0, or None. Received: "
            f"seed={seed!r}."
        )
    return None if seed is None else int(seed)
