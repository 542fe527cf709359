"""Points that fill the unit cube evenly, however many are taken: Sobol and Halton."""

from __future__ import annotations

import abc
import functools

import numpy as np

from keras_ssp.tuner.samplers.base import (
    Observations,
    Sampler,
    checked_seed,
    register,
)
from keras_ssp.tuner.space import Space
from keras_ssp.types import Array

# Joe and Kuo's primitive polynomials, all coefficients as bits, and first direction
# numbers, a row a dimension; the first dimension is van der Corput's sequence.
_DIRECTIONS: tuple[tuple[int, tuple[int, ...]], ...] = (
    (3, (1,)),
    (7, (1, 3)),
    (11, (1, 3, 1)),
    (13, (1, 1, 1)),
    (19, (1, 1, 3, 3)),
    (25, (1, 3, 5, 13)),
    (37, (1, 1, 5, 5, 17)),
    (41, (1, 1, 5, 5, 5)),
    (47, (1, 1, 7, 11, 19)),
    (55, (1, 1, 5, 1, 1)),
    (59, (1, 1, 1, 3, 11)),
    (61, (1, 3, 5, 5, 31)),
    (67, (1, 3, 3, 9, 7, 49)),
    (91, (1, 1, 1, 15, 21, 21)),
    (97, (1, 3, 1, 13, 27, 49)),
    (103, (1, 1, 1, 15, 7, 5)),
    (109, (1, 3, 1, 15, 13, 25)),
    (115, (1, 1, 5, 5, 19, 61)),
    (131, (1, 3, 7, 11, 23, 15, 103)),
    (137, (1, 3, 7, 13, 13, 15, 69)),
    (143, (1, 1, 3, 13, 7, 35, 63)),
    (145, (1, 3, 5, 9, 1, 25, 53)),
    (157, (1, 3, 1, 13, 9, 35, 107)),
)
#: Hyperparameters that `Sobol` can search at most.
SOBOL_DIMENSIONS = len(_DIRECTIONS) + 1
_BITS = 30
# Digits of a Halton point go on until one of the last is worth less than this.
_LEAST_DIGIT = 2.0**-52


class Sequence(Sampler):
    """A sampler that does not look at results: its points are those of a sequence.

    Args:
        seed: Integer that the sequence is moved by; `None` leaves it as it was
            published. Defaults to 0.
    """

    def __init__(self, seed: int | None = 0) -> None:
        self.seed = checked_seed(seed)

    @abc.abstractmethod
    def point(self, index: int, size: int) -> Array:
        """The point of an index, `(size,)` numbers in [0, 1)."""

    def propose(
        self,
        space: Space,
        observations: Observations,
        index: int,
        rng: np.random.Generator,
    ) -> Array | None:
        return self.point(index, space.size)


@register("sobol")
class Sobol(Sequence):
    """Sobol's sequence, moved by random bits.

    With the direction numbers v of Joe and Kuo and the Gray code of the index,

        x_j(k) = shift_j XOR v_j1 g_1(k) XOR v_j2 g_2(k) XOR ...

    Its first 2^m points, and any further 2^m that follow, have one point in each of
    2^m equal intervals of every coordinate, whatever the shift.

    Args:
        seed: Integer that the shift is drawn by, the same one for all points; `None`
            for none: the sequence then begins at 0. Defaults to 0.

    Raises:
        ValueError: From `point`, if there are more than 24 hyperparameters.

    Example:

    >>> [Sobol(seed=None).point(k, 2).tolist() for k in range(3)]
    [[0.0, 0.0], [0.5, 0.5], [0.75, 0.25]]

    Reference: Joe and Kuo, SIAM J. Sci. Comput. 30 (2008).
    """

    def point(self, index: int, size: int) -> Array:
        if size > SOBOL_DIMENSIONS:
            raise ValueError(
                f"`sampler` must be another one than 'sobol', such as 'halton', for "
                f"more than {SOBOL_DIMENSIONS} hyperparameters. Received: {size}."
            )
        shift = np.zeros(size, "int64")
        if self.seed is not None:
            rng = np.random.default_rng(self.seed)
            # All are drawn, so that a coordinate's shift is the same in any space.
            shift = rng.integers(1 << _BITS, size=SOBOL_DIMENSIONS)[:size]
        gray = index ^ (index >> 1)
        bits = np.asarray([gray >> k & 1 for k in range(_BITS)], bool)
        chosen = np.where(bits, _directions(size), 0)
        return (np.bitwise_xor.reduce(chosen, axis=1) ^ shift) / (1 << _BITS)


@register("halton")
class Halton(Sequence):
    """Halton's sequence with digits that are permuted at random.

    Coordinate j has the digits of the index in the j-th prime number b, mirrored at
    the point and each exchanged by a permutation of its own,

        x_j(k) = sum_i perm_ji(digit_i(k)) b^-(i+1)

    Without the permutations the coordinates of large primes rise together for long.

    Args:
        seed: Integer that the permutations are drawn by; `None` for none: the
            sequence then begins at 0. Defaults to 0.

    Example:

    >>> [Halton(seed=None).point(k, 2).round(3).tolist() for k in range(3)]
    [[0.0, 0.0], [0.5, 0.333], [0.25, 0.667]]

    Reference: Owen, arXiv 1706.02808 (2017).
    """

    def point(self, index: int, size: int) -> Array:
        return np.asarray([self._mirrored(index, j, b) for j, b in _primes(size)])

    def _mirrored(self, index: int, coordinate: int, base: int) -> float:
        rng = np.random.default_rng([self.seed or 0, coordinate])
        value, worth = 0.0, 1.0
        while worth > _LEAST_DIGIT:
            worth /= base
            index, digit = divmod(index, base)
            if self.seed is not None:
                digit = int(rng.permutation(base)[digit])
            value += digit * worth
        return min(value, float(np.nextafter(1.0, 0.0)))


@functools.cache
def _directions(size: int) -> Array:
    """The `(size, bits)` direction numbers, the first one the largest."""
    found = np.empty((size, _BITS), "int64")
    for j in range(size):
        v = [1] * _BITS
        if j > 0:
            polynomial, first = _DIRECTIONS[j - 1]
            degree = len(first)
            v[:degree] = first
            for k in range(degree, _BITS):
                v[k] = v[k - degree] ^ (v[k - degree] << degree)
                for i in range(1, degree):
                    if polynomial >> (degree - i) & 1:
                        v[k] ^= v[k - i] << i
        found[j] = [m << (_BITS - 1 - k) for k, m in enumerate(v)]
    return found


def _primes(count: int) -> list[tuple[int, int]]:
    """The first prime numbers with their places, from 0."""
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return list(enumerate(found))
