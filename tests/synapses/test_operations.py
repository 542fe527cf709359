"""Layers and operations on spikes, one by one, and analogue fronts with weights."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssp import energy_report
from keras_ssp.layers import LIF, DirectEncoding, EventFrames, RateReadout
from keras_ssp.synapses import register_analogue
from keras_ssp.synapses.registry import RULES

pytestmark = pytest.mark.every_backend
SHAPE = (6, 5, 2)


def spikes_through(move, units=3):
    """SynOps of `LIF -> move -> Flatten -> Dense`, and by one-hot spikes."""
    x = keras.Input(SHAPE)
    model = keras.Model(x, layers.Dense(units)(layers.Flatten()(move(LIF()(x)))))
    n = int(np.prod(SHAPE))
    hot = 2.0 * np.eye(n, dtype="float32").reshape(n, *SHAPE)
    plain = keras.Model(x, move(LIF()(x)))
    found = [ops.convert_to_numpy(plain(z)) for z in (hot, 0 * hot)]
    reached = np.abs(found[0] - found[1]) > 1e-6  # lanczos has zeros with a rounding
    return energy_report(model, hot).synops, units * reached.sum() / n


MOVES = {
    "slice": lambda x: x[:, 1:4, ::2],
    "index": lambda x: x[:, 2],
    "transpose": lambda x: ops.transpose(x, (0, 3, 1, 2)),
    "swapaxes": lambda x: ops.swapaxes(x, 1, 3),
    "moveaxis": lambda x: ops.moveaxis(x, 1, -1),
    "pad": lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0))),
    "reflect": lambda x: ops.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)), mode="reflect"),
    "flip": lambda x: ops.flip(x, axis=2),
    "roll": lambda x: ops.roll(x, 2, axis=1),
    "split": lambda x: ops.split(x, [2, 3], axis=1)[2],
    "unstack": lambda x: ops.unstack(x, axis=3)[1],
    "squeeze": lambda x: ops.squeeze(ops.expand_dims(x, 2), 2),
    "repeat": lambda x: ops.repeat(x, 3, axis=2),
    "tile": lambda x: ops.tile(x, (1, 2, 1, 1)),
    "take": lambda x: ops.take(x, [0, 0, 4], axis=1),
    "where": lambda x: ops.where(np.tri(6, 5)[:, :, None] > 0, x, 0.0),
    "mean": lambda x: ops.mean(x, axis=(1, 2)),
    "sum": lambda x: ops.sum(x, axis=-1, keepdims=True),
    "max": lambda x: ops.max(x, axis=2),
    "average_pool": lambda x: ops.average_pool(x, 3, 2, padding="same"),
    "max_pool": lambda x: ops.max_pool(x, (2, 3), (1, 2)),
    "centre": layers.CenterCrop(3, 4),
    "resized": layers.Resizing(9, 4, interpolation="nearest"),
    "cropped": layers.Cropping2D(((1, 2), (0, 3))),
    "padded": layers.ZeroPadding2D(((0, 2), (3, 1))),
    "adaptive": layers.AdaptiveAveragePooling2D((4, 2)),
    "adaptive max": layers.AdaptiveMaxPooling2D((4, 2)),
    "lanczos": layers.UpSampling2D(3, interpolation="lanczos3"),
    "noise": layers.GaussianNoise(0.2),
    "gaussian dropout": layers.GaussianDropout(0.2),
    "alpha dropout": layers.AlphaDropout(0.2),
    "broadcast up": lambda x: x[..., None] * np.ones((1, 1, 1, 1, 3), "float32"),
    "divided": lambda x: x / np.array([1.0, 2.0], "float32"),
    "masked": lambda x: x * np.array([0.0, 2.0], "float32"),
    "rescaled": layers.Rescaling([1.0, 0.0]),
    "distributed": layers.TimeDistributed(layers.AveragePooling1D(2)),
}


@pytest.mark.parametrize("name", MOVES)
def test_events_are_those_that_one_hot_spikes_make(name):
    if name == "lanczos" and keras.backend.backend() == "torch":
        pytest.skip("Keras has no lanczos on torch")
    found, expected = spikes_through(MOVES[name])
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("layer", "psi"),
    [
        (layers.SpectralNormalization(layers.Conv2D(4, 3, padding="same")), None),
        (layers.TimeDistributed(layers.Conv1D(4, 3, padding="same")), None),
        (layers.TimeDistributed(layers.Dense(4)), 4.0),
        (layers.EinsumDense("abcd,de->abce", output_shape=(None, None, 4)), 4.0),
    ],
)
def test_weighted_layers_in_other_forms(layer, psi):
    x = keras.Input(SHAPE)
    model = keras.Model(x, layer(LIF(name="lif")(x)))
    row = energy_report(model, np.ones((1, *SHAPE))).layers[0]
    inner = getattr(layer, "layer", layer)
    if psi is None:
        plain = type(inner).from_config(inner.get_config())
        rank = len(plain.kernel_size)
        bare = keras.Input(SHAPE[-rank - 1 :])
        one = keras.Model(bare, plain(LIF(name="lif")(bare)))
        ones = np.ones((1, *bare.shape[1:]))
        psi = energy_report(one, ones).layers[0].fan_out
    assert row.fan_out == psi


def after(front, *, time=False, shape=(5, 6)):
    """MACs of an analogue front: the report without those of what comes after it."""
    x = keras.Input(shape)
    y = front(x)
    y = LIF()(DirectEncoding(2)(layers.Flatten()(y)))
    model = keras.Model(x, RateReadout()(layers.Dense(3)(y)))
    report = energy_report(model, np.ones((2, *shape)))
    return sum(row.macs for row in report.layers), report


def test_multiply_accumulates_of_recurrent_layers():
    assert after(layers.LSTM(7))[0] == 5 * 4 * 7 * (6 + 7)
    assert after(layers.GRU(7, return_sequences=True))[0] == 5 * 3 * 7 * (6 + 7)
    assert after(layers.SimpleRNN(7))[0] == 5 * 7 * (6 + 7)
    both = layers.Bidirectional(layers.LSTM(4))
    assert after(both)[0] == 2 * 5 * 4 * 4 * (6 + 4)
    stacked = layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)])
    assert after(stacked)[0] == 5 * (4 * 3 * (6 + 3) + 3 * 4 * (3 + 4))


def test_multiply_accumulates_of_a_convolutional_lstm():
    found, _ = after(layers.ConvLSTM2D(2, 3, padding="same"), shape=(3, 4, 4, 1))
    reads = (3 * 4 - 2) ** 2  # kernel positions inside the image, all outputs
    assert found == 3 * (reads * 1 * 4 * 2 + reads * 2 * 4 * 2)


def test_multiply_accumulates_of_attention():
    # Keras' attention on JAX takes no other size for values than for keys.
    heads, d, v = 2, 3, 3 if keras.backend.backend() == "jax" else 4
    attention = layers.MultiHeadAttention(heads, d, value_dim=v)
    found, _ = after(lambda x: attention(x, x))
    projections = 5 * 6 * heads * (d + d + v) + 5 * heads * v * 6
    assert found == projections + 5 * 5 * heads * (d + v)
    other = np.ones((1, 9, 6), "float32")
    cross = layers.MultiHeadAttention(heads, d)
    y = keras.Input((9, 4))
    x = keras.Input((5, 6))
    model = keras.Model([x, y], layers.Dense(3)(cross(x, y)))
    report = energy_report(model, [np.ones((1, 5, 6)), other[..., :4]])
    expected = 5 * 6 * heads * d + 2 * 9 * 4 * heads * d + 5 * heads * d * 6
    assert report.layers[0].macs == expected + 2 * 5 * 9 * heads * d
    assert after(lambda x: layers.Attention()([x, x]))[0] == 5 * 5 * (6 + 6)
    grouped = layers.GroupQueryAttention(3, 4, 2)
    found, _ = after(lambda x: grouped(x, x))
    assert found == 5 * 6 * 3 * (4 + 2 * 2) + 5 * 4 * 3 * 6 + 2 * 5 * 5 * 4 * 3


def test_multiply_accumulates_of_products():
    assert after(lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))))[0] == 5 * 5 * 6
    assert after(lambda x: ops.einsum("bij,bkj->bik", x, x))[0] == 5 * 5 * 6
    assert after(lambda x: layers.Dot(axes=2)([x, x]))[0] == 5 * 5 * 6
    assert after(lambda x: ops.tensordot(x, np.ones((6, 4), "float32"), 1))[0] == 5 * 24


def test_a_look_up_and_transforms_say_that_they_are_not_counted():
    x = keras.Input((5,), dtype="int32")
    y = layers.Flatten()(layers.Embedding(9, 4, name="words")(x))
    model = keras.Model(x, RateReadout()(layers.Dense(2)(LIF()(DirectEncoding(2)(y)))))
    report = energy_report(model, np.ones((3, 5), "int32"))
    assert "words: a look-up: no multiply-accumulates" in report.notes
    _, report = after(lambda x: ops.rfft(x)[0])
    assert any("arithmetic is not counted" in note for note in report.notes)


def test_weights_registered_as_nothing_are_noted(monkeypatch):
    monkeypatch.setattr(RULES, "_entries", dict(RULES._entries))

    class Mixing(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(shape[-1], 4))

        def call(self, x):
            return ops.matmul(x, self.w)

    register_analogue(Mixing)
    found, report = after(Mixing(name="mixing"))
    assert found == 0.0
    assert "mixing: registered as analogue without `macs`" in report.notes[0]
    assert "its 24 weights cost is NOT counted" in report.notes[0]
    register_analogue(Mixing, macs=lambda call: 5 * 24, overwrite=True)
    found, report = after(Mixing())
    assert (found, report.notes) == (120.0, ())


@pytest.mark.parametrize(
    "before",
    [
        layers.Resizing(6, 6),
        layers.RandomContrast(0.1),
        layers.RandomZoom(0.1),
        layers.RandomErasing(),
        layers.RandomRotation(0.1),
        layers.GaussianNoise(0.1),
        lambda x: ops.log1p(ops.abs(x)),
        lambda x: ops.sqrt(x) / ops.max(x, axis=(1, 2), keepdims=True),
    ],
)
def test_what_has_no_synapses_costs_nothing_before_the_first_spikes(before):
    x = keras.Input((8, 8, 1))
    y = LIF()(DirectEncoding(2)(layers.Flatten()(before(x))))
    model = keras.Model(x, RateReadout()(layers.Dense(3)(y)))
    report = energy_report(model, np.ones((2, 8, 8, 1)))
    assert report.macs == 0.0


@pytest.mark.parametrize(
    "tail",
    [
        lambda y: ops.mean(layers.Reshape((3, 5))(y), axis=-1),
        lambda y: ops.max(y, axis=-1, keepdims=True),
        lambda y: y[:, :3],
        lambda y: ops.exp(y) / ops.sum(ops.exp(y), axis=-1, keepdims=True),
        lambda y: ops.concatenate([y, ops.sqrt(ops.abs(y))], -1),
        layers.UnitNormalization(),
    ],
)
def test_what_has_no_synapses_costs_nothing_after_the_readout(tail):
    x = keras.Input((6,))
    y = RateReadout()(layers.Dense(15)(LIF()(DirectEncoding(2)(layers.Dense(8)(x)))))
    report = energy_report(keras.Model(x, tail(y)), np.ones((2, 6)))
    assert report.macs == 6 * 8


def test_frames_of_another_length_are_refused_by_name():
    model = keras.Sequential(
        [keras.Input((None, 6)), EventFrames(5, name="frames"), layers.Dense(3), LIF()]
    )
    model.add(RateReadout())
    with pytest.raises(ValueError, match="'frames' must receive .batch, 5.*10 steps"):
        model(np.ones((4, 10, 6), "float32"))


def test_a_spiking_layer_inside_a_wrapper_is_refused():
    x = keras.Input((4, 3))
    y = layers.TimeDistributed(LIF(name="hidden"), name="wrapped")(x)
    model = keras.Model(x, layers.Dense(2)(y))
    with pytest.raises(ValueError, match="'wrapped'.*has the layer 'hidden' inside"):
        energy_report(model, np.ones((1, 4, 3)))
