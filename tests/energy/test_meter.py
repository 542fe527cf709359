"""energy_report: every kind of data, exact over partial batches, and its errors."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp import EnergyModel, SynapticPenalty, energy_report, penalize
from keras_ssp.layers import (
    LIF,
    DirectEncoding,
    EventFrames,
    PoissonEncoding,
    RateReadout,
)
from tests.helpers import images, small_snn

pytestmark = pytest.mark.every_backend
X = images(11)


class Batches(keras.utils.PyDataset):
    def __init__(self, size):
        super().__init__()
        self.size = size

    def __len__(self):
        return -(-len(X) // self.size)

    def __getitem__(self, k):
        part = slice(k * self.size, (k + 1) * self.size)
        return X[part], np.zeros(len(X[part]))


def as_dataset(size):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, np.zeros(len(X)))).batch(size)


@pytest.mark.parametrize(
    "data",
    [
        lambda: X,
        lambda: (X, np.zeros(11)),
        lambda: [X],
        lambda: keras.ops.convert_to_tensor(X),
        lambda: Batches(4),
        lambda: as_dataset(4),
        lambda: iter([(X[:7], None), X[7:]]),
    ],
    ids=["array", "tuple", "list", "tensor", "PyDataset", "tf.data", "iterator"],
)
def test_every_kind_of_data_gives_the_same_report(data):
    model = small_snn()
    expected = sum(energy_report(model, X[k : k + 1]).synops for k in range(11)) / 11
    report = energy_report(model, data(), batch_size=4)
    assert report.samples == 11
    assert report.synops == pytest.approx(expected, rel=1e-9)  # a mean over samples


def test_evaluation_mode_leaves_the_model_as_it_is():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8),
            layers.BatchNormalization(),
            DirectEncoding(2),
            LIF(threshold=0.1),
            layers.Dropout(0.9),
            layers.Dense(3),
            RateReadout(),
        ]
    )
    before = model.get_weights()
    x = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")
    first, second = energy_report(model, x), energy_report(model, x)
    assert first.synops == second.synops > 0  # dropout draws nothing
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_report_against_counts_by_hand():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, kernel_initializer="ones", name="stem"),
            DirectEncoding(2, name="encoding"),
            LIF(beta=0.0, name="first"),
            layers.Dense(5, kernel_initializer="ones"),
            LIF(beta=0.0, threshold=10.0, name="second"),
            layers.Dense(2),
            RateReadout(),
        ],
        name="by_hand",
    )
    # One of two samples makes all 4 neurons fire at both steps; 4 < 10: none after.
    x = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], "float32")
    report = energy_report(model, x)
    rows = {row.name: row for row in report.layers}
    first, second, stem = rows["first"], rows["second"], rows["stem"]
    assert (first.spikes, first.rate, first.fan_out) == (4.0, 0.5, 5.0)
    assert (first.synops, first.dense) == (20.0, 40.0)
    assert first.energy_pj == pytest.approx(18.0)
    assert (second.spikes, second.flags, second.silent_neurons) == (0.0, ("silent",), 5)
    assert (stem.macs, stem.kind) == (12.0, "analogue")
    assert stem.energy_pj == pytest.approx(12 * 4.6)
    assert report.ann_macs == 12 + 20 + 10
    assert report.dense_ann_pj == pytest.approx(42 * 4.6)
    # T = 2 steps tell 3 rates apart: 2 bits, 2 accumulates in place of a MAC.
    assert report.bit_matched_ann_pj == pytest.approx(42 * 2 * 0.9)
    assert report.energy_pj == pytest.approx(18.0 + 55.2)


def test_stem_after_the_encoding_runs_at_each_step():
    def macs(*front):
        model = keras.Sequential(
            [keras.Input((3,)), *front, LIF(), layers.Dense(2), RateReadout()]
        )
        return energy_report(model, np.ones((2, 3))).macs

    assert macs(layers.Dense(4), DirectEncoding(5)) == 12
    assert macs(DirectEncoding(5), layers.Dense(4)) == 60


def test_saturated_layer_is_flagged():
    model = keras.Sequential(
        [keras.Input((3,)), DirectEncoding(2), LIF(), layers.Dense(2), RateReadout()]
    )
    (row,) = energy_report(model, np.full((4, 3), 5.0, "float32")).layers
    assert (row.rate, row.flags) == (1.0, ("saturated",))


def test_spiking_input_is_a_row_of_its_own():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            PoissonEncoding(4, seed=0, name="poisson"),
            layers.Dense(5),
            LIF(),
            layers.Dense(2),
            RateReadout(),
        ]
    )
    report = energy_report(model, np.ones((6, 3), "float32"))
    row = report.layers[0]
    assert (row.name, row.kind, row.rate, row.synops) == ("poisson", "encoding", 1, 60)
    assert report.macs == 0


def test_a_row_has_the_kind_of_its_neuron():
    class Mine(LIF):
        kind = "mine"

    model = keras.Sequential(
        [keras.Input((3,)), DirectEncoding(2), Mine(), layers.Dense(2), RateReadout()]
    )
    report = energy_report(model, np.ones((2, 3), "float32"))
    (row,) = report.layers
    assert row.kind == "mine" and row.is_neuron
    assert "| mine |" in report.to_markdown()


def test_event_counts_cost_their_number():
    model = keras.Sequential(
        [keras.Input((2, 3)), EventFrames(), layers.Dense(5), LIF(), RateReadout()]
    )
    x = np.array([[[0, 2, 1], [0, 0, 1]]], "float32")
    row = energy_report(model, x).layers[0]
    assert (row.spikes, row.synops) == (4.0, 20.0)
    assert row.rate == pytest.approx(3 / 6)
    for bad in (0.5, -1.0):
        with pytest.raises(ValueError, match="whole numbers of at least 0"):
            energy_report(model, x + bad)


def test_several_inputs_by_position_and_by_name():
    a, b = keras.Input((3,), name="a"), keras.Input((5,), name="b")
    joined = layers.Concatenate()([layers.Dense(4)(b), layers.Dense(4)(a)])
    y = LIF(threshold=0.1)(DirectEncoding(2)(joined))
    model = keras.Model([b, a], RateReadout()(layers.Dense(2)(y)))
    rng = np.random.default_rng(0)
    xa, xb = rng.normal(size=(7, 3)), rng.normal(size=(7, 5))
    by_position = energy_report(model, [xb, xa], batch_size=3)
    by_name = energy_report(model, {"a": xa, "b": xb}, batch_size=3)
    assert by_position.synops == by_name.synops > 0
    with pytest.raises(ValueError, match=r"one length. Received: lengths=\[6, 7\]"):
        energy_report(model, [xb, xa[:6]])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoding = DirectEncoding(3)
        self.lif = LIF(beta=0.0, time_steps=3, fan_out=7, name="lif")
        self.head = layers.Dense(7)
        self.readout = RateReadout(time_steps=3)

    def call(self, x):
        return self.readout(self.head(self.lif(self.encoding(x))))


def test_subclassed_model_with_given_fan_out():
    model = Subclassed()
    x = np.array([[1.0, 0.0], [1.0, 1.0]], "float32")
    model(x)
    report = energy_report(penalize(model, SynapticPenalty(1e-3)), x)
    (row,) = report.layers
    assert row.synops == pytest.approx(1.5 * 3 * 7)
    assert row.penalty == pytest.approx(row.synops)
    assert report.notes  # what cannot be read is said


def test_energy_model_of_one_s_own():
    mine = EnergyModel(name="mine", ac_pj=2.0, mac_pj=3.0)
    report = energy_report(small_snn(), X, energy_model=mine)
    assert report.energy_pj == pytest.approx(2.0 * report.synops + 3.0 * report.macs)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (X[:0], "`data` must hold at least one sample. Received: none"),
        (iter([]), "an iterator with nothing left. Remedy"),
        (X[..., :1], r"batches of shape \(None, 8, 8, 2\).*Received: \(11, 8, 8, 1\)"),
        (np.where(X > 3.9, np.nan, X), "finite numbers only. Received: a batch with"),
        ([[1.0, 2.0]], "first axis being the samples. Received: single numbers"),
        (3.0, "must be arrays, a tf.data.Dataset.*Received: data of type float"),
        ("images", "must be arrays, a tf.data.Dataset.*Received: data of type str"),
    ],
    ids=["empty", "used up", "shape", "nan", "numbers", "float", "text"],
)
def test_bad_data(data, message):
    with pytest.raises(ValueError, match=message):
        energy_report(small_snn(), data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
        ({"energy_model": "abacus"}, "`energy_model` must be one of.*'abacus'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        energy_report(small_snn(), X, **arguments)


def test_progress_bar_only_when_asked_for(capsys):
    model = small_snn()
    energy_report(model, X, batch_size=4)
    assert capsys.readouterr().out == ""
    energy_report(model, X, batch_size=4, verbose=1)
    assert "3/3" in capsys.readouterr().out
