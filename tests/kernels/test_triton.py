"""The kernels for GPUs on PyTorch: what they compute, without one; and how they build.

Triton interprets kernels in processes that ask for it before they import it.
"""

import os
import subprocess
import sys

import keras
import pytest

from keras_ssp import LIF, surrogates
from keras_ssp.kernels import LoopSpec
from tests.layers.neurons import Adaptive, like_lif

pytest.importorskip("triton", reason="the kernels for PyTorch on GPUs need Triton")
pytestmark = [
    pytest.mark.every_backend,
    pytest.mark.skipif(
        keras.backend.backend() != "torch", reason="the kernels for PyTorch on GPUs"
    ),
]
SCRIPT = """
import contextlib, itertools
import torch
torch.cuda.device_of = lambda x: contextlib.nullcontext()  # there is none
from keras_ssp import LIF
from keras_ssp.kernels import LoopSpec
from keras_ssp.kernels.torch import run_loop
from keras_ssp.kernels.triton import loop_for
from tests.layers.neurons import Adaptive

kinds = {"lif": LIF(return_potential=True), "adaptive": Adaptive()}
cases = itertools.chain(
    itertools.product(kinds, (1, 16, 25), (1, 300), [torch.float32], (True, False)),
    itertools.product(["lif"], [25], [5], (torch.float16, torch.float64), [True]),
)
for name, steps, neurons, dtype, every in cases:
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    record = (0,) if every else ()
    spec = LoopSpec(kinds[name].dynamics(), steps, record, (True, every))
    x = (torch.randn(3, steps, neurons) + 0.3).to(dtype).requires_grad_()
    first = torch.rand((neurons,) if every else (), dtype=wide).requires_grad_()
    second = torch.tensor(0.9, dtype=wide).requires_grad_()
    parameters = (first, second)
    wanted = run_loop(x, parameters, spec)
    upstream = [torch.randn_like(y) for y in wanted]
    wanted_back = torch.autograd.grad(wanted, [x, first, second], upstream)
    loop = loop_for(x, parameters, spec)
    for y, right in zip(loop.forward(x, parameters), wanted, strict=True):
        assert torch.equal(y, right), (name, steps, neurons, dtype, every)
    dx, found = loop.backward(x, parameters, upstream)
    assert (found[1] is None) == (not every)
    close = {torch.float16: 2e-3, torch.float32: 1e-5}.get(dtype, 1e-12)
    torch.testing.assert_close(dx, wanted_back[0], rtol=close, atol=close)
    for gradient, right in zip(found[: 1 + every], wanted_back[1:]):
        error = abs(gradient - right) / (1.0 + abs(right))
        assert error.max() < 10 * close, (name, steps, neurons, dtype, every)
print("as op by op")
"""


def test_as_op_by_op():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env=dict(os.environ, TRITON_INTERPRET="1"),
        check=False,
    )
    assert done.stdout.strip() == "as op by op", done.stderr[-2000:]


def built(dynamics, steps, record=(0,), learned=(True, False)):
    """Sizes of the code of both kernels for an H100."""
    import torch
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from keras_ssp.kernels.triton import loop_for

    x = torch.zeros(2, steps, 300, dtype=torch.bfloat16)
    parameters = (torch.zeros(300), torch.zeros(()))
    loop = loop_for(x, parameters, LoopSpec(dynamics, steps, record, learned))
    if loop is None:
        return None
    wide = ("p", "sum", "kept")
    sizes = []
    for kernel in (loop.to_the_end, loop.back):
        types = {
            name: "*fp32"
            if name.startswith(wide)
            else "*bf16"
            if name.endswith("_ref")
            else "i32"
            for name in kernel.arg_names
        }
        source = ASTSource(
            kernel, {**types, "BLOCK": "constexpr"}, constexprs={"BLOCK": 256}
        )
        target = GPUTarget("cuda", 90, 32)
        sizes.append(len(triton.compile(source, target=target).asm["ptx"]))
    return sizes


@pytest.mark.parametrize("steps", [4, 25])
@pytest.mark.parametrize("name", surrogates.names())
def test_every_surrogate_can_be_built_for_a_gpu(name, steps):
    assert min(built(LIF(surrogate=name, reset="soft").dynamics(), steps)) > 1000


def test_a_neuron_with_two_states_can_be_built_for_a_gpu():
    assert min(built(Adaptive().dynamics(), 25)) > 1000


def test_what_has_no_line_in_triton_is_left_to_the_compiler():
    from keras import ops

    class Sorting(type(LIF().dynamics())):
        def forward(self, state, x, parameters):
            s, state = super().forward(state, x, parameters)
            return ops.sort(s), state

    assert built(like_lif(Sorting), 4) is None
