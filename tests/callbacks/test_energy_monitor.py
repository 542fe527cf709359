"""EnergyMonitor in real training runs."""

import csv
import re
import warnings

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp import SynapticPenalty, calibrate, energy_report, penalize
from keras_ssp.callbacks import EnergyMonitor
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from tests.helpers import images, small_snn

pytestmark = pytest.mark.every_backend
X, Y = images(16), np.ones((16, 5), "float32")


def compiled():
    model = penalize(small_snn(), SynapticPenalty(1e-6))
    model.compile("sgd", "mse")
    return model


def test_monitor_writes_history_progress_bar_and_later_callbacks(tmp_path, capsys):
    model = compiled()
    log = tmp_path / "log.csv"
    callbacks = [EnergyMonitor(X[:6]), keras.callbacks.CSVLogger(str(log))]
    history = model.fit(X, Y, epochs=2, callbacks=callbacks, verbose=2).history
    report = energy_report(model, X[:6])
    assert history["val_synops"][-1] == pytest.approx(report.synops)
    assert history["val_energy_pj"][-1] == pytest.approx(report.energy_pj)
    assert history["val_spike_rate"][-1] == pytest.approx(report.rate)
    assert "val_synops" in capsys.readouterr().out
    with open(log) as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["val_energy_pj"]) == pytest.approx(report.energy_pj)


def test_monitor_every_other_epoch():
    model = compiled()
    monitor = EnergyMonitor(X[:6], every=2, prefix="test_")
    history = model.fit(X, Y, epochs=3, callbacks=[monitor], verbose=0).history
    values = history["test_synops"]
    assert len(values) == 3
    assert values[2] == values[1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EnergyMonitor(X, every=0), "`every` must be a positive integer"),
        (lambda: EnergyMonitor(X, energy_model="tpu"), "tpu"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ones((4, 8, 8)), "`data` must hold batches of shape"),
        (iter([np.ones((4, 8, 8, 2))]), "`data` must be readable many times"),
        ([], "`data` must hold at least one sample"),
        ({}, "`data` must hold at least one sample"),
        (np.array(0.5), "`data` must hold arrays"),
        (None, "`data` must be arrays"),
    ],
)
def test_bad_data_are_told_before_training(data, message):
    model = small_snn()
    model.compile("sgd", "mse")
    seen = []
    counter = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_: seen.append(1)
    )
    with pytest.raises(ValueError, match=message):
        model.fit(
            images(4),
            np.ones((4, 5)),
            callbacks=[EnergyMonitor(data), counter],
            verbose=0,
        )
    assert not seen


def test_silent_and_saturated_layers_are_named_once():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, kernel_initializer="ones"),
            DirectEncoding(2),
            LIF(threshold=1e-3, name="always"),
            layers.Dense(5),
            LIF(threshold=1e6, name="never"),
            layers.Dense(3),
            RateReadout(),
        ]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = np.ones((4, 4), "float32")
    # A training loop of one's own: `fit` would have said it of the training data.
    own = keras.callbacks.CallbackList([EnergyMonitor(x)], model=model)
    with pytest.warns(UserWarning) as caught:
        own.on_train_begin()
        for epoch in range(3):
            model.train_on_batch(x, np.ones((4, 3)))
            own.on_epoch_end(epoch, {})
    found = [str(w.message) for w in caught if "on the data measured" in str(w.message)]
    assert len(found) == 2
    assert "Layer 'never' is silent" in found[0] and "lower threshold" in found[0]
    assert "Layer 'always' is saturated" in found[1]


def test_a_penalty_that_outweighs_the_task_is_told_with_a_sensible_range():
    x, y = images(8), np.ones((8, 5), "float32")

    def warned(weight):
        keras.utils.set_random_seed(0)
        model = penalize(small_snn(threshold=0.3), SynapticPenalty(weight))
        model.compile(keras.optimizers.SGD(1e-4), "mse")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(x, y, callbacks=[EnergyMonitor(x)], verbose=0)
        return [str(w.message) for w in caught if "outweighs" in str(w.message)]

    (text,) = warned(1.0)
    assert "lambda=1 times Omega=" in text
    largest = float(re.search(r"to (\S+); with", text).group(1))
    assert not warned(largest)


def test_documented_combinations_of_callbacks_run():
    model = penalize(small_snn(threshold=0.3), SynapticPenalty(1e-6))
    model.compile("sgd", "mse")
    x = images(8)
    history = model.fit(
        x,
        np.ones((8, 5)),
        epochs=3,
        callbacks=[
            EnergyMonitor(x),
            keras.callbacks.EarlyStopping("val_energy_pj", mode="min", patience=5),
            keras.callbacks.ReduceLROnPlateau("val_synops", mode="min"),
        ],
        verbose=0,
    ).history
    assert len(history["val_energy_pj"]) == 3


def stack(depth, units, steps, **lif):
    """Dense layers of spiking neurons, all with the same weights and current."""
    keras.utils.set_random_seed(0)
    found = [keras.Input((8,))]
    for k in range(depth):
        found.append(layers.Dense(units))
        found += [DirectEncoding(steps)] if k == 0 and steps > 1 else []
        found.append(LIF(name=f"lif{k}", **lif))
    found.append(layers.Dense(2))
    found += [RateReadout()] if steps > 1 else []
    model = keras.Sequential(found)
    model.compile("adam", "mse")
    return model


def said_by_fit(model, x):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, np.zeros((len(x), 2)), verbose=0, callbacks=[EnergyMonitor(x)])
    return [str(w.message) for w in caught if "Remedy" in str(w.message)]


def test_a_start_that_hardly_fires_is_said_and_calibrate_mends_it():
    x = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
    (found,) = [
        text
        for text in said_by_fit(stack(12, 256, 4), x)
        if "hardly firing before the training" in text
    ]
    assert "'lif11'" in found and "'lif0'" not in found
    assert "calibrate(model, x)" in found
    model = stack(12, 256, 4)
    calibrate(model, x)
    assert not said_by_fit(model, x)


@pytest.mark.parametrize(
    ("depth", "units", "steps", "said"),
    [(4, 64, 1, 1), (4, 64, 2, 0), (4, 200, 1, 1), (8, 200, 1, 1), (3, 64, 1, 0)],
)
def test_several_layers_at_one_step_are_named(depth, units, steps, said):
    model = stack(depth, units, steps)
    x = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
    calibrate(model, x)
    found = [text for text in said_by_fit(model, x) if "(T = 1)" in text]
    assert len(found) == said
    assert all(f"{depth} spiking layers" in text for text in found)
