"""Gaussian-process regression of an objective on the hyperparameters, in NumPy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from keras_ssp.types import Array

# Normal priors of the logarithms, for points in a unit cube and targets of variance 1.
# The farther apart points are on average, the longer the lengths.
LENGTH = 0.6  # times the square root of the number of features
_SPREAD_OF_LENGTHS = 1.0
SIGNAL, _SPREAD_OF_SIGNAL = 1.0, 1.0
NOISE, _SPREAD_OF_NOISE = 1e-2, 1.5
# Added to all variances, in their unit: what keeps a covariance invertible when points
# repeat.
_JITTER = 1e-8
# A spread of targets below this share of their size is rounding, not information.
_EQUAL = 1e-9
_STEPS, _HALVINGS, _FLAT = 60, 25, 1e-5
# Up to so many targets the likelihood may have several maxima worth a look.
_FEW = 40


@dataclasses.dataclass(frozen=True, eq=False)
class Kernel:
    """The Matern covariance of smoothness 5/2, a length for every feature.

        k(a, b) = signal (1 + q + q^2 / 3) exp(-q)
        q = sqrt(5 sum_j ((a_j - b_j) / lengths_j)^2)

    Args:
        lengths: `(f,)`, the distance over which each feature changes the target.
        signal: Variance of the function.
        noise: Variance of a measurement around it.

    Reference: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006),
    equation 4.17.
    """

    lengths: Array
    signal: float = SIGNAL
    noise: float = NOISE

    def __call__(self, a: Array, b: Array) -> Array:
        """Covariances of the function at `(n, f)` and `(k, f)` features, `(n, k)`."""
        q = np.sqrt(5.0 * _squared_distances(a / self.lengths, b / self.lengths))
        return self.signal * (1.0 + q + q**2 / 3.0) * np.exp(-q)


class GaussianProcess:
    """What measurements say of a function where it was not measured.

    The targets are brought to mean 0 and variance 1; the kernel is of those. With
    `K = k(X, X) + noise I`, at features x:

        mean = k(x, X) K^-1 y
        variance = k(x, x) - k(x, X) K^-1 k(X, x)

    Args:
        features: `(n, f)` numbers, n of at least 1.
        targets: `(n,)` finite numbers.
        kernel: The covariance, of the targets at variance 1.

    Example:

    >>> x = np.asarray([[0.0], [0.5], [1.0]])
    >>> process = GaussianProcess(x, np.asarray([1.0, 3.0, 2.0]), Kernel(np.ones(1)))
    >>> mean, deviation = process.predict(x)
    >>> mean.round(1).tolist()
    [1.1, 2.9, 2.1]
    """

    def __init__(self, features: Array, targets: Array, kernel: Kernel) -> None:
        self.features, self.targets, self.kernel = features, targets, kernel
        self.shift, self.scale = _mean_and_spread(targets)
        covariance = _noisy(kernel(features, features), kernel.noise)
        self._factor = np.linalg.cholesky(covariance)
        standard = (targets - self.shift) / self.scale
        self._weights = _solve(self._factor, standard)

    @classmethod
    def fitted(
        cls,
        features: Array,
        targets: Array,
        rng: np.random.Generator,
        *,
        starts: int | None = None,
    ) -> GaussianProcess:
        """The process with the most likely kernel, a posteriori.

        Args:
            features: `(n, f)` numbers in about [0, 1].
            targets: `(n,)` finite numbers.
            rng: Random numbers that the starts of the search for it are drawn by.
            starts: How many starts, the centre of the prior among them. Defaults to
                3, and 1 for more than 40 targets: they leave no doubt about the kernel.
        """
        if starts is None:
            starts = 3 if len(targets) <= _FEW else 1
        shift, scale = _mean_and_spread(targets)
        standard = (targets - shift) / scale
        center, spread = _prior(features.shape[1])

        def loss(theta: Array) -> tuple[float, Array]:
            value, slope = log_likelihood(features, standard, theta)
            away = (theta - center) / spread
            return 0.5 * float(away @ away) - value, away / spread - slope

        draws = rng.standard_normal((starts - 1, len(center)))
        begins = [center, *(center + 0.7 * spread * draw for draw in draws)]
        theta = min((_minimum(loss, b) for b in begins), key=lambda t: loss(t)[0])
        return cls(features, targets, _kernel(theta))

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the function, `(k,)` each, without noise."""
        across = self.kernel(features, self.features)
        mean = across @ self._weights
        explained = np.linalg.solve(self._factor, across.T)
        variance = self.kernel.signal - (explained**2).sum(axis=0)
        deviation = np.sqrt(np.maximum(variance, _JITTER**2))
        return self.shift + self.scale * mean, self.scale * deviation

    def believing(self, features: Array) -> GaussianProcess:
        """The process if measurements at `features` gave just what it expects.

        The mean stays, the uncertainty around them goes.
        """
        if not len(features):
            return self
        mean, _ = self.predict(features)
        found = object.__new__(GaussianProcess)
        found.features = np.vstack([self.features, features])
        found.targets = np.append(self.targets, mean)
        found.kernel, found.shift, found.scale = self.kernel, self.shift, self.scale
        covariance = self.kernel(found.features, found.features)
        found._factor = np.linalg.cholesky(_noisy(covariance, self.kernel.noise))
        standard = (found.targets - self.shift) / self.scale
        found._weights = _solve(found._factor, standard)
        return found


def log_likelihood(
    features: Array, targets: Array, theta: Array
) -> tuple[float, Array]:
    """The logarithm of the targets' density, and its gradient.

        log p(y) = -1/2 y' K^-1 y - 1/2 log det K - n/2 log 2 pi

    Args:
        features: `(n, f)` numbers.
        targets: `(n,)` numbers of mean 0.
        theta: `(f + 2,)`, logarithms of the lengths, the signal and the noise.

    Returns:
        The value, minus infinity where K is not positive definite, and `(f + 2,)`
        derivatives.
    """
    kernel, n = _kernel(theta), len(targets)
    scaled = features / kernel.lengths
    apart = (scaled[:, None, :] - scaled[None, :, :]) ** 2
    q = np.sqrt(5.0 * apart.sum(axis=-1))
    decay = kernel.signal * np.exp(-q)
    smooth = decay * (1.0 + q + q**2 / 3.0)
    try:
        factor = np.linalg.cholesky(_noisy(smooth, kernel.noise))
    except np.linalg.LinAlgError:
        return -math.inf, np.zeros_like(theta)
    half = np.linalg.inv(factor)
    inverse = half.T @ half
    weights = inverse @ targets
    value = -0.5 * float(targets @ weights) - float(np.log(np.diag(factor)).sum())
    # d log p / d K, of which each parameter takes its share.
    slope = 0.5 * (np.outer(weights, weights) - inverse)
    along = slope * decay * (1.0 + q) * (5.0 / 3.0)
    lengths = np.tensordot(along, apart, axes=2)
    rest = [(slope * smooth).sum(), kernel.noise * np.trace(slope)]
    return value - 0.5 * n * math.log(2.0 * math.pi), np.append(lengths, rest)


def _prior(features: int) -> tuple[Array, Array]:
    """Centre and spread of the logarithms of lengths, signal and noise."""
    length = LENGTH * math.sqrt(max(features, 1))
    center = np.log([*[length] * features, SIGNAL, NOISE])
    lengths = [_SPREAD_OF_LENGTHS] * features
    return center, np.asarray([*lengths, _SPREAD_OF_SIGNAL, _SPREAD_OF_NOISE])


def _kernel(theta: Array) -> Kernel:
    values = np.exp(np.clip(theta, -30.0, 30.0))
    return Kernel(values[:-2], float(values[-2]), float(values[-1]))


def _minimum(loss: Callable[[Array], tuple[float, Array]], start: Array) -> Array:
    """A local minimum by the method of Broyden, Fletcher, Goldfarb and Shanno."""
    x, (value, slope) = start, loss(start)
    if not math.isfinite(value):
        return start
    inverse = np.eye(len(x))
    for _ in range(_STEPS):
        step = -inverse @ slope
        if step @ slope >= 0:  # rounding has spoilt it: down the slope again
            inverse, step = np.eye(len(x)), -slope
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        for _ in range(_HALVINGS):
            new_value, new_slope = loss(x + step)
            if new_value <= value + 1e-4 * float(step @ slope):
                break
            step = step / 2
        else:
            return x
        change = new_slope - slope
        gained = value - new_value
        x, value, slope = x + step, new_value, new_slope
        if gained < _FLAT * (1.0 + abs(value)):
            return x
        curvature = float(step @ change)
        if curvature > 1e-10:
            left = np.eye(len(x)) - np.outer(step, change) / curvature
            inverse = left @ inverse @ left.T + np.outer(step, step) / curvature
    return x


def _squared_distances(a: Array, b: Array) -> Array:
    # As a sum of squares and not of products, which cancel.
    return ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)


def _noisy(covariance: Array, noise: float) -> Array:
    signal = float(covariance[0, 0])
    return covariance + (noise + _JITTER * signal) * np.eye(len(covariance))


def _solve(factor: Array, right: Array) -> Array:
    return np.linalg.solve(factor.T, np.linalg.solve(factor, right))


def _mean_and_spread(targets: Array) -> tuple[float, float]:
    mean, spread = float(targets.mean()), float(targets.std())
    return mean, spread if spread > _EQUAL * max(abs(mean), 1e-300) else 1.0
