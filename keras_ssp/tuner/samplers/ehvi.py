"""The default sampler: where the hypervolume is expected to rise most."""

from __future__ import annotations

import numpy as np

from keras_ssp import pareto
from keras_ssp._checks import positive_int
from keras_ssp.tuner.samplers.base import Observations, Sampler, register
from keras_ssp.tuner.samplers.gaussian_process import GaussianProcess
from keras_ssp.tuner.samplers.hypervolume_improvement import expected_improvement
from keras_ssp.tuner.samplers.sequences import Halton
from keras_ssp.tuner.space import Space
from keras_ssp.types import Array

# Losses that are worse than the reference by more than this share of the frontier's
# extent all count alike: how bad a network is there tells nothing of the frontier.
_BEYOND = 0.3
# That extent is at least this share of the losses' range.
_LEAST_EXTENT = 0.1
# Around a failed point, over this distance, proposals are held back.
_NEAR_FAILURE = 0.15
# How far the candidates around the best ones so far are strewn, round by round.
_ROUNDS = (0.1, 0.05, 0.02, 0.01)
_KEPT, _AROUND = 6, 24
# How often a coordinate of a strewn candidate is drawn anew, and how often it stays.
_ANEW, _STAYS = 0.1, 0.3


@register("ehvi")
class ExpectedHypervolume(Sampler):
    """Exact expected hypervolume improvement on Gaussian processes.

    A start design fills the space. Then each objective is regressed on the finished
    trials, and the point is proposed where the hypervolume is expected to rise most.
    To be exceeded is what the regressions say of the finished trials, not what was
    measured: noise makes no trial look unbeatable. Trials that are under way count with
    the losses that they are expected to have; around failed ones nothing is proposed.

    Args:
        start: Points of the start design. Defaults to `max(4, d + 2)` for d
            hyperparameters: of a few dozen trials, few should not look.
        candidates: Random points that are compared before the best ones are refined.
            Defaults to 1024.
        seed: Integer that the start design is drawn by. Defaults to 0.

    Reference: Emmerich, Giannakoglou and Naujoks, IEEE Trans. Evol. Comput. 10 (2006).
    """

    def __init__(
        self,
        start: int | None = None,
        candidates: int = 1024,
        seed: int | None = 0,
    ) -> None:
        self.start = positive_int("start", start, optional=True)
        self.candidates = positive_int("candidates", candidates)
        self.design = Halton(seed)

    def propose(
        self,
        space: Space,
        observations: Observations,
        index: int,
        rng: np.random.Generator,
    ) -> Array | None:
        known = np.isfinite(observations.losses).all(axis=1)
        points, losses = observations.points[known], observations.losses[known]
        reference = observations.reference
        start = self.start or max(4, space.size + 2)
        # Workers that start together would have nothing to regress on.
        enough = len(points) >= min(start, 1 + start // 2)
        if index < start or not enough or reference is None:
            return self.design.point(index, space.size)
        losses = within_sight(losses, reference)
        gain = _Gain(space, observations, points, losses, reference, rng)
        tried = [*observations.points, *observations.pending, *observations.failed]
        taken = {_key(space, point) for point in tried}
        for point in _best(gain, space, self.candidates, points[gain.front], rng):
            if _key(space, point) not in taken:
                return point
        return self.design.point(index, space.size)


def within_sight(losses: Array, reference: Array) -> Array:
    """The losses, with those far outside of the frontier's box moved to its border.

    A network at chance, or one without spikes, is far from all others, on a cliff that
    a smooth function would bend everything else for. It only matters on which side of
    the reference it is.

    Args:
        losses: `(n, m)` numbers.
        reference: `(m,)`, the worst losses that count.
    """
    inside = (losses < reference).all(axis=1)
    if not inside.any():
        return losses  # all there is tells the way into the box
    best = losses[inside].min(axis=0)
    extent = np.maximum(reference - best, _LEAST_EXTENT * np.ptp(losses, axis=0))
    return np.clip(losses, best - _BEYOND * extent, reference + _BEYOND * extent)


class _Gain:
    """What a measurement at a point is worth, as far as the trials so far tell."""

    def __init__(
        self,
        space: Space,
        observations: Observations,
        points: Array,
        losses: Array,
        reference: Array,
        rng: np.random.Generator,
    ) -> None:
        self.space, self.reference = space, reference
        features = space.features(points)
        pending = space.features(observations.pending)
        self.failed = space.features(observations.failed)
        processes = [GaussianProcess.fitted(features, y, rng) for y in losses.T]
        reached = _means(processes, features)
        self.front = pareto.non_dominated(reached)
        self.reached = np.vstack([reached, _means(processes, pending)])
        self.processes = [process.believing(pending) for process in processes]

    def __call__(self, points: Array) -> Array:
        features = self.space.features(points)
        found = [process.predict(features) for process in self.processes]
        mean, deviation = (np.stack(part, axis=1) for part in zip(*found, strict=True))
        gain = expected_improvement(mean, deviation, self.reached, self.reference)
        for center in self.failed:
            apart = ((features - center) ** 2).sum(axis=1) / _NEAR_FAILURE**2
            gain *= -np.expm1(-0.5 * apart)
        return gain


def _best(
    gain: _Gain, space: Space, candidates: int, front: Array, rng: np.random.Generator
) -> Array:
    """Candidates by falling gain: random ones, then ever closer around the best."""
    points = rng.random((candidates, space.size))
    around = _strewn(front, len(points) // (4 * len(front)) + 1, _ROUNDS[0], space, rng)
    points = _distinct(space.snap(np.vstack([points, around])))
    gains = gain(points)
    for spread in _ROUNDS:
        best = np.argsort(-gains, kind="stable")[:_KEPT]
        around = space.snap(_strewn(points[best], _AROUND, spread, space, rng))
        points, gains = np.vstack([points, around]), np.append(gains, gain(around))
    return _distinct(points[np.argsort(-gains, kind="stable")])


def _strewn(
    centers: Array, count: int, spread: float, space: Space, rng: np.random.Generator
) -> Array:
    """So many points around each of some, in some of their coordinates."""
    found = np.repeat(centers, count, axis=0)
    moved = found + spread * rng.standard_normal(found.shape)
    found = np.where(rng.random(found.shape) < _STAYS, found, np.clip(moved, 0.0, 1.0))
    anew = rng.random(found.shape)
    # Values without an order have no neighbours: they change by being drawn anew.
    discrete = np.asarray([values is not None for values in space.counts])
    return np.where((rng.random(found.shape) < _ANEW) & discrete, anew, found)


def _distinct(points: Array) -> Array:
    """The points without those that came before."""
    return points[np.sort(np.unique(points, axis=0, return_index=True)[1])]


def _means(processes: list[GaussianProcess], features: Array) -> Array:
    return np.stack([process.predict(features)[0] for process in processes], axis=1)


def _key(space: Space, point: Array) -> tuple[str, ...]:
    """What a point means, the same for points that differ by rounding alone."""
    return tuple(
        f"{name}={value:.9g}" if isinstance(value, float) else f"{name}={value!r}"
        for name, value in space.decode(point).items()
    )
