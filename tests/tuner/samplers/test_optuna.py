"""Optuna's samplers as this package's."""

import logging
import threading

import numpy as np
import optuna
import pytest

from keras_ssp.tuner.samplers import OptunaSampler
from tests.tuner.samplers.helpers import losses_of, observed, space_of


def test_nsga2_crosses_the_best_trials():
    # Two generations: good points, all with one half of the cube, then bad ones.
    space, rng = space_of("many"), np.random.default_rng(0)
    good, bad = rng.random((8, 12)) / 2, 0.5 + rng.random((8, 12)) / 2
    points = np.vstack([good, bad])
    known = observed(points, np.repeat([[0.1, 0.2], [0.8, 0.9]], 8, axis=0))
    found = [
        OptunaSampler("nsga2").propose(space, known, 16, np.random.default_rng(k))
        for k in range(5)
    ]
    inherited = [np.isin(child, good).mean() for child in found]
    assert np.mean(inherited) > 0.6  # the rest are mutations, or random
    # In the first generation there is nobody to inherit from.
    few = observed(good[:7])
    child = OptunaSampler("nsga2").propose(space, few, 7, np.random.default_rng(0))
    assert not np.isin(child, good).any()


def test_it_is_what_optuna_itself_proposes():
    # A study of Optuna's own, told the same trials, asks for the same point.
    space, rng = space_of("line"), np.random.default_rng(0)
    points = rng.random((15, 1))
    seed = int(np.random.default_rng(4).integers(2**31))
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed), directions=["minimize"] * 2
    )
    kind = {"0": optuna.distributions.FloatDistribution(0.0, 1.0)}
    for point, losses in zip(points, losses_of(points), strict=True):
        study.add_trial(
            optuna.trial.create_trial(
                params={"0": point[0]}, distributions=kind, values=losses.tolist()
            )
        )
    expected = study.ask(kind).params["0"]
    found = OptunaSampler().propose(
        space, observed(points), 15, np.random.default_rng(4)
    )
    assert found == pytest.approx([expected])


def test_arguments_reach_optuna():
    space, points = space_of("line"), np.full((3, 1), 0.5)
    with pytest.raises(TypeError, match="no_such_argument"):
        OptunaSampler("tpe", no_such_argument=1).propose(
            space, observed(points), 3, np.random.default_rng(0)
        )
    with pytest.raises(ValueError, match="`algorithm` must be one of 'tpe'"):
        OptunaSampler("tpee")


def test_its_log_is_as_it_was(caplog):
    logger = logging.getLogger("optuna.storages._in_memory")
    level, filters = logger.level, list(logger.filters)
    heard = []

    class Listener(logging.Handler):
        def emit(self, record):
            heard.append(record)

    listener = Listener()
    logger.addHandler(listener)
    try:
        OptunaSampler().propose(
            space_of("line"), observed([[0.5]]), 1, np.random.default_rng(0)
        )
        assert not heard
        # Studies of the user's own are still announced, in this thread and others.
        optuna.create_study()
        thread = threading.Thread(target=optuna.create_study)
        thread.start()
        thread.join()
        assert len(heard) == 2
    finally:
        logger.removeHandler(listener)
    assert (logger.level, list(logger.filters)) == (level, filters)
    assert optuna.logging.get_verbosity() == logging.INFO
