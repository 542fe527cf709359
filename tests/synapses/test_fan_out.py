"""Fan-out: against brute force, against published counts, and its errors."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssp import SynapticPenalty, energy_report, penalize, synapses
from keras_ssp.layers import LIF, DirectEncoding, EventFrames, RateReadout
from keras_ssp.synapses.analysis import analyze
from keras_ssp.synapses.taps import full
from tests.synapses.stacks import (
    random_route,
    random_shape,
    random_synapse,
    route_fan,
    touched,
)


def psi_of(model, name=None):
    """The fan-out of every neuron of the model's (named) spiking layer."""
    sites = {s.name: s for s in analyze(model).spiking}
    site = sites[name] if name else next(iter(sites.values()))
    assert all(not tap.path for tap in site.taps)
    return sum(full(tap.weight, site.size) for tap in site.taps)


@pytest.mark.parametrize("seed", range(220))
def test_fan_out_equals_brute_force(seed):
    rng = np.random.default_rng(seed)
    shape = random_shape(rng)
    x = keras.Input(shape)
    y = LIF(name="neurons")(x)
    reach, current = np.eye(int(np.prod(shape)), dtype=bool), shape
    for _ in range(int(rng.integers(0, 3))):
        route = random_route(rng, current)
        if route is not None:
            y = route(y)
            fan, current = route_fan(route, current)
            # Multiplicity, not reach: an event seen by two cells is two events.
            reach = reach.astype("int64") @ fan.astype("int64")
    synapse = random_synapse(rng, current)
    out = synapse(y)
    expected = reach.astype("int64") @ touched(synapse, current).ravel()
    model = keras.Model(x, layers.Flatten()(out))
    np.testing.assert_array_equal(psi_of(model).ravel(), expected)


@pytest.mark.parametrize(
    ("conv", "shape", "expected"),
    [
        (layers.Conv2D(3, 3, padding="same"), (6, 6, 2), 1536),
        (layers.Conv2D(3, 3), (6, 6, 2), 864),
        (layers.Conv2D(4, 3, padding="same", groups=2), (6, 6, 4), 2048),
    ],
)
def test_published_counts_of_convolutions(conv, shape, expected):
    model = keras.Sequential([keras.Input((1, *shape)), EventFrames(), conv])
    model.add(layers.Flatten())
    model.add(RateReadout())
    report = energy_report(model, np.ones((1, 1, *shape), "float32"))
    assert report.synops == expected


def test_published_count_of_strided_convolution_with_symmetric_padding():
    model = keras.Sequential(
        [
            keras.Input((1, 6, 6, 2)),
            EventFrames(),
            layers.ZeroPadding2D(1),
            layers.Conv2D(3, 3, strides=2),
            layers.Flatten(),
            RateReadout(),
        ]
    )
    assert energy_report(model, np.ones((1, 1, 6, 6, 2))).synops == 384


def test_corner_spike_meets_four_weights():
    model = keras.Sequential(
        [keras.Input((1, 4, 4, 1)), EventFrames(), layers.Conv2D(1, 3, padding="same")]
    )
    frame = np.zeros((1, 1, 4, 4, 1))
    frame[0, 0, 0, 0, 0] = 1
    assert energy_report(model, frame).synops == 4


def test_published_linear_layer_on_spikes():
    model = keras.Sequential([keras.Input((1, 4)), EventFrames(), layers.Dense(3)])
    report = energy_report(model, np.array([[[1.0, 0, 1, 0]]]))
    assert report.synops == 6
    assert report.energy_pj == pytest.approx(5.4)


def test_published_linear_layer_on_analogue_values():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    report = energy_report(model, 0.5 * np.ones((2, 4)))
    assert report.macs * report.samples == 24
    assert report.energy_pj * report.samples == pytest.approx(110.4)


def test_analogue_frames_cost_macs_at_every_step():
    model = keras.Sequential(
        [keras.Input((5, 4)), EventFrames(events=False), layers.Dense(3), RateReadout()]
    )
    report = energy_report(model, np.full((2, 5, 4), 0.5))
    assert (report.macs, report.synops) == (5 * 12, 0)


@pytest.mark.parametrize(("before", "macs"), [(True, 4 * 12), (False, 12)])
def test_stem_is_counted_as_often_as_it_runs(before, macs):
    encoding, dense = DirectEncoding(4), layers.Dense(3)
    stem = [encoding, dense] if before else [dense, encoding]
    model = keras.Sequential(
        [keras.Input((4,)), *stem, LIF(), layers.Dense(2), RateReadout()]
    )
    assert energy_report(model, np.ones((1, 4))).macs == macs


def test_separable_convolution_has_spiking_and_analogue_synapses():
    x = keras.Input((6, 6, 2))
    y = LIF()(x)
    y = layers.SeparableConv2D(5, 3, padding="same", depth_multiplier=2)(y)
    model = keras.Model(x, y)
    depthwise = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)
    np.testing.assert_array_equal(psi_of(model), touched(depthwise, (6, 6, 2)))
    (row,) = analyze(model).layers
    assert row.macs == 36 * (2 * 2) * 5


def test_several_consumers_add_up():
    x = keras.Input((6,))
    y = LIF()(x)
    outputs = [layers.Dense(3)(y), layers.Dense(4)(y)]
    assert np.all(psi_of(keras.Model(x, outputs)) == 7)


def test_residual_sum_of_spikes_counts_both_sources():
    x = keras.Input((4,))
    a, b = LIF(name="a")(x), LIF(name="b")(x)
    model = keras.Model(x, layers.Dense(3)(layers.Add()([a, b])))
    assert np.all(psi_of(model, "a") == 3)
    assert np.all(psi_of(model, "b") == 3)


def test_adding_a_tensor_to_itself_counts_twice():
    x = keras.Input((4,))
    a = LIF()(x)
    assert np.all(psi_of(keras.Model(x, layers.Dense(3)(a + a))) == 6)


def test_broadcast_add_counts_every_position():
    x = keras.Input((4, 4, 2))
    a = LIF(name="a")(x)
    b = LIF(name="b")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    y = layers.Conv2D(3, 1)(layers.Add()([a, b]))
    model = keras.Model(x, y)
    assert np.all(psi_of(model, "a") == 3)
    assert np.all(psi_of(model, "b") == 3 * 16)


def test_concatenation_splits_by_source():
    x = keras.Input((4, 4, 2))
    a, b = LIF(name="a")(x), LIF(name="b")(layers.Conv2D(3, 1)(x))
    joined = layers.Flatten()(layers.Concatenate()([a, b]))
    model = keras.Model(x, layers.Dense(7)(joined))
    assert np.all(psi_of(model, "a") == 7)
    assert np.all(psi_of(model, "b") == 7)


def test_concatenation_with_analogue_values():
    x = keras.Input((4,))
    y = layers.Concatenate()([LIF()(x), x])
    model = keras.Model(x, layers.Dense(3)(y))
    assert np.all(psi_of(model) == 3)
    assert analyze(model).layers[0].macs == 4 * 3


def test_identity_shortcut_has_no_synapse_and_is_noted():
    x = keras.Input((4,))
    a = LIF(name="a")(x)
    y = layers.Add()([layers.Dense(4)(a), a])
    model = keras.Model(x, layers.Dense(2)(LIF(name="b")(y)))
    assert np.all(psi_of(model, "a") == 4)
    site = next(s for s in analyze(model).spiking if s.name == "a")
    assert "shortcut without weights" in site.notes[0]


def test_shared_layers_have_one_site_per_call():
    x = keras.Input((4,))
    lif, dense = LIF(name="lif"), layers.Dense(4)
    y = lif(dense(lif(dense(x))))
    model = keras.Model(x, layers.Dense(7)(y))
    found = {s.name: s.taps[0].weight.item() for s in analyze(model).spiking}
    assert found == {"lif": 4, "lif:1": 7}


def test_nested_models_are_opened():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(6), LIF(name="in")])
    head = keras.Sequential([keras.Input((6,)), layers.Dense(3)], name="head")
    x = keras.Input((4,))
    model = keras.Model(x, head(inner(x)))
    (site,) = analyze(model).spiking
    assert site.name.endswith("/in")
    assert np.all(psi_of(model) == 3)


def test_max_pooling_counts_what_leaves_the_pool():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            LIF(threshold=1.0),
            layers.MaxPooling2D(2),
            layers.Conv2D(3, 1),
            layers.Flatten(),
            RateReadout(),
        ]
    )
    x = np.zeros((1, 4, 4, 1), "float32")
    x[0, :2, :2] = 2.0  # four spikes in one pool: one event
    x[0, 3, 3] = 2.0
    assert energy_report(model, x).synops == 2 * 3


def test_compact_maps_stay_small():
    x = keras.Input((32, 32, 64))
    model = keras.Model(x, layers.Conv2D(8, 3, padding="same")(LIF()(x)))
    (tap,) = analyze(model).spiking[0].taps
    assert tap.weight.shape == (32, 32, 1)
    assert tap.total == 64 * 8 * (3 * 32 - 2) ** 2


def test_unknown_layer_is_an_error_that_names_it():
    @keras.saving.register_keras_serializable(package="tests")
    class Odd(layers.Layer):
        def call(self, x):
            return x

    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(2)(Odd(name="odd")(LIF()(x))))
    with pytest.raises(ValueError, match="'odd' of type Odd has no fan-out rule.*reg"):
        analyze(model)
    synapses.register_route(Odd)(lambda call, tap, output: [[tap]])
    assert np.all(psi_of(model) == 2)


def test_custom_synapse_rule():
    class Diagonal(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(shape[-1],))

        def call(self, x):
            return x * self.w

    synapses.register_synapse(Diagonal)(lambda call: np.ones((1,)))
    x = keras.Input((4,))
    model = keras.Model(x, Diagonal()(LIF()(x)))
    assert np.all(psi_of(model) == 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: layers.ReLU(name="relu")(LIF()(x)), "'relu'.*receives spikes"),
        (lambda x: LIF(name="a")(x) + x, "'add.*spikes together with analogue"),
        (lambda x: LIF()(x) * x, "multiplies or compares spikes with analogue"),
        (lambda x: (1 - LIF()(x)) * (1 - LIF()(x)), "joins inverted spikes alone"),
        (lambda x: (LIF()(x) + LIF()(x)) * LIF()(x), "has made other than 0 or 1"),
        (lambda x: 2.0 / LIF()(x), "divides by spikes"),
        (lambda x: ops.matmul(LIF()(x), np.eye(4)), "receives spikes.*ops.Matmul"),
        (lambda x: ops.exp(LIF()(x)), r"receives spikes.*register_route\(.ops.Exp"),
        (lambda x: ops.pad(LIF()(x), ((0, 0), (1, 1)), constant_values=1), "puts o"),
        (lambda x: ops.sum(LIF()(x), axis=0, keepdims=True), "reduces the batch"),
        (lambda x: LIF()(x) + 1.0, "adds a constant to spikes"),
    ],
)
def test_unsupported_uses_of_spikes(make, message):
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(2)(make(x)))
    with pytest.raises(ValueError, match=message):
        analyze(model)


def test_max_pooling_of_a_sum_is_an_error():
    x = keras.Input((4, 4, 2))
    y = layers.Add(name="sum")([LIF()(x), LIF()(x)])
    y = layers.MaxPooling2D(2, name="pool")(y)
    model = keras.Model(x, layers.Conv2D(2, 1)(y))
    with pytest.raises(ValueError, match="'sum' adds up.*max pooling 'pool'"):
        analyze(model)


def test_max_pooling_of_concatenated_channels():
    x = keras.Input((4, 4, 2))
    a, b = LIF(name="a")(x), LIF(name="b")(layers.Conv2D(3, 1)(x))
    y = layers.MaxPooling2D(2)(layers.Concatenate()([a, b]))
    model = keras.Model(x, layers.Conv2D(5, 3, padding="same")(y))
    totals = {s.name: s.taps[0].total for s in analyze(model).spiking}
    assert totals == {"a": 2 * 16 * 5, "b": 3 * 16 * 5}


def test_unknown_size_is_an_error():
    x = keras.Input((None, None, 2))
    model = keras.Model(x, layers.Conv2D(2, 1, name="conv")(LIF()(x)))
    with pytest.raises(ValueError, match="'conv' cannot be counted.*full shape"):
        analyze(model)


def test_a_model_may_end_in_a_spiking_layer():
    x = keras.Input((4,))
    model = keras.Model(x, LIF(name="last")(layers.Dense(3)(LIF()(x))))
    first, last = analyze(model).spiking
    assert (first.taps[0].total, last.taps) == (12.0, ())
    assert "output neurons" in last.notes[0]
    penalize(model, SynapticPenalty(1.0))
    report = energy_report(model, np.full((2, 4), 2.0))
    assert [row.fan_out for row in report.layers] == [3.0, 0.0]


def test_spikes_beside_read_potentials_need_not_be_read():
    x = keras.Input((4,))
    y = LIF(name="hidden")(DirectEncoding(3)(layers.Dense(8)(x)))
    _, u = LIF(reset="none", return_potential=True, name="out")(layers.Dense(2)(y))
    model = keras.Model(x, RateReadout("last")(u))
    penalize(model, SynapticPenalty(1e-4))
    rows = {row.name: row for row in energy_report(model, np.ones((3, 4))).layers}
    assert rows["hidden"].fan_out == 2.0
    assert rows["out"].notes == ("its spikes are not read: 0 SynOps",)


def test_potentials_that_drive_weights_are_analogue():
    x = keras.Input((4,))
    y = DirectEncoding(3)(x)
    _, u = LIF(return_potential=True)(y)
    model = keras.Model(x, RateReadout()(layers.Dense(2)(u)))
    report = energy_report(model, np.ones((3, 4)))
    assert (report.macs, report.synops) == (3 * 4 * 2, 0.0)


def test_output_neurons_drive_no_synapse_and_are_noted():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            DirectEncoding(2),
            LIF(),
            layers.Dense(3),
            LIF(name="out"),
            RateReadout(),
        ]
    )
    site = analyze(model).spiking[-1]
    assert site.taps == ()
    assert "output neurons" in site.notes[0]
