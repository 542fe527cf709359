"""A search of tiny networks, as its own program: the environment tells it what it is.

`search_program.py FOLDER [--trials N] [--seconds S] [--lease S] [--recycle K]`. Each
trial writes a line to `runs.log` when it starts, and another one when it has ended.

With `--die-at K` the process kills itself at its K-th write of a file: before the file
is there if K is odd, after it if K is even.
"""

import argparse
import json
import os
import pathlib
import signal
import time

import keras
import numpy as np

from keras_ssp import SynapticPenalty, penalize
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from keras_ssp.tuner import ParetoTuner


def build(hp):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8),
            DirectEncoding(2),
            LIF(),
            keras.layers.Dense(3),
            RateReadout(),
        ]
    )
    weight = hp.Float("penalty_weight", 1e-4, 1.0, sampling="log")
    penalize(model, SynapticPenalty(weight, normalize=True))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return model


class LoggedTuner(ParetoTuner):
    """Writes down who ran what; takes its time."""

    def __init__(self, *args, seconds, **kwargs):
        super().__init__(*args, **kwargs)
        self.seconds = seconds

    def note(self, what, trial):
        line = f"{time.time():.2f} {what} {trial.trial_id} {os.getpid()}\n"
        with open(pathlib.Path(self.project_dir) / "runs.log", "a") as log:
            log.write(line)

    def run_trial(self, trial, *args, **kwargs):
        file = pathlib.Path(self.get_trial_dir(trial.trial_id)) / "trial.json"
        over = json.loads(file.read_text())["status"] == "COMPLETED"
        self.note("again" if over else "start", trial)
        return super().run_trial(trial, *args, **kwargs)

    def on_trial_end(self, trial):
        super().on_trial_end(trial)
        self.note("end", trial)


class Slowly(keras.callbacks.Callback):
    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def on_epoch_end(self, epoch, logs=None):
        time.sleep(self.seconds)


def die_at(number):
    """Makes this process kill itself at a write."""
    replace, count = os.replace, 0

    def last_replace(source, target):
        nonlocal count
        count += 1
        if count == number and number % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = last_replace


def main(argv=None):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)  # tracing would take seconds
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--lease", type=float, default=4.0)
    parser.add_argument("--recycle", type=int)
    parser.add_argument("--sampler", default="ehvi")
    parser.add_argument("--die-at", type=int)
    arguments = parser.parse_args(argv)
    if arguments.die_at:
        die_at(arguments.die_at)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x[:, :3].argmax(axis=1)
    tuner = LoggedTuner(
        build,
        seconds=arguments.seconds,
        max_trials=arguments.trials,
        lease=arguments.lease,
        recycle=arguments.recycle,
        sampler=arguments.sampler,
        directory=arguments.folder.parent,
        project_name=arguments.folder.name,
    )
    callbacks = [Slowly(arguments.seconds)]
    tuner.search(x, y, validation_data=(x, y), epochs=1, callbacks=callbacks, verbose=1)


if __name__ == "__main__":
    main()
