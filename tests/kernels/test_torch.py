"""PyTorch's compiler and op by op: one loop; and one without a compiler."""

import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_ssp import LIF

pytestmark = [
    pytest.mark.every_backend,
    pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's kernel"),
]
# As many values as are compiled, in two chunks and a rest.
SHAPE = (32, 17, 1024)
SCRIPT = f"""
import warnings
import numpy as np
import keras_ssp as ssp
x = np.full(({SHAPE[0] * SHAPE[1]}, {SHAPE[2]}), 0.6, "float32")
layer = ssp.LIF(time_steps={SHAPE[1]})
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    spikes = layer(x).detach().numpy()
assert any("could not compile" in str(w.message) for w in caught), caught
assert spikes.mean() == {5 / 17}, spikes.mean()
"""


@pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++"))), reason="needs a C++ compiler"
)
def test_compiled_and_op_by_op():
    import torch

    rng = np.random.default_rng(0)
    x = rng.normal(0.3, 1.0, (SHAPE[0] * SHAPE[1], SHAPE[2])).astype("float32")
    weight = torch.as_tensor(rng.normal(size=x.shape).astype("float32"))
    layer = LIF(0.8, learn_beta=True, time_steps=SHAPE[1])
    layer(x[: SHAPE[1]])

    def found():
        given = torch.as_tensor(x).requires_grad_()
        spikes = layer(given * 1.0)  # as after another layer
        loss = torch.sum(spikes * weight)
        return spikes, *torch.autograd.grad(loss, [given, layer.beta_weight.value])

    compiled = found()
    with torch.compiler.set_stance("force_eager"):
        plain = found()
    for a, b in zip(compiled, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_without_a_compiler_it_says_so_and_goes_on(tmp_path):
    """At 0.6 a step and half kept: 0.6, 0.9, 1.05 fires; of 17 steps, in these."""
    environment = dict(
        os.environ, CXX="/nothing", TORCHINDUCTOR_CACHE_DIR=str(tmp_path)
    )
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
