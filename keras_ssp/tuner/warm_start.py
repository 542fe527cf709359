"""Weights to start a trial from: those of the nearest trial that is finished."""

from __future__ import annotations

import pathlib

import keras
import keras_tuner
import numpy as np

from keras_ssp.tuner.records import COMPLETED, read_trials
from keras_ssp.tuner.trial import load_trial


def warm_weights(
    model: keras.Model,
    hp: keras_tuner.HyperParameters,
    name: str,
    folder: pathlib.Path,
) -> str | None:
    """Gives a model the weights of the finished trial that is nearest to it.

    Only of trials that agree in every other hyperparameter, or where there are none,
    of all whose weights have the same shapes. lambda stays the model's own.

    Args:
        model: The model, just built.
        hp: The values that it was built with.
        name: The hyperparameter that nearness is measured in.
        folder: The folder of the search.

    Returns:
        The id of the trial, `None` where there is none that fits.
    """
    where = next(each for each in hp.space if each.name == name)
    own = where.value_to_prob(hp.get(name))
    found = [
        (
            any(hp.values.get(k) != v for k, v in trial.values.items() if k != name),
            abs(where.value_to_prob(trial.values[name]) - own),
            trial,
        )
        for trial in read_trials(folder)
        if trial.status == COMPLETED and name in trial.values
    ]
    for _, _, trial in sorted(found, key=lambda each: each[:2]):
        weights = load_trial(trial.folder, compile=False).weights
        if [w.shape for w in weights] == [w.shape for w in model.weights]:
            _copy(weights, model.weights)
            return trial.trial
    return None


def _copy(source: list[keras.Variable], target: list[keras.Variable]) -> None:
    for old, new in zip(source, target, strict=True):
        if new.name != "penalty_weight":
            new.assign(np.asarray(keras.ops.convert_to_numpy(old)))
