"""Search spaces and made-up losses that the tests of samplers share."""

import keras_tuner
import numpy as np

from keras_ssp.tuner.samplers import Observations
from keras_ssp.tuner.space import Space


def _mixed(hp):
    hp.Float("weight", 1e-2, 1e2, sampling="log")
    hp.Int("width", 8, 64, step=8)
    hp.Choice("surrogate", ["triangle", "sigmoid", "arctan"])
    hp.Boolean("batch_norm")
    hp.Fixed("time_steps", 4)


def _scopes(hp):
    penalty = hp.Choice("penalty", ["synaptic", "target"])
    with hp.conditional_scope("penalty", ["synaptic"]):
        if penalty == "synaptic":
            hp.Float("weight", 1e-2, 1e2, sampling="log")
    with hp.conditional_scope("penalty", ["target"]):
        hp.Float("share", 0.1, 0.9)


def _line(hp):
    hp.Float("weight", 1e-2, 1e2, sampling="log")


def _discrete(hp):
    hp.Choice("p", [1, 2])
    hp.Int("steps", 1, 4)
    hp.Choice("surrogate", ["triangle", "sigmoid", "arctan"])


def _many(hp):
    for k in range(12):
        hp.Float(f"x{k}", 0.0, 1.0)


SPACES = {
    "mixed": _mixed,
    "scopes": _scopes,
    "line": _line,
    "discrete": _discrete,
    "many": _many,
}


def space_of(name):
    hp = keras_tuner.HyperParameters()
    SPACES[name](hp)
    return Space(hp)


def losses_of(points, objectives=2):
    """Smooth losses in about [0, 1], in conflict along the first coordinate."""
    first, rest = points[:, 0], points[:, 1:].sum(axis=1) * 0.05
    columns = [first**2 + rest, (1.0 - first) ** 2 + rest, 0.2 + 0.5 * first + rest]
    return np.stack(columns[:objectives], axis=1)


def observed(points, losses=None, reference=(1.0, 1.0), pending=(), failed=()):
    points = np.asarray(points, "float64")
    size = points.shape[1]
    if losses is None:
        losses = losses_of(points, 2 if reference is None else len(reference))
    return Observations(
        points=points,
        losses=np.asarray(losses, "float64"),
        reference=None if reference is None else np.asarray(reference, "float64"),
        pending=np.asarray(pending, "float64").reshape(-1, size),
        failed=np.asarray(failed, "float64").reshape(-1, size),
    )


def searched(sampler, space, measure, trials, *, seed=0, reference=(1.0, 1.0)):
    """The points of a whole search, one trial after the other."""
    points, losses = np.empty((0, space.size)), np.empty((0, len(reference)))
    for index in range(trials):
        rng = np.random.default_rng([seed, index])
        known = observed(points, losses, reference)
        point = sampler.propose(space, known, index, rng)
        # As a search does it: by the values that the point means.
        point = space.encode(space.decode(point))
        points = np.vstack([points, point])
        losses = np.vstack([losses, measure(point[None])])
    return points, losses
