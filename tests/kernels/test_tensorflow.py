"""The loop compiled by XLA and the loop op by op are one loop."""

import keras
import numpy as np
import pytest

from keras_ssp import LIF
from tests.helpers import gradients
from tests.layers.neurons import Adaptive, Recurrent

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the TensorFlow kernel"
)

NEURONS = {
    "lif": lambda steps: LIF(0.8, learn_beta=True, learn_threshold=True, **steps),
    "adaptive": lambda steps: Adaptive(learn_beta=True, learn_decay=True, **steps),
    "recurrent": lambda steps: Recurrent(**steps),
}


@pytest.mark.parametrize("steps", [1, 3, 16, 17, 40])
@pytest.mark.parametrize("name", NEURONS)
def test_compiled_and_uncompiled_loops_agree(name, steps):
    from keras_ssp.kernels.tensorflow import uncompiled_loops

    rng = np.random.default_rng(steps)
    x = rng.normal(0.4, 1.0, (3 * steps, 5)).astype("float32")
    weight = rng.normal(size=x.shape).astype("float32")
    layer = NEURONS[name]({"time_steps": steps})
    layer(x)

    def loss(x):
        return keras.ops.sum(layer(x) * weight)

    compiled = gradients(loss, [x], layer.trainable_weights)
    with uncompiled_loops():
        plain = gradients(loss, [x], layer.trainable_weights)
    assert compiled[0] == pytest.approx(plain[0], abs=1e-5)
    for a, b in zip([*compiled[1], *compiled[2]], [*plain[1], *plain[2]], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_uncompiled_loops_end_with_their_block():
    from keras_ssp.kernels import tensorflow as kernel

    with kernel.uncompiled_loops():
        with kernel.uncompiled_loops():
            assert not kernel._compile.get()
        assert not kernel._compile.get()
    assert kernel._compile.get()
