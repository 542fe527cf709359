"""SilenceGuard: layers that a penalty would silence, and those that it would not."""

import keras
import numpy as np
import pytest

from keras_ssp import SpikeCountPenalty, SynapticPenalty, datasets, penalize
from keras_ssp.callbacks import EnergyMonitor, PenaltySchedule, SilenceGuard
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from tests.callbacks.networks import X_VAL, Y_VAL, X, Y, compiled, fit, network


def value(weight):
    return float(keras.ops.convert_to_numpy(weight))


def lambdas(model):
    return [value(model.get_layer(f"lif{k}").penalty_weight) for k in (1, 2)]


class Record(keras.callbacks.Callback):
    """lambda of both layers at each step."""

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(lambdas(self.model))


def without_norm(convolutions, weight):
    """The README's network less its batch norms, as a user would write it."""
    layers = keras.layers
    stack = [keras.Input((8, 8, 1)), layers.Conv2D(16, 3, padding="same")]
    stack += [DirectEncoding(time_steps=4), LIF(threshold=1.0, name="first")]
    for k in range(convolutions):
        stack += [
            layers.Conv2D(32, 3, padding="same"),
            LIF(threshold=1.0, name=f"deep{k}"),
        ]
    stack += [layers.AveragePooling2D(2), layers.Flatten(), layers.Dense(10)]
    model = keras.Sequential([*stack, RateReadout()])
    return compiled(penalize(model, SynapticPenalty(weight)), rate=1e-3)


def digits():
    data = datasets.load("digits")
    return data.inputs("train"), data.inputs("validation")


def test_a_network_that_the_penalty_kills_learns_with_the_guard():
    train, validation = digits()
    accuracy = {}
    for guarded in (False, True):
        keras.utils.set_random_seed(0)
        model = without_norm(1, 3e-6)
        arguments = {"batch_size": 32, "epochs": 8, "verbose": 0}
        if guarded:
            guard = SilenceGuard(validation.x)
            with pytest.warns(UserWarning, match="Layer 'deep0' fires 0"):
                history = model.fit(
                    train.x, train.y, callbacks=[guard], **arguments
                ).history
            assert history["guarded_layers"][0] == 2.0
            assert history["guarded_layers"][-1] == 0.0
            assert value(model.get_layer("first").penalty_weight) == pytest.approx(3e-6)
            assert value(model.get_layer("deep0").penalty_weight) == pytest.approx(3e-6)
        else:
            with pytest.warns(UserWarning, match="is silent: it never fires"):
                model.fit(train.x, train.y, **arguments)
        logits = model.predict(validation.x, verbose=0)
        accuracy[guarded] = np.mean(np.argmax(logits, -1) == validation.y)
    assert accuracy[False] < 0.2
    assert accuracy[True] > 0.8


def test_a_network_that_is_silent_by_itself_is_reported_twice():
    train, validation = digits()
    keras.utils.set_random_seed(0)
    model = without_norm(3, 0.0)
    with pytest.warns(UserWarning) as caught:
        model.fit(
            train.x[:64],
            train.y[:64],
            epochs=8,
            callbacks=[SilenceGuard(validation.x)],
            verbose=0,
        )
    first, last = [str(w.message) for w in caught]
    assert "'deep1', 'deep2' are silent since training began" in first
    assert "silent at the end of training" in last
    assert all("BatchNormalization" in text for text in (first, last))


@pytest.mark.every_backend
def test_a_healthy_network_trains_as_without_the_guard():
    weights = []
    for callbacks in ([], [SilenceGuard(X_VAL)]):
        keras.utils.set_random_seed(0)
        model = network(SynapticPenalty(1e-4))
        history = fit(model, *callbacks, epochs=3)
        weights.append(model.get_weights())
    assert history["guarded_layers"] == [0.0, 0.0, 0.0]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.every_backend
@pytest.mark.parametrize("first", [False, True])
def test_held_layers_stay_held_beside_a_schedule(first):
    keras.utils.set_random_seed(0)
    model = network(SpikeCountPenalty(1.0))
    # A floor that no layer reaches: all are held, from the first step to the last.
    guard, schedule = SilenceGuard(X_VAL, floor=1e6), PenaltySchedule(0.3, epochs=1)
    both = [guard, schedule] if first else [schedule, guard]

    class AtTheStep(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(lambdas(self.model))

    seen = []
    with pytest.warns(UserWarning) as caught:
        history = fit(model, *both, AtTheStep(), epochs=2)
    messages = [str(w.message) for w in caught]
    assert sum("the penalty is held off it" in text for text in messages) == 2
    assert history["guarded_layers"] == [2.0, 2.0]
    assert seen and not np.any(seen)
    np.testing.assert_allclose(lambdas(model), 0.3, rtol=1e-6)  # let go at the end


# On one backend: with other random weights another lambda would be the right one.
def test_a_layer_that_collapses_is_held_and_let_go():
    keras.utils.set_random_seed(0)
    model = network(SpikeCountPenalty(0.1))
    record = Record()
    with pytest.warns(UserWarning) as caught:
        history = fit(model, SilenceGuard(X_VAL), record, epochs=8)
    # Third parties warn too.
    own = [text for w in caught if "silent" in (text := str(w.message))]
    assert own and all("silent or about to be" in text for text in own)
    held = np.array(record.seen) == 0.0
    assert held.any() and not held.all()
    assert max(history["guarded_layers"]) > 0
    report = EnergyMonitor(X_VAL)
    report.set_model(model)
    report.on_epoch_end(0)
    assert all(row.spikes > 0 for row in report.report.layers if row.spiking)


def test_state_comes_back():
    guard, again = SilenceGuard(X_VAL), SilenceGuard(X_VAL)
    guard.held = {"lif1": 0.25}
    again.set_state(guard.get_state())
    assert again.held == guard.held
    assert again.get_state() == guard.get_state()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SilenceGuard(X, floor=0.0), "`floor` must be a finite number above 0"),
        (lambda: SilenceGuard(X, checks=0), "`checks` must be a positive integer"),
        (lambda: SilenceGuard(None), "`data` must be data to measure on"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_without_penalty_is_an_error():
    model = penalize(network(), None)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="has no penalty"):
        model.fit(X, Y, callbacks=[SilenceGuard(X_VAL)], verbose=0)
    assert len(Y_VAL) == len(X_VAL)
