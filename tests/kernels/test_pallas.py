"""The kernels for GPUs: what they compute, without one; and that they can be built."""

import functools

import keras
import numpy as np
import pytest

from keras_ssp import LIF, surrogates
from keras_ssp.kernels import LoopSpec

pytestmark = [
    pytest.mark.every_backend,
    pytest.mark.skipif(
        keras.backend.backend() != "jax", reason="the kernels for JAX on GPUs"
    ),
]


@pytest.mark.parametrize("neurons", [5, 256])  # part of a block, and a whole one
@pytest.mark.parametrize("steps", [1, 16, 25])
def test_as_the_loop_over_chunks(steps, neurons):
    import jax
    import jax.numpy as jnp

    from keras_ssp.kernels import pallas
    from keras_ssp.kernels.jax import run_loop

    rng = np.random.default_rng(steps)
    x = jnp.asarray(rng.normal(0.3, 1.0, (3, steps, neurons)), "float32")
    upstream = tuple(jnp.asarray(rng.normal(size=(2, *x.shape)), "float32"))
    beta = jnp.asarray(rng.uniform(0.3, 0.9, neurons), "float32")
    parameters = (beta, jnp.float32(1.0))
    dynamics = LIF(return_potential=True).dynamics()
    spec = LoopSpec(dynamics, steps, (0,), (True, True))

    @jax.jit
    def both(x, parameters):
        outputs = pallas.forward(x, parameters, spec, interpret=True)
        return outputs, pallas.backward(x, parameters, upstream, spec, interpret=True)

    outputs, (dx, sums) = both(x, parameters)
    wanted, back = jax.vjp(lambda x, p: run_loop(x, p, spec), x, parameters)
    wanted_dx, wanted_sums = back(upstream)
    for a, b in zip((*outputs, dx), (*wanted, wanted_dx), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(sums, wanted_sums, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", surrogates.names())
def test_every_surrogate_can_be_built_for_a_gpu(name):
    import jax

    from keras_ssp.kernels import pallas

    dynamics = LIF(surrogate=name, reset="soft").dynamics()
    x = jax.ShapeDtypeStruct((2, 20, 300), "float32")
    parameters = (jax.ShapeDtypeStruct((), "float32"),) * 2
    spec = LoopSpec(dynamics, 20, (), (True, False))
    forward = functools.partial(pallas.forward, spec=spec)
    backward = functools.partial(pallas.backward, spec=spec)
    for function, values in ((forward, ()), (backward, ((x,),))):
        traced = jax.jit(function).trace(x, parameters, *values)
        text = traced.lower(lowering_platforms=("cuda",)).as_text()
        assert "triton" in text
