"""LIF against the stored traces of snnTorch and SpikingJelly."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_ssp import surrogates
from keras_ssp.layers import LIF
from tests.helpers import gradients
from tests.reference.traces import load_traces

pytestmark = pytest.mark.every_backend


def identify(trace):
    detached = "-detached" if trace["detach_reset"] else ""
    return f"{trace['library']}-{trace['beta']}-{trace['reset']}{detached}"


@pytest.mark.parametrize("trace", load_traces(), ids=identify)
def test_same_spikes_potentials_and_gradients(trace):
    current, weights, spikes, potential, gradient = (
        np.array(trace[k], "float32")
        for k in ("current", "weights", "spikes", "potential", "gradient")
    )
    layer = LIF(
        trace["beta"],
        threshold=trace["threshold"],
        reset=trace["reset"],
        detach_reset=trace["detach_reset"],
        surrogate=surrogates.ArcTan(slope=trace["surrogate"]["slope"]),
        return_potential=True,
        time_steps=len(current),
    )
    s, u = (keras.ops.convert_to_numpy(y) for y in layer(current))
    np.testing.assert_array_equal(s, spikes)
    assert 0.1 < spikes.mean() < 0.9
    np.testing.assert_allclose(u, potential, atol=1e-5)
    weigh = ops.convert_to_tensor(weights)
    _, (dx,), _ = gradients(lambda x: ops.sum(layer(x)[0] * weigh), [current])
    np.testing.assert_allclose(dx, gradient, atol=1e-5, rtol=1e-5)
