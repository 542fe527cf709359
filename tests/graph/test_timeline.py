"""T is stated once; every disagreement is an error that names layer and remedy."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp import energy_report, penalize
from keras_ssp.layers import (
    LIF,
    DirectEncoding,
    EventFrames,
    PoissonEncoding,
    RateReadout,
)
from keras_ssp.penalties import SynapticPenalty
from tests.helpers import images, small_snn

pytestmark = pytest.mark.every_backend


def test_layers_learn_time_steps_from_the_encoding():
    model = small_snn(time_steps=5)
    assert model.get_layer("lif1").steps == 5
    assert model.get_layer("lif2").steps == 5
    assert model.layers[-1].steps == 5
    assert model(images(3)).shape == (3, 5)


def test_sequential_without_input_learns_when_built():
    model = keras.Sequential([DirectEncoding(4), LIF(), layers.Dense(2), RateReadout()])
    assert model(np.ones((3, 6), "float32")).shape == (3, 2)
    assert model.layers[1].steps == 4


def test_without_encoding_a_network_has_a_single_step():
    model = keras.Sequential([keras.Input((4,)), LIF(), layers.Dense(2)])
    assert model.layers[0].steps == 1
    assert model(np.ones((3, 4), "float32")).shape == (3, 2)


def test_time_steps_given_twice_must_agree():
    x = DirectEncoding(4)(keras.Input((4,)))
    assert LIF(time_steps=4)(x).shape == (None, 4)
    with pytest.raises(ValueError, match="'late' has time_steps=3.*=4.*Remedy"):
        LIF(time_steps=3, name="late")(x)
    with pytest.raises(ValueError, match="'out' has time_steps=2.*=4.*Remedy"):
        RateReadout(time_steps=2, name="out")(x)


def test_second_encoding_is_an_error():
    x = DirectEncoding(4)(keras.Input((4,)))
    y = PoissonEncoding(4, name="again")(x)
    with pytest.raises(ValueError, match="'again' receives.*already folded"):
        LIF()(y)


def test_joining_folded_and_unfolded_tensors_is_an_error():
    x = keras.Input((4,))
    y = layers.Add(name="join")([DirectEncoding(4)(x), x])
    with pytest.raises(ValueError, match="'join' joins tensors that disagree"):
        LIF()(y)


def test_branches_with_different_time_steps_are_an_error():
    x = keras.Input((4,))
    y = layers.Add(name="join")([DirectEncoding(4)(x), DirectEncoding(2)(x)])
    with pytest.raises(ValueError, match="'join' joins tensors that disagree"):
        RateReadout()(y)


def test_lif_inside_a_nested_model_must_be_told():
    inner = keras.Sequential([keras.Input((4,)), LIF(name="hidden")], name="inner")
    x = keras.Input((4,))
    y = inner(DirectEncoding(4)(x))
    with pytest.raises(
        ValueError, match="'inner/hidden' cannot know T.*pass `time_steps=4`"
    ):
        RateReadout()(y)


def test_lif_inside_a_nested_model_with_time_steps_given():
    inner = keras.Sequential([keras.Input((4,)), LIF(time_steps=4)], name="inner")
    x = keras.Input((4,))
    y = layers.Dense(2)(inner(DirectEncoding(4)(x)))
    model = keras.Model(x, RateReadout()(y))
    assert model(np.ones((3, 4), "float32")).shape == (3, 2)
    with pytest.raises(ValueError, match="'inner/lif.*has time_steps=4.*=2"):
        RateReadout()(inner(DirectEncoding(2)(x)))


def test_nested_model_that_holds_its_own_timeline():
    inner = keras.Sequential(
        [keras.Input((4,)), DirectEncoding(4), LIF(), layers.Dense(3), RateReadout()]
    )
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(2)(inner(x)))
    assert model(np.ones((3, 4), "float32")).shape == (3, 2)


def test_lif_as_activation_is_an_error():
    x = DirectEncoding(2)(keras.Input((4,)))
    y = layers.Dense(3, activation=LIF(name="act"), name="dense")(x)
    with pytest.raises(ValueError, match="'dense' has the spiking layer 'act'"):
        RateReadout()(y)


def unfolded():
    return keras.Sequential(
        [keras.Input((4,)), DirectEncoding(4), LIF(), layers.Dense(2, name="last")]
    )


@pytest.mark.parametrize(
    "use",
    [
        lambda m: m(np.ones((2, 4), "float32")),
        lambda m: m.predict(np.ones((2, 4), "float32"), verbose=0),
        lambda m: penalize(m, SynapticPenalty(1.0)),
        lambda m: energy_report(m, np.ones((2, 4))),
    ],
)
def test_unfolded_output_is_an_error(use, request):
    if keras.backend.backend() == "jax" and "lambda>1" in request.node.callspec.id:
        pytest.skip("the JAX trainer's predict never calls the model as a layer")
    with pytest.raises(ValueError, match="'last' is an output.*T=4.*RateReadout"):
        use(unfolded())


def test_unfolded_output_is_an_error_in_fit():
    model = unfolded()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="'last' is an output"):
        model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)


class Subclassed(keras.Model):
    def __init__(self, **lif):
        super().__init__()
        self.encode, self.lif = DirectEncoding(4), LIF(name="lif", **lif)
        self.dense, self.readout = layers.Dense(2), RateReadout(time_steps=4)

    def call(self, x):
        return self.readout(self.dense(self.lif(self.encode(x))))


def test_subclassed_model_needs_time_steps():
    with pytest.raises(ValueError, match="'lif' cannot know T.*time_steps=4"):
        Subclassed()(np.ones((2, 4), "float32"))
    with pytest.raises(ValueError, match="'lif' has time_steps=2.*time_steps=4"):
        Subclassed(time_steps=2)(np.ones((2, 4), "float32"))
    assert Subclassed(time_steps=4)(np.ones((2, 4), "float32")).shape == (2, 2)


def test_batch_must_be_a_multiple_of_time_steps():
    with pytest.raises(ValueError, match="multiple of its time_steps=3"):
        LIF(time_steps=3)(np.ones((4, 2), "float32"))


@pytest.mark.parametrize("bad", [0, -1, 2.5, "4", True, np.nan])
def test_time_steps_must_be_a_positive_integer(bad):
    with pytest.raises(ValueError, match="`time_steps` must be a positive integer"):
        DirectEncoding(bad)
    with pytest.raises(ValueError, match="`time_steps` must be a positive integer"):
        LIF(time_steps=bad)


def test_event_frames_take_time_steps_from_the_data():
    x = keras.Input((6, 4))
    y = EventFrames()(x)
    assert LIF()(y).shape == (None, 4)
    with pytest.raises(ValueError, match="time_steps=3"):
        EventFrames(3)(x)
    with pytest.raises(ValueError, match="cannot know T"):
        EventFrames()(keras.Input((None, 4)))
    assert EventFrames(7)(keras.Input((None, 4))).shape == (None, 4)


def test_readout_that_is_removed_later_is_missed():
    model = keras.Sequential(
        [keras.Input((3,)), DirectEncoding(4), LIF(), layers.Dense(2), RateReadout()]
    )
    x = np.ones((2, 3), "float32")
    assert model(x).shape == (2, 2)
    model.pop()
    with pytest.raises(ValueError, match="still has time folded into its batch"):
        model(x)
