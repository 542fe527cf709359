"""The penalty follows the graph that runs; lambda stays what the user asked for."""

import json
import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssp import (
    SpikeCountPenalty,
    SynapticPenalty,
    SynOpsTarget,
    energy_report,
    penalize,
    penalty_values,
    set_penalty_weight,
)
from keras_ssp.callbacks import PenaltySchedule
from keras_ssp.layers import LIF, DirectEncoding, EventFrames, RateReadout
from tests.helpers import added_loss, images, small_snn

pytestmark = pytest.mark.every_backend
X = images(6)


def loss_of(model, x=X):
    return added_loss(model, x)


def synops_of(model, x=X):
    return energy_report(model, x).synops


def test_a_new_head_is_weighed():
    model = penalize(small_snn(threshold=0.3), SynapticPenalty(1.0))
    before = loss_of(model)
    model.pop(), model.pop()
    model.add(layers.Dense(50)), model.add(RateReadout())
    after = loss_of(model)
    assert after > before + 45
    assert after == pytest.approx(synops_of(model), rel=1e-6)
    assert sum(penalty_values(model, X).values()) == pytest.approx(after, rel=1e-6)
    model.compile("sgd", "mse")
    y = np.zeros((6, 50))
    task = float(np.mean(np.square(model.predict(X, verbose=0))))
    loss = model.evaluate(X, y, verbose=0)
    assert loss - task == pytest.approx(synops_of(model), rel=1e-4)


def test_a_penalised_encoder_inside_another_model_is_weighed_there():
    encoder = keras.Sequential(
        [keras.Input((4,)), LIF(time_steps=2, name="s"), layers.Dense(3), LIF(name="t")]
    )
    penalize(encoder, SynapticPenalty(1.0))
    x = keras.Input((4,))
    y = encoder(DirectEncoding(2)(x))
    model = keras.Model(x, RateReadout()(layers.Dense(7)(y)))
    data = np.random.default_rng(0).uniform(0, 4, (5, 4)).astype("float32")
    assert loss_of(model, data) == pytest.approx(synops_of(model, data), rel=1e-6)
    rows = {row.name.split("/")[-1]: row for row in energy_report(model, data).layers}
    assert rows["t"].fan_out == 7.0


def test_surgery_inside_a_nested_model_is_weighed():
    inner = keras.Sequential([keras.Input((4,)), LIF(name="s"), layers.Dense(3)])
    x = keras.Input((4,))
    model = penalize(keras.Model(x, inner(x)), SynapticPenalty(1.0))
    data = np.full((2, 4), 2.0, "float32")
    assert loss_of(model, data) == 4 * 3
    inner.pop()
    inner.add(layers.Dense(5))
    assert loss_of(model, data) == synops_of(model, data) == 4 * 5


def test_a_layer_in_two_models_is_weighed_by_each():
    x = keras.Input((8, 8, 2))
    y = layers.Flatten()(LIF(threshold=0.3, name="shared")(x))
    narrow = keras.Model(x, layers.Dense(3)(y), name="narrow")
    wide = keras.Model(x, layers.Dense(300)(y), name="wide")
    penalize(narrow, SynapticPenalty(1e-3))
    before = loss_of(narrow)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        penalize(wide, SynapticPenalty(1e-3))
    assert loss_of(narrow) == pytest.approx(before)
    assert loss_of(wide) == pytest.approx(100 * before, rel=1e-6)
    with pytest.warns(UserWarning, match="'shared' is part of model 'wide' too"):
        penalize(narrow, SpikeCountPenalty(1e-3))


def test_a_part_of_a_network_under_a_target():
    whole = penalize(small_snn(threshold=0.3), SynOpsTarget(2.0, target=100.0))
    part = keras.Model(whole.inputs, whole.get_layer("lif1").output)
    x = keras.Input((8, 8, 2))
    y = layers.Dense(3)(layers.Flatten()(part(x)))
    model = keras.Model(x, RateReadout()(y))
    expected = 2.0 * ((synops_of(model) - 100.0) / 100.0) ** 2
    assert loss_of(model) == pytest.approx(expected, rel=1e-5)


def test_a_target_counts_the_events_of_the_data():
    x = np.zeros((1, 5, 4), "float32")
    x[0, 0, 0], x[0, 2, 1] = 3, 1
    model = keras.Sequential(
        [
            keras.Input((5, 4)),
            EventFrames(name="events"),
            layers.Dense(3, kernel_initializer="ones"),
            LIF(name="lif"),
            layers.Dense(2),
            RateReadout(),
        ]
    )
    penalize(model, SynOpsTarget(1.0, target=10.0))
    report = energy_report(model, x)
    assert report.synops == 24.0
    assert (report.input_synops, report.input_energy_pj) == (12.0, pytest.approx(10.8))
    assert report.synaptic_energy_pj == pytest.approx(10.8)
    assert loss_of(model, x) == pytest.approx(((24.0 - 10.0) / 10.0) ** 2)
    assert sum(penalty_values(model, x).values()) == 24.0
    assert report.layers[0].rate == 2 / 20
    assert report.rate == pytest.approx((2 / 20 * 20 + report.layers[-1].spikes) / 35)
    assert "input events 10.8 pJ" in str(report)
    assert "for one of the 5 steps" in str(report)


def test_weights_of_another_training_leave_lambda_alone(tmp_path):
    free, other = small_snn(threshold=0.3), small_snn(threshold=0.3)
    penalize(other, SynapticPenalty(0.5))
    for name, model in (("free", free), ("other", other)):
        model.save_weights(tmp_path / f"{name}.weights.h5")
    for name, model in (("free", free), ("other", other)):
        mine = penalize(small_snn(threshold=0.3), SynapticPenalty(0.25))
        mine.load_weights(tmp_path / f"{name}.weights.h5")
        assert mine.get_layer("lif1").penalty_weight_now == 0.25
        assert loss_of(mine) == pytest.approx(0.25 * synops_of(mine), rel=1e-6)
        mine.set_weights(model.get_weights())
        assert mine.get_layer("lif2").penalty_weight_now == 0.25
    free.load_weights(tmp_path / "other.weights.h5")
    assert free.get_layer("lif1").penalty is None
    assert [w.shape for w in free.weights] == [w.shape for w in other.weights]


@pytest.mark.filterwarnings("ignore:Layer .* is silent:UserWarning")
def test_the_best_weights_come_back_without_their_lambda():
    model = penalize(small_snn(threshold=0.3), SynapticPenalty(1e-3))
    model.compile("sgd", "mse")
    stop = keras.callbacks.EarlyStopping(
        "loss", mode="max", patience=0, restore_best_weights=True
    )
    schedule = PenaltySchedule(0.5, epochs=2)
    model.fit(X, np.zeros((6, 5)), epochs=5, callbacks=[schedule, stop], verbose=0)
    assert model.get_layer("lif1").penalty_weight_now == pytest.approx(
        0.5 * schedule.factor(stop.stopped_epoch + 1.0)
    )


def test_a_moved_lambda_is_saved_and_cloned(tmp_path):
    model = penalize(small_snn(), SynapticPenalty(0.5))
    set_penalty_weight(model, 0.125)
    model.save(tmp_path / "moved.keras")
    loaded = keras.saving.load_model(tmp_path / "moved.keras")
    cloned = keras.models.clone_model(model)
    again = keras.models.model_from_json(model.to_json())
    for copy in (loaded, cloned, again):
        assert copy.get_layer("lif1").penalty_weight_now == 0.125
        assert copy.get_layer("lif1").penalty.weight == 0.5


@keras.saving.register_keras_serializable(package="tests")
class OwnConfig(keras.Model):
    """A model whose config is its own: it makes its layers itself."""

    def __init__(self, units=3, **kwargs):
        x = keras.Input((8, 8, 2))
        y = LIF(threshold=0.3, name="s")(DirectEncoding(2)(layers.Conv2D(4, 3)(x)))
        y = RateReadout()(layers.Dense(units)(layers.Flatten()(y)))
        super().__init__(x, y, **kwargs)
        self.units = units

    def get_config(self):
        return {"units": self.units}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def test_a_model_with_a_config_of_its_own_keeps_its_penalty(tmp_path):
    model = penalize(OwnConfig(), SynapticPenalty(1e-3, p=2))
    set_penalty_weight(model, 2e-3)
    expected = loss_of(model)
    assert expected > 0
    model.save(tmp_path / "own.keras")
    loaded = keras.saving.load_model(tmp_path / "own.keras")
    assert repr(loaded.get_layer("s").penalty) == repr(model.get_layer("s").penalty)
    assert loss_of(loaded) == pytest.approx(expected, rel=1e-6)


@pytest.mark.filterwarnings("ignore:Layer .* is silent:UserWarning")
def test_recomputed_layers_train_with_the_penalty():
    def history(scope):
        with scope:
            keras.utils.set_random_seed(0)
            model = penalize(small_snn(threshold=0.3), SynapticPenalty(1e-3))
        model.compile(keras.optimizers.SGD(0.1), "mse")
        fitted = model.fit(X, np.zeros((6, 5)), epochs=3, shuffle=False, verbose=0)
        return fitted.history["loss"]

    names = ["lif1", "lif2"]
    scope = keras.RematScope(mode="list_of_layers", layer_names=names)
    plain = history(keras.RematScope(mode=None))
    np.testing.assert_allclose(history(scope), plain, rtol=1e-5)
    assert plain[-1] < 0.9 * plain[0]


def test_a_recomputed_model_is_refused():
    if keras.backend.backend() == "torch":
        pytest.skip("torch computes models again without losing a gradient")
    with keras.RematScope(mode="list_of_layers", layer_names=["inner"]):
        inner = keras.Sequential(
            [keras.Input((4,)), LIF(time_steps=2), layers.Dense(3)], name="inner"
        )
        x = keras.Input((4,))
        model = keras.Model(x, RateReadout()(inner(DirectEncoding(2)(x))))
    with pytest.raises(ValueError, match="'inner' computed again.*RematScope"):
        penalize(model, SynapticPenalty(1.0))


def test_rows_folded_by_the_caller_are_samples_of_t_rows():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(3, kernel_initializer="identity"),
            LIF(time_steps=4, beta=0.0, name="s"),
            layers.Dense(2),
        ]
    )
    penalize(model, SynapticPenalty(1.0))
    x = np.full((8, 3), 2.0, "float32")  # two samples, four steps each
    for batch_size in (128, 6, 1):
        report = energy_report(model, x, batch_size=batch_size)
        row = report.layers[-1]
        assert (report.synops, report.samples, row.rate) == (24.0, 2, 1.0)
        assert report.macs == 4 * 9  # the stem runs at each step
    assert penalty_values(model, x) == {"s": 24.0}
    assert loss_of(model, x) == 24.0


def test_the_loss_has_the_dtype_that_keras_adds_up():
    before = keras.config.floatx()
    if keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless it is turned on")
    keras.config.set_floatx("float64")
    try:
        model = penalize(small_snn(threshold=0.3), SynapticPenalty(1e-3))
        model.compile("sgd", "mse")
        x = X.astype("float64")
        loss = model.fit(x, np.zeros((6, 5)), verbose=0).history["loss"][0]
        assert np.isfinite(loss)
        energy_report(model, x)
    finally:
        keras.config.set_floatx(before)


def test_an_unbuilt_model_is_called_unbuilt():
    model = keras.Sequential([layers.Dense(3), LIF(), layers.Dense(2)])
    with pytest.raises(ValueError, match="must be built: the Sequential model"):
        penalize(model, SynapticPenalty(1.0))


@pytest.mark.parametrize("model", [None, "net", 3, LIF()])
def test_what_is_no_model_is_refused_by_name(model):
    with pytest.raises(TypeError, match="`model` must be a keras.Model. Received: mod"):
        penalize(model, SynapticPenalty(1.0))
    with pytest.raises(TypeError, match="`model` must be a keras.Model"):
        energy_report(model, X)


def test_gates_are_penalised_where_they_are_counted():
    x = keras.Input((6,))
    y = DirectEncoding(2)(x)
    q = LIF(threshold=0.5, name="q")(layers.Dense(8)(y))
    k = LIF(threshold=0.5, name="k")(layers.Dense(8)(y))
    iand = layers.Multiply(name="iand")([1.0 - q, k])
    pooled = ops.max(ops.reshape(iand, (-1, 4, 2)), axis=-1)
    model = keras.Model(x, RateReadout()(layers.Dense(3)(pooled)))
    data = np.random.default_rng(0).normal(size=(7, 6)).astype("float32") * 3
    q_, k_ = keras.Function(model.inputs, [q, k])([data])
    q_, k_ = (ops.convert_to_numpy(each) for each in (q_, k_))
    leaving = ((1 - q_) * k_).reshape(-1, 4, 2).max(-1).sum() / 7
    report = energy_report(model, data)
    rows = {row.name: row for row in report.layers}
    assert rows["iand"].kind == "gate"
    assert rows["iand"].synops == pytest.approx(3 * leaving)
    assert report.synops == pytest.approx(3 * leaving)
    assert "shortcut without weights into neurons through" in rows["q"].notes[0]
    for penalty in (SynapticPenalty(0.5), SynapticPenalty(0.5, normalize=True)):
        penalize(model, penalty)
        omega = penalty_values(model, data)
        assert omega["q"] == omega["k"] == 0.0
        assert loss_of(model, data) == pytest.approx(0.5 * omega["iand"], rel=1e-6)
    penalize(model, SpikeCountPenalty(1.0))
    assert set(penalty_values(model, data)) == {"q", "k"}  # a gate has no neurons


def test_a_penalty_of_older_files_is_read(tmp_path):
    """Files without a group, and with lambda as the last of the weights."""
    model = penalize(small_snn(threshold=0.3), SynapticPenalty(0.5))
    config = json.loads(model.to_json())
    for layer in config["config"]["layers"]:
        bound = layer["config"].get("penalty")
        if bound:
            bound["config"].pop("group")
    again = keras.models.model_from_json(json.dumps(config))
    again.set_weights(model.get_weights())
    assert loss_of(again) == pytest.approx(loss_of(model), rel=1e-6)
