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


@pytest.mark.parametrize("steps", [1, 3, 4, 6, 8, 17, 40])
@pytest.mark.parametrize("name", NEURONS)
def test_compiled_and_uncompiled_loops_agree(name, steps):
    import tensorflow as tf

    from keras_ssp.kernels.exporting import exporting

    rng = np.random.default_rng(steps)
    x = rng.normal(0.4, 1.0, (3 * steps, 5)).astype("float32")
    weight = rng.normal(size=x.shape).astype("float32")
    layer = NEURONS[name]({"time_steps": steps})
    layer(x)

    def loss(x):
        return keras.ops.sum(layer(x) * weight)

    compiled = gradients(loss, [x], layer.trainable_weights)
    # Only graphs leave Python, so the loss is traced.
    traced = tf.function(loss, autograph=False)
    with exporting():
        plain = gradients(traced, [x], layer.trainable_weights)
    assert compiled[0] == pytest.approx(plain[0], abs=1e-5)
    for a, b in zip([*compiled[1], *compiled[2]], [*plain[1], *plain[2]], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_exporting_ends_with_its_block():
    from keras_ssp.kernels.exporting import exporting, leaves_python

    with exporting():
        with exporting():
            assert leaves_python()
        assert leaves_python()
    assert not leaves_python()
