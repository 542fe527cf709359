"""Small calls on PyTorch run a trace: it must serve other shapes, or not be used."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_ssp import LIF
from keras_ssp.kernels import LoopSpec, run_loop
from tests.layers.neurons import like_lif

pytestmark = [
    pytest.mark.every_backend,
    pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's kernel"),
]


class Shaped(type(LIF().dynamics())):
    """As `LIF`, but the shape of its input is written in what it computes."""

    def forward(self, state, x, parameters):
        s, state = super().forward(state, x, parameters)
        return s * ops.broadcast_to(ops.ones(()), tuple(x.shape)), state


class Deciding(type(LIF().dynamics())):
    """As `LIF` where any input is positive, else silent: a trace knows no values."""

    def forward(self, state, x, parameters):
        s, state = super().forward(state, x, parameters)
        return (s if bool(ops.any(x > 0.0)) else ops.zeros_like(s)), state


class Drawing(type(LIF().dynamics())):
    """As `LIF`, with two numbers drawn, of which one is taken from the other."""

    def forward(self, state, x, parameters):
        import torch

        s, state = super().forward(state, x, parameters)
        drawn = torch.rand_like(s) - torch.rand_like(s)
        return s * ops.cast(drawn != 0.0, s.dtype), state


def spikes(dynamics, x):
    spec = LoopSpec(dynamics, x.shape[1], (), (False, False))
    parameters = map(ops.convert_to_tensor, np.float32([0.5, 1.0]))
    (found,) = run_loop(ops.convert_to_tensor(x), tuple(parameters), spec)
    return ops.convert_to_numpy(found)


@pytest.mark.parametrize("shape", [(1, 3, 1), (2, 3, 3), (4, 3, 7), (5, 11, 2)])
def test_other_shapes_than_the_traced_one(shape):
    x = np.random.default_rng(0).normal(0.4, 1.0, shape).astype("float32")
    u, wanted = np.zeros_like(x[:, 0]), []
    for t in range(shape[1]):
        v = np.float32(0.5) * u + x[:, t]
        wanted.append(v >= 1.0)
        u = np.where(v >= 1.0, 0.0, v).astype("float32")
    for kind in (type(LIF().dynamics()), Shaped, Deciding, Drawing):
        np.testing.assert_array_equal(spikes(like_lif(kind), x), np.stack(wanted, 1))


def test_what_decides_by_values_decides_at_each_call():
    x = np.full((2, 3, 4), 2.0, "float32")
    dynamics = like_lif(Deciding)
    assert spikes(dynamics, x).min() == 1.0
    assert spikes(dynamics, -x).max() == 0.0
    assert spikes(dynamics, x).min() == 1.0
