"""Padded sequences: padding costs nothing and changes nothing."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from keras_ssp import SynapticPenalty, energy_report, penalize
from keras_ssp.layers import LIF, DirectEncoding, EventFrames, RateReadout

pytestmark = pytest.mark.every_backend
FEATURES = 5


def network(steps, *, mode="mean", events=True, norm=False):
    """Biases everywhere, so that a padded step would be seen."""
    keras.utils.set_random_seed(1)
    frames, mask = keras.Input((steps, FEATURES)), keras.Input((steps,), dtype="bool")
    y = EventFrames(events=events, name="frames")(frames, mask=mask)
    y = layers.Dense(8, bias_initializer="random_uniform", name="first")(y)
    y = layers.BatchNormalization()(y) if norm else y
    y = LIF(beta=0.8, threshold=0.3, name="lif1")(y)
    y = layers.Dense(6, bias_initializer="random_uniform")(y)
    y = LIF(beta=0.8, threshold=0.2, reset="soft", name="lif2")(y)
    y = layers.Dense(3, bias_initializer="random_uniform")(y)
    return keras.Model([frames, mask], RateReadout(mode)(y))


def padded(frames, places, steps):
    """Each sequence at its places among `steps`, and the mask."""
    x = np.full((len(frames), steps, FEATURES), 3.0, "float32")  # nonsense where masked
    mask = np.zeros((len(frames), steps), bool)
    for k, (sequence, at) in enumerate(zip(frames, places, strict=True)):
        x[k, at] = sequence
        mask[k, at] = True
    return x, mask


# Each sequence is a network of its own, and JAX compiles each of them for seconds.
EXAMPLES = 4 if keras.backend.backend() == "tensorflow" else 2


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 100),
    mode=st.sampled_from(["mean", "sum", "max", "last"]),
    events=st.booleans(),
)
def test_padding_anywhere_changes_nothing_and_costs_nothing(seed, mode, events):
    rng = np.random.default_rng(seed)
    steps = 9
    lengths = rng.integers(1, 6, 4)
    frames = [rng.integers(0, 3, (n, FEATURES)).astype("float32") for n in lengths]
    places = [np.sort(rng.choice(steps, n, replace=False)) for n in lengths]
    x, mask = padded(frames, places, steps)
    whole = network(steps, mode=mode, events=events)
    found = whole.predict([x, mask], verbose=0)
    report = energy_report(whole, [x, mask])
    alone = []
    for k, sequence in enumerate(frames):
        n = len(sequence)
        model = network(n, mode=mode, events=events)
        model.set_weights(whole.get_weights())
        one = [sequence[None], np.ones((1, n), bool)]
        expected = model.predict(one, verbose=0)
        np.testing.assert_allclose(found[k : k + 1], expected, atol=1e-5)
        alone.append(energy_report(model, one))
    for quantity in ("synops", "spikes", "macs", "energy_pj"):
        mean = np.mean([getattr(each, quantity) for each in alone])
        assert getattr(report, quantity) == pytest.approx(mean, rel=1e-6), quantity


def test_the_rate_is_of_the_steps_that_hold_data():
    x, mask = padded([np.ones((2, FEATURES))], [[0, 1]], 8)
    report = energy_report(network(8), [x, mask])
    assert report.layers[0].rate == 1.0


def test_padding_does_not_change_what_is_learned():
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 3, (4, FEATURES)).astype("float32") for _ in range(6)]
    y = rng.normal(size=(6, 3)).astype("float32")
    losses = []
    for steps in (4, 7):
        x, mask = padded(frames, [np.arange(4)] * 6, steps)
        model = penalize(network(steps, norm=True), SynapticPenalty(1e-3))
        model.compile(keras.optimizers.SGD(0.05), "mse")
        history = model.fit([x, mask], y, epochs=3, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_masking_layer_names_the_steps():
    rng = np.random.default_rng(0)
    x = rng.integers(1, 3, (3, 4, FEATURES)).astype("float32")
    long = np.concatenate([x, np.zeros_like(x)], axis=1)

    def model(steps):
        keras.utils.set_random_seed(0)
        return keras.Sequential(
            [
                keras.Input((steps, FEATURES)),
                layers.Masking(),
                EventFrames(),
                layers.Dense(8, bias_initializer="ones"),
                LIF(),
                layers.Dense(2),
                RateReadout(),
            ]
        )

    short, padded_ = model(4), model(8)
    np.testing.assert_allclose(
        short.predict(x, verbose=0), padded_.predict(long, verbose=0), atol=1e-5
    )
    assert energy_report(short, x).synops == energy_report(padded_, long).synops


def test_a_sample_without_any_step_gives_zeros():
    x, mask = padded(
        [np.ones((3, FEATURES)), np.ones((0, FEATURES))], [[0, 1, 2], []], 4
    )
    for mode in ("mean", "sum", "max", "last"):
        found = network(4, mode=mode).predict([x, mask], verbose=0)
        assert np.all(found[1] == 0.0)
        assert np.any(found[0] != 0.0)


def test_what_would_learn_from_padding_is_refused():
    frames, mask = keras.Input((4, 6, 6, 2)), keras.Input((4,), dtype="bool")
    y = layers.Conv2D(3, 3, name="conv")(EventFrames()(frames, mask=mask))
    y = LIF()(layers.BatchNormalization(name="norm")(y))
    model = keras.Model([frames, mask], RateReadout()(layers.Flatten()(y)))
    model.compile("sgd", "mse")
    x, m = np.ones((2, 4, 6, 6, 2)), np.ones((2, 4), bool)
    model.predict([x, m], verbose=0)  # moving averages are as good with padding
    with pytest.raises(ValueError, match="'norm' would take padded time steps"):
        model.fit([x, m], np.ones((2, 48)), verbose=0)


def test_two_encodings_beside_padding_are_refused():
    frames, mask = keras.Input((4, 3)), keras.Input((4,), dtype="bool")
    still = keras.Input((3,))
    y = EventFrames()(frames, mask=mask) + DirectEncoding(4, name="second")(still)
    model = keras.Model([frames, mask, still], RateReadout()(LIF()(y)))
    data = [np.ones((2, 4, 3)), np.ones((2, 4), bool), np.ones((2, 3))]
    with pytest.raises(ValueError, match="cannot run beside another encoding"):
        model(data)


def test_a_mask_over_features_passes_as_through_relu():
    x = np.array([[[2.0], [2.0], [0.0], [0.0], [2.0]]], "float32")

    def mean(neuron, *around):
        before, after = around or ((), ())
        model = keras.Sequential(
            [
                keras.Input((5, 1)),
                layers.Masking(),
                *before,
                neuron,
                *after,
                layers.GlobalAveragePooling1D(),
            ]
        )
        return model.predict(x, verbose=0).item()

    assert mean(LIF(threshold=1.0)) == 1.0
    assert mean(layers.ReLU()) == 2.0
    encoded = mean(LIF(threshold=1.0), [DirectEncoding(3)], [RateReadout()])
    assert encoded == pytest.approx(1.0)
