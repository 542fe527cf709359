"""Plain `fit` says which layers were silent or saturated in an epoch."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp import EnergyMonitor, SynapticPenalty, penalize
from keras_ssp.layers import LIF, DirectEncoding, RateReadout

pytestmark = pytest.mark.every_backend
NEVER, ALWAYS, AT_TIMES = "never", "always", "at times"
X = np.random.default_rng(0).random((20, 5)).astype("float32")
Y = np.arange(20) % 3


def network(second=AT_TIMES, *, model=keras.Model, **compiling):
    """Two spiking layers; `second` is when the second one fires."""
    keras.utils.set_random_seed(0)
    x = keras.Input((5,))
    y = DirectEncoding(3)(
        layers.Dense(8, kernel_initializer=keras.initializers.Constant(0.1))(x)
    )
    y = LIF(threshold=0.3, name="first")(y)
    bias = keras.initializers.Constant(1e3 if second == ALWAYS else 0.0)
    y = layers.Dense(6, bias_initializer=bias)(y)
    y = LIF(threshold=1e6 if second == NEVER else 0.3, name="second")(y)
    found = model(x, RateReadout()(layers.Dense(3)(y)))
    found.compile(
        keras.optimizers.SGD(1e-4),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        **compiling,
    )
    return found


def said(run):
    """What was warned of ours while `run` ran."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        run()
    return [str(w.message) for w in caught if "__array__" not in str(w.message)]


@pytest.mark.parametrize(
    ("eager", "validation", "epochs"),
    [(False, None, 1), (False, (X, Y), 3), (True, None, 3), (True, (X, Y), 1)],
)
def test_fit_names_a_silent_layer_once(eager, validation, epochs):
    model = network(second=NEVER, run_eagerly=eager)
    texts = said(
        lambda: model.fit(
            *(X, Y), epochs=epochs, batch_size=6, verbose=0, validation_data=validation
        )
    )
    assert len(texts) == 1
    assert "'second' is silent" in texts[0]
    assert "Remedy" in texts[0]
    assert said(lambda: model.fit(X, Y, verbose=0)) == []


def test_fit_names_a_saturated_layer():
    texts = said(lambda: network(second=ALWAYS).fit(X, Y, batch_size=6, verbose=0))
    assert len(texts) == 1
    assert "'second' is saturated" in texts[0]


ONE_SPIKING = [(0, False), (2, True), (3, False)]


@pytest.mark.parametrize(("spiking_batch", "eager"), ONE_SPIKING)
def test_a_layer_that_spikes_in_one_batch_is_not_silent(spiking_batch, eager):
    model = network(run_eagerly=eager)
    x = np.zeros_like(X)
    x[5 * spiking_batch] = 1.0
    texts = said(
        lambda: model.fit(x, Y, batch_size=5, shuffle=False, epochs=2, verbose=0)
    )
    assert not [text for text in texts if "'first'" in text]


def test_without_that_sample_it_is():
    silent = said(lambda: network().fit(np.zeros_like(X), Y, batch_size=5, verbose=0))
    assert [text for text in silent if "'first' is silent" in text]


def test_nothing_is_said_and_nothing_shown_elsewhere():
    model = network(second=NEVER)
    assert said(lambda: model.evaluate(X, Y, verbose=0)) == []
    assert said(lambda: model.predict(X, verbose=0)) == []
    assert said(lambda: [model.train_on_batch(X, Y) for _ in range(3)]) == []
    assert set(model.train_on_batch(X, Y, return_dict=True)) == {"loss", "accuracy"}
    assert len(model.evaluate(X, Y, verbose=0)) == 2
    good = network()
    assert said(lambda: good.fit(X, Y, verbose=0)) == []
    assert set(good.history.history) == {"loss", "accuracy"}


def test_a_network_that_is_not_finite_is_not_called_silent():
    model = network()
    x = np.full_like(X, np.nan)
    assert said(lambda: model.fit(x, Y, verbose=0)) == []


def test_a_penalty_that_silences_is_told_by_fit_alone():
    model = network()
    penalize(model, SynapticPenalty(1e6))
    model.optimizer.learning_rate.assign(0.5)
    texts = said(lambda: model.fit(X, Y, epochs=8, batch_size=5, verbose=0))
    assert [text for text in texts if "is silent" in text and "lower lambda" in text]


def test_the_monitor_does_not_repeat_what_fit_said():
    model = network(second=NEVER)
    monitor = EnergyMonitor(X)
    texts = said(lambda: model.fit(X, Y, epochs=2, verbose=0, callbacks=[monitor]))
    assert len([text for text in texts if "'second' is silent" in text]) == 1


def test_what_was_seen_is_no_weight_and_is_not_saved(tmp_path):
    model = network()
    before = [w.shape for w in model.weights]
    model.fit(X, Y, verbose=0)
    assert [w.shape for w in model.weights] == before
    assert model.get_layer("first").weights == []
    assert model.count_params() == 5 * 8 + 8 + 8 * 6 + 6 + 6 * 3 + 3
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        again.predict(X, verbose=0), model.predict(X, verbose=0)
    )
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())


class Own(keras.Model):
    """Steps as Keras' guides write them: every metric by its name."""

    def train_step(self, *args):
        super().train_step(*args)
        return {m.name: m.result() for m in self.metrics}


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX steps have no self")
def test_a_train_step_of_ones_own():
    model = network(second=NEVER, model=Own)
    texts = said(lambda: model.fit(X, Y, epochs=2, batch_size=6, verbose=0))
    assert len([text for text in texts if "'second' is silent" in text]) == 1
    assert "loss" in model.history.history


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX alone has tracers")
def test_no_tracer_is_left_in_a_layer():
    import jax

    model = network()
    loss = jax.jit(jax.grad(lambda x: model(x, training=True).sum()))
    loss(X)
    assert np.all(np.isinf(np.asarray(model.get_layer("first").rates_seen)))
    with keras.RematScope("full"):
        remat = network(second=NEVER)
    remat.fit(X, Y, verbose=0)  # watched no more, since the whole model is run again
