"""Spike functions: exact steps forward, the documented formula backward."""

import json
import math
import re

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ssp import surrogates
from keras_ssp.surrogates import (
    S2NN,
    ArcTan,
    FastSigmoid,
    Gaussian,
    MultiGaussian,
    PiecewiseExponential,
    Rectangle,
    Sigmoid,
    StraightThrough,
    Surrogate,
    Triangle,
)

pytestmark = pytest.mark.every_backend


@pytest.fixture(autouse=True)
def _fresh_state():
    """Replaces the shared one: no Keras state here, and 300 clean-ups are slow."""


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normal(x, mean, std):
    return np.exp(-((x - mean) ** 2) / (2 * std**2)) / (std * math.sqrt(2 * math.pi))


def multi_gaussian(x, width, height, scale):
    sides = normal(x, width, scale * width) + normal(x, -width, scale * width)
    return (1 + height) * normal(x, 0, width) - height * sides


def s2nn(x, slope, height):
    below = slope * sigmoid(slope * x) * sigmoid(-slope * x)
    return np.where(x < 0, below, height / (1 + np.abs(x)))


# Surrogate, its formula in NumPy, its area (None: infinite).
CASES = [
    (Triangle(), lambda x: np.clip(1 - np.abs(x), 0, None), 1),
    (Triangle(0.5), lambda x: 2 * np.clip(1 - 2 * np.abs(x), 0, None), 1),
    (Rectangle(), lambda x: np.where(np.abs(x) < 0.5, 1.0, 0.0), 1),
    (Rectangle(3.0), lambda x: np.where(np.abs(x) < 1.5, 1 / 3, 0.0), 1),
    (Sigmoid(), lambda x: 4 * sigmoid(4 * x) * sigmoid(-4 * x), 1),
    (Sigmoid(1.5), lambda x: 1.5 * sigmoid(1.5 * x) * sigmoid(-1.5 * x), 1),
    (FastSigmoid(), lambda x: (1 + 10 * np.abs(x)) ** -2, 0.2),
    (FastSigmoid(25.0), lambda x: (1 + 25 * np.abs(x)) ** -2, 0.08),
    (ArcTan(), lambda x: 1 / (1 + (np.pi * x) ** 2), 1),
    (ArcTan(4.0), lambda x: 2 / (1 + (2 * np.pi * x) ** 2), 1),
    (PiecewiseExponential(), lambda x: np.exp(-2 * np.abs(x)), 1),
    (
        PiecewiseExponential(5.0, height=0.3),
        lambda x: 0.3 * np.exp(-5 * np.abs(x)),
        0.12,
    ),
    (Gaussian(), lambda x: normal(x, 0, 0.5), 1),
    (Gaussian(0.2), lambda x: normal(x, 0, 0.2), 1),
    (MultiGaussian(), lambda x: multi_gaussian(x, 0.5, 0.15, 6.0), 0.85),
    (
        MultiGaussian(0.4, height=0.3, scale=3.0),
        lambda x: multi_gaussian(x, 0.4, 0.3, 3.0),
        0.7,
    ),
    (StraightThrough(), np.ones_like, None),
    (S2NN(), lambda x: s2nn(x, 4, 1), None),
    (S2NN(2.0, height=0.5), lambda x: s2nn(x, 2, 0.5), None),
]
EVERY = pytest.mark.parametrize("surrogate", [case[0] for case in CASES], ids=repr)
DTYPES = pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])


def numpy(x):
    """As float32: NumPy itself has no bfloat16."""
    return keras.ops.convert_to_numpy(keras.ops.cast(x, "float32"))


def gradient(function, x, upstream):
    """Of `sum(upstream * function(x))`, by the backend's own differentiation."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(upstream * function(x))
        return tape.gradient(loss, x)
    if backend == "jax":
        import jax

        return jax.grad(lambda x: (upstream * function(x)).sum())(x)
    x.requires_grad_()
    (upstream * function(x)).sum().backward()
    return x.grad


@pytest.mark.parametrize(
    ("surrogate", "formula", "area"), CASES, ids=[repr(case[0]) for case in CASES]
)
def test_derivative_is_the_formula(surrogate, formula, area):
    x = np.linspace(-4, 4, 401).reshape(1, 401)
    got = surrogate.derivative(keras.ops.convert_to_tensor(x, dtype="float32"))
    assert tuple(got.shape) == x.shape
    np.testing.assert_allclose(numpy(got), formula(x), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("surrogate", "area"),
    [(s, area) for s, _, area in CASES if area is not None],
    ids=repr,
)
def test_area(surrogate, area):
    # A grid even in arsinh(x) is fine at 0 and still reaches the heavy tails.
    t = np.linspace(-math.asinh(1e4), math.asinh(1e4), 200_001)
    x = keras.ops.convert_to_tensor(np.sinh(t), dtype="float32")
    got = np.trapezoid(numpy(surrogate.derivative(x)).astype("float64"), np.sinh(t))
    assert got == pytest.approx(area, abs=5e-4)


@EVERY
@DTYPES
def test_spikes_are_exactly_zero_or_one_and_keep_the_dtype(surrogate, dtype):
    x = keras.ops.convert_to_tensor([-1e4, -0.25, -0.0, 0.0, 0.25, 1e4], dtype=dtype)
    spikes = surrogate(x)
    assert keras.backend.standardize_dtype(spikes.dtype) == dtype
    assert numpy(spikes).tolist() == [0, 0, 1, 1, 1, 1]


@EVERY
@DTYPES
def test_gradient_is_upstream_times_derivative(surrogate, dtype):
    values = np.linspace(-2, 2, 33).reshape(3, 11)
    x = keras.ops.convert_to_tensor(values, dtype=dtype)
    upstream = keras.ops.convert_to_tensor(1 + 0.5 * np.sign(values), dtype=dtype)
    wanted = numpy(upstream * surrogate.derivative(x))
    got = gradient(surrogate, x, upstream)
    assert keras.backend.standardize_dtype(got.dtype) == dtype
    np.testing.assert_allclose(numpy(got), wanted, rtol=1e-6)
    assert np.any(numpy(got))


@EVERY
@DTYPES
def test_derivative_is_finite_far_from_the_threshold(surrogate, dtype):
    x = keras.ops.convert_to_tensor([-6e4, -1e4, -0.0, 0.0, 1e4, 6e4], dtype=dtype)
    got = surrogate.derivative(x)
    assert keras.backend.standardize_dtype(got.dtype) == dtype
    assert np.all(np.isfinite(numpy(got)))


@settings(deadline=None, max_examples=30)
@given(
    x=st.floats(-6e4, 6e4, width=16),
    width=st.floats(0.01, 100),
    slope=st.floats(0.01, 100),
)
def test_any_sensible_arguments_stay_finite_in_float16(x, width, slope):
    x = keras.ops.convert_to_tensor([x], dtype="float16")
    for surrogate in (
        Triangle(width),
        Rectangle(width),
        Gaussian(width),
        MultiGaussian(width),
        Sigmoid(slope),
        FastSigmoid(slope),
        ArcTan(slope),
        PiecewiseExponential(slope),
        S2NN(slope),
    ):
        assert np.isfinite(numpy(surrogate.derivative(x))).all(), surrogate


def test_s2nn_does_not_vanish_above_the_threshold():
    x = keras.ops.convert_to_tensor([-20.0, 20.0], dtype="float32")
    below, above = numpy(S2NN().derivative(x))
    assert below < 1e-6
    assert above == pytest.approx(1 / 21)


@EVERY
def test_round_trip(surrogate):
    config = json.loads(json.dumps(surrogates.serialize(surrogate)))
    for again in (surrogates.get(config), surrogates.deserialize(config)):
        assert again == surrogate
        assert hash(again) == hash(surrogate)
        assert type(again) is type(surrogate)
    assert type(surrogate).from_config(surrogate.get_config()) == surrogate
    assert config["registered_name"] == f"keras_ssp>{type(surrogate).__name__}"


def test_equality_is_by_class_and_arguments():
    assert Triangle() == Triangle(width=1)
    assert len({Triangle(), Triangle(1.0), Triangle(2.0), Rectangle()}) == 3
    assert Triangle() != Rectangle()
    assert Triangle() != "triangle"
    assert (
        repr(PiecewiseExponential(3)) == "PiecewiseExponential(slope=3.0, height=1.0)"
    )


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("triangle", Triangle),
        ("rectangle", Rectangle),
        ("sigmoid", Sigmoid),
        ("fast_sigmoid", FastSigmoid),
        ("superspike", FastSigmoid),
        ("arctan", ArcTan),
        ("piecewise_exponential", PiecewiseExponential),
        ("gaussian", Gaussian),
        ("multi_gaussian", MultiGaussian),
        ("straight_through", StraightThrough),
        ("s2nn", S2NN),
    ],
)
def test_get_by_name_and_class(name, cls):
    assert name in surrogates.names()
    assert surrogates.get(name) == surrogates.get(cls) == cls()


def test_get_returns_an_instance_as_it_is():
    surrogate = Triangle(0.3)
    assert surrogates.get(surrogate) is surrogate


@pytest.mark.parametrize("unknown", ["Triangle", "", None, 3, int, {"width": 1.0}])
def test_get_of_the_unknown_lists_the_names(unknown):
    wanted = "`surrogate` must be one of 'arctan', 'atan', 'fast_sigmoid', .*'triangle'"
    with pytest.raises(ValueError, match=wanted) as error:
        surrogates.get(unknown)
    assert f"Received: surrogate={unknown!r}." in str(error.value)


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (Triangle, "width"),
        (Rectangle, "width"),
        (Sigmoid, "slope"),
        (FastSigmoid, "slope"),
        (ArcTan, "slope"),
        (PiecewiseExponential, "slope"),
        (PiecewiseExponential, "height"),
        (Gaussian, "width"),
        (MultiGaussian, "width"),
        (MultiGaussian, "height"),
        (MultiGaussian, "scale"),
        (S2NN, "slope"),
        (S2NN, "height"),
    ],
)
@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "1", True, None])
def test_arguments_are_positive_and_finite(cls, name, value):
    wanted = f"`{name}` must be a finite number above 0. Received: {name}={value!r}."
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        cls(**{name: value})


def test_integers_are_refused():
    with pytest.raises(ValueError, match=r"`x` must be floating-point.*x\.dtype=int32"):
        Triangle()(keras.ops.convert_to_tensor([1, 2], dtype="int32"))


def test_a_users_own():
    @surrogates.register("test_flat", "test_level", package="tests")
    class Flat(Surrogate):
        def __init__(self, height=0.5):
            self.height = height

        def derivative(self, x):
            return self.height * keras.ops.ones_like(x)

    assert surrogates.get("test_flat") == surrogates.get("test_level") == Flat()
    assert surrogates.get(surrogates.serialize(Flat(0.25))) == Flat(0.25)
    assert surrogates.register("test_flat")(Flat) is Flat  # a cell run twice
    with pytest.raises(ValueError, match="`name` must be free: 'triangle' is Triangle"):
        surrogates.register("triangle")(Flat)
    with pytest.raises(ValueError, match="`cls` must subclass Surrogate"):
        surrogates.register("test_other")(int)
    assert "test_other" not in surrogates.names()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", surrogates.names())
def test_the_derivative_is_as_precise_as_its_argument(name, dtype):
    """Keras on PyTorch makes float32 of float64 in `ops.maximum`."""
    x = keras.ops.convert_to_tensor(np.linspace(-1.0, 1.0, 5).astype(dtype))
    found = surrogates.get(name).derivative(x)
    assert found.dtype == x.dtype
