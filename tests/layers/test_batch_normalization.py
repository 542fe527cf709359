"""The norm beside Keras' own and beside NumPy in float64."""

import keras
import numpy as np
import pytest

import keras_ssp as ssp
from tests.helpers import gradients

pytestmark = pytest.mark.every_backend
OURS, KERAS = ssp.BatchNormalization, keras.layers.BatchNormalization
SHAPES = [(6, 3), (4, 5, 3), (2, 4, 5, 3), (2, 3, 4, 2, 3)]


def data(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(3.0, 2.0, shape).astype("float32")


def pair(shape, **arguments):
    """A norm of each kind, with the same weights."""
    arguments = {"momentum": 0.8, "epsilon": 0.01, **arguments}
    norms = [kind(**arguments) for kind in (OURS, KERAS)]
    rng = np.random.default_rng(1)
    for norm in norms:
        norm.build(shape)
    weights = [np.abs(rng.normal(1.0, 0.3, w.shape)) for w in norms[0].weights]
    for norm in norms:
        norm.set_weights(weights)
    return norms


def run(norm, x, seed=2, **arguments):
    """Output, gradients, and weights after a call."""
    weight = keras.ops.convert_to_tensor(data(x.shape, seed) - 3.0)
    loss, (dx,), dw = gradients(
        lambda x: keras.ops.sum(norm(x, **arguments) * weight),
        [x],
        norm.trainable_weights,
    )
    return [float(loss), dx, *dw, *norm.get_weights()]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_as_keras(shape, training):
    x = data(shape)
    ours, theirs = (run(norm, x, training=training) for norm in pair(shape))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize(
    "arguments",
    [
        {"scale": False},
        {"center": False},
        {"scale": False, "center": False},
        {"axis": 1},
        {"axis": 3},
        {"trainable": False},
        {"renorm": True},
        {"dtype": "mixed_float16"},
        {"dtype": "mixed_bfloat16"},
    ],
)
def test_as_keras_with_other_arguments(arguments):
    x = data((4, 5, 3, 3))
    close = {"mixed_float16": 5e-3, "mixed_bfloat16": 4e-2}
    close = close.get(arguments.get("dtype"), 2e-4)
    norms = pair(x.shape, **arguments)
    outputs = [norm(x, training=True) for norm in norms]
    assert outputs[0].dtype == outputs[1].dtype
    values = [keras.ops.convert_to_numpy(y).astype("float64") for y in outputs]
    np.testing.assert_allclose(*values, rtol=close, atol=close)
    for a, b in zip(*(norm.get_weights() for norm in norms), strict=True):
        np.testing.assert_allclose(a, b, rtol=close, atol=close)


def test_a_mask_is_kept_out_of_the_statistics():
    x, mask = data((4, 5, 3)), np.arange(20).reshape(4, 5) % 3 > 0
    ours, theirs = pair(x.shape)
    values = [
        keras.ops.convert_to_numpy(norm(x, training=True, mask=mask))
        for norm in (ours, theirs)
    ]
    np.testing.assert_allclose(*values, rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_statistics_far_from_zero(rows):
    """The variance of what has a large mean, in one pass, would be noise."""
    x = data((rows, 2)) + np.float32([0.0, 1000.0])
    norm = OURS(momentum=0.0, epsilon=1e-3)
    y = keras.ops.convert_to_numpy(norm(x, training=True))
    exact = x.astype("float64")
    mean, variance = exact.mean(0), exact.var(0)
    np.testing.assert_allclose(y, (exact - mean) / np.sqrt(variance + 1e-3), atol=2e-3)
    found = [keras.ops.convert_to_numpy(w) for w in norm.non_trainable_weights]
    np.testing.assert_allclose(found[0], mean, rtol=1e-5)
    np.testing.assert_allclose(found[1], variance, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_goes_as_with_keras(jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch.compile needs a C++ compiler at run time")
    x, y = data((32, 6, 6, 2)), np.arange(32) % 3
    weights = []
    for kind in (OURS, KERAS):
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [
                keras.Input((6, 6, 2)),
                keras.layers.Conv2D(4, 3, use_bias=False),
                kind(momentum=0.5),
                keras.layers.ReLU(),
                keras.layers.Flatten(),
                keras.layers.Dense(3),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.05), loss, jit_compile=jit_compile)
        model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_saved_with_its_model(tmp_path):
    model = keras.Sequential([keras.Input((3,)), OURS(momentum=0.7)])
    model.save(tmp_path / "model.keras")
    found = keras.saving.load_model(tmp_path / "model.keras").layers[0]
    assert type(found) is OURS and found.momentum == 0.7


def test_counted_and_folded_as_keras_own():
    from keras_ssp.conversion import fold_batch_norm

    def network(kind):
        keras.utils.set_random_seed(4)
        image = keras.Input((6, 6, 1))
        y = keras.layers.Conv2D(4, 3, use_bias=False)(image)
        y = ssp.LIF()(kind(name="first")(ssp.DirectEncoding(3)(y)))
        y = kind(name="second")(keras.layers.Conv2D(3, 3)(y))
        y = keras.layers.Dense(2)(keras.layers.Flatten()(ssp.LIF()(y)))
        return keras.Model(image, ssp.RateReadout()(y))

    x = data((4, 6, 6, 1))
    ours, theirs = (ssp.energy_report(network(kind), x) for kind in (OURS, KERAS))
    assert ours.spikes > 0 and ours.energy_pj == pytest.approx(theirs.energy_pj)
    image = keras.Input((6, 6, 1))
    y = keras.layers.ReLU()(OURS()(keras.layers.Conv2D(4, 3)(image)))
    model = keras.Model(image, keras.layers.Flatten()(y))
    folded = fold_batch_norm(model)
    assert not any(isinstance(layer, KERAS) for layer in folded.layers)
    values = [keras.ops.convert_to_numpy(m(x)) for m in (folded, model)]
    np.testing.assert_allclose(*values, atol=1e-4)


def test_training_takes_the_backends_own_kernel(monkeypatch):
    """Or all above would hold of Keras' own norm, ten passes and all."""
    if keras.backend.backend() == "jax":
        pytest.skip("JAX' compiler joins the passes")

    def refuse(*args, **kwargs):
        raise AssertionError("op by op")

    norm, x = OURS(), data((4, 5, 3))
    norm.build(x.shape)
    monkeypatch.setattr(KERAS, "call", refuse)
    norm(x, training=True)
    with pytest.raises(AssertionError, match="op by op"):
        norm(x, training=False)


def neurons_behind(norm, steps):
    """A norm by numbers that float32 holds exactly, and neurons straight behind it."""
    image = keras.Input((4, 3))
    lif = ssp.LIF(0.5, surrogate="triangle", time_steps=steps, learn_beta=True)
    model = keras.Model(image, lif(norm(image)))
    gamma, beta = [0.5, 1.0, -2.0], [0.25, 0.0, 1.0]
    mean, variance = [1.0, -2.0, 0.5], [4.0, 1.0, 0.25]
    norm.set_weights([np.array(w) for w in (gamma, beta, mean, variance)])
    return model


def sixteenths(steps, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.integers(-48, 64, (3 * steps, 4, 3)) / 16.0).astype("float32")


@pytest.mark.parametrize("steps", [1, 4, 9])
def test_neurons_behind_it_find_what_they_would_behind_keras_own(steps):
    """On TensorFlow they make their input again from that of the norm."""
    x = sixteenths(steps)
    found = []
    for kind in (OURS, KERAS):
        model = neurons_behind(kind(epsilon=0.0, momentum=0.5), steps)
        weight = keras.ops.convert_to_tensor(sixteenths(steps, 1))
        for training in (False, True):

            def loss(x, model=model, weight=weight, training=training):
                return keras.ops.sum(model(x, training=training) * weight)

            value, (dx,), dw = gradients(loss, [x], model.trainable_weights)
            found.append([float(value), dx, *dw, *model.get_weights()])
        assert np.any(found[-1][1]) and all(map(np.any, dw[: 2 + (steps > 1)]))
    for ours, theirs in zip(found[:2], found[2:], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_neurons_that_come_later_are_not_given_the_wrong_input():
    """A norm that others read too, one after another, and one with a shift behind."""
    x = sixteenths(4)
    values = []
    for kind in (OURS, KERAS):
        image = keras.Input((4, 3))
        first, second = kind(epsilon=0.0), kind(epsilon=0.0)
        a, b = first(image), second(image)
        neurons = [ssp.LIF(0.5, time_steps=4) for _ in range(4)]
        spikes = [lif(y) for lif, y in zip(neurons, (a, b, b, a + 1.0), strict=True)]
        model = keras.Model(image, spikes)
        one = np.array([[0.5, 1.0, -2.0], [0.25, 0.0, 1.0], [0.0] * 3, [1.0] * 3])
        first.set_weights(one)
        second.set_weights(2.0 * one)
        values.append([np.asarray(s) for s in model.predict(x, verbose=0)])
    assert len({s.sum() for s in values[0]}) == 3
    for ours, theirs in zip(*values, strict=True):
        np.testing.assert_array_equal(ours, theirs)
