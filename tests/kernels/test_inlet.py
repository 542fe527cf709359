"""A penalty's gradient, taken in by the loop: as if it had come by the spikes."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_ssp import LIF
from keras_ssp.kernels import LoopSpec, run_loop
from tests.helpers import gradients
from tests.layers.neurons import Adaptive, Recurrent

pytestmark = pytest.mark.every_backend

NEURONS = 6


def parameters(kind):
    rng = np.random.default_rng(1)
    beta = rng.uniform(0.3, 0.9, NEURONS)
    second = {
        "lif": np.linspace(0.5, 1.0, NEURONS),
        "adaptive": np.array(0.8),
        "recurrent": rng.normal(0.0, 0.3, (NEURONS, NEURONS)),
    }
    return [beta.astype("float32"), second[kind].astype("float32")]


def both_ways(kind, steps, dtype="float32", *, only_fired=False, shape=(3, NEURONS)):
    """Gradients by the inlet, and by the spikes."""
    layers = {"lif": LIF, "adaptive": Adaptive, "recurrent": Recurrent}
    dynamics = layers[kind]().dynamics()
    record = (0,) if kind == "lif" else ()
    rng = np.random.default_rng(steps)
    x = rng.normal(0.4, 1.0, (shape[0], steps, shape[1])).astype(dtype)
    given = parameters(kind)
    if shape[1] != NEURONS:
        given = [np.float32(0.8), np.float32(1.0)]
    weights = ops.convert_to_tensor(rng.integers(0, 9, shape[1]).astype("float32"))
    entering = rng.normal(size=(shape[0], steps, 1)).astype("float32")
    entering = ops.convert_to_tensor(entering)
    upstream = rng.normal(size=(1 + len(record), *x.shape)).astype(dtype)
    spec = LoopSpec(dynamics, steps, record, (True, True))
    entering_spec = LoopSpec(dynamics, steps, record, (True, True), only_fired)
    shapes = []

    def through(outputs):
        pairs = zip(upstream, outputs, strict=True)
        return sum(ops.sum(ops.convert_to_tensor(g) * y) for g, y in pairs)

    def by_inlet(x, *given):
        *outputs, inlet = run_loop(x, given, entering_spec, weights)
        shapes.append((keras.backend.standardize_dtype(inlet.dtype), *inlet.shape))
        more = ops.sum(entering[..., 0] * inlet)
        return ops.cast(through(outputs), "float32") + more

    def by_spikes(x, *given):
        outputs = run_loop(x, given, spec)
        s = ops.cast(outputs[0], "float32")
        s = 0.5 * s * s if only_fired else s
        more = ops.sum(entering * weights * s)
        return ops.cast(through(outputs), "float32") + more

    _, found, _ = gradients(by_inlet, [x, *given])
    _, wanted, _ = gradients(by_spikes, [x, *given])
    assert shapes[-1] == ("float32", shape[0], steps)
    return found, wanted


@pytest.mark.parametrize("only_fired", [False, True])
@pytest.mark.parametrize(
    ("kind", "steps"),
    [("lif", 1), ("lif", 4), ("lif", 9), ("adaptive", 17), ("recurrent", 5)],
)
def test_as_by_the_spikes(kind, steps, only_fired):
    found, wanted = both_ways(kind, steps, only_fired=only_fired)
    assert any(np.any(gradient) for gradient in wanted)
    for gradient, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(gradient, right, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("only_fired", [False, True])
def test_in_16_bit(only_fired):
    found, wanted = both_ways("lif", 9, "float16", only_fired=only_fired)
    for gradient, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(gradient, right, rtol=2e-2, atol=5e-2)


def test_with_as_many_values_as_pytorch_compiles():
    found, wanted = both_ways("lif", 8, only_fired=True, shape=(64, 1024))
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-3, atol=1e-3)


def test_the_inlet_has_a_gradient_and_no_value():
    x = ops.convert_to_tensor(np.ones((2, 5, 3), "float32"))
    given = [ops.convert_to_tensor(np.float32(v)) for v in (0.9, 1.0)]
    spec = LoopSpec(LIF().dynamics(), 5, (), (False, False))
    spikes, inlet = run_loop(x, given, spec, ops.ones(3))
    assert np.all(ops.convert_to_numpy(spikes))
    assert not np.any(ops.convert_to_numpy(inlet))
