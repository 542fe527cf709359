"""The time loop on PyTorch: on GPUs in one kernel each way, else over chunks of steps.

`torch.compile` makes one pass over memory of a chunk, forward or backward, for any
batch and number of neurons. It takes seconds, once; so small calls run op by op, and
so does all where PyTorch finds no compiler (on a CPU it needs one for C++).
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Sequence
from typing import Any

import torch

from keras_ssp.kernels.dynamics import LoopSpec
from keras_ssp.kernels.loop import (
    Inlet,
    States,
    backward_unrolled,
    entered,
    initial_state,
    inlet_of,
    outputs_unrolled,
    totals,
)
from keras_ssp.kernels.torch_traced import Part, loop_dtype, traced
from keras_ssp.types import Tensor

#: Steps of a chunk, on CPUs and on GPUs. States before chunks are kept for the backward
#: pass.
CHUNK = (8, 16)
#: Values of a call, over all steps, from which on it is compiled.
LEAST_COMPILED = 2**17
_FORWARD, _BACKWARD = 0, 1


def run_loop(
    x: Tensor,
    parameters: tuple[Tensor, ...],
    spec: LoopSpec,
    weights: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """See `keras_ssp.kernels.run_loop`."""
    outputs: tuple[Tensor, ...] = _Loop.apply(
        spec, weights, x, *map(torch.as_tensor, parameters)
    )
    return outputs


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        spec: LoopSpec,
        weights: Tensor | None,
        x: Tensor,
        *parameters: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.spec, ctx.weights = spec, weights
        ctx.kernels = _kernels(spec, x, parameters)
        kept: States = ()
        if ctx.kernels is not None:
            outputs = ctx.kernels.forward(x, parameters)
        else:
            outputs, kept = _run(spec, x, _wide(x, parameters))
        ctx.fires = spec.only_fired and weights is not None
        fired = outputs[:1] if ctx.fires else ()
        ctx.save_for_backward(x, *parameters, *kept, *fired)
        if weights is None:
            return outputs
        return *outputs, x.new_zeros(x.shape[:2], dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        spec = ctx.spec
        count = len(spec.dynamics.parameters)
        x, *kept = ctx.saved_tensors
        spikes = kept.pop() if ctx.fires else x
        parameters, kept = kept[:count], kept[count:]
        upstream, inlet = inlet_of(upstream, spikes, ctx.weights, spec)
        if ctx.kernels is not None:
            upstream = _all_entered(upstream, inlet)
            dx, found = ctx.kernels.backward(x, parameters, upstream)
        else:
            dx, found = _back(spec, x, _wide(x, parameters), upstream, inlet, kept)
        narrow = (
            None if gradient is None else gradient.to(parameter.dtype)
            for gradient, parameter in zip(found, parameters, strict=True)
        )
        return None, None, dx, *narrow


def _all_entered(upstream: States, inlet: Inlet | None) -> States:
    """The gradients of the outputs, with what enters beside that of the spikes."""
    if inlet is None:
        return upstream
    gradient = inlet.gradient if inlet.spikes is None else inlet.gradient * inlet.spikes
    # One pass over memory.
    ds = torch.addcmul(upstream[0].to(gradient.dtype), gradient, inlet.weights)
    return ds.to(upstream[0].dtype), *upstream[1:]


def _run(spec: LoopSpec, x: Tensor, wide: States) -> tuple[tuple[Tensor, ...], States]:
    """Chunk by chunk: the outputs, and the states before each chunk."""
    state = initial_state(x[:, 0].to(loop_dtype(x.dtype)), spec)
    before: list[Tensor] = []
    parts = []
    for steps in _chunks(spec, x):
        # States within chunks are computed again on the way back.
        before += state
        part = _part(x, steps)
        found, state = _way(spec, _FORWARD, x, part, wide)(part, wide, state)
        parts.append(found)
    return tuple(map(_joined, zip(*parts, strict=True))), tuple(before)


def _back(
    spec: LoopSpec,
    x: Tensor,
    wide: States,
    upstream: States,
    inlet: Inlet | None,
    kept: States,
) -> tuple[Tensor, States]:
    """Chunk by chunk, from the last: gradients of `x` and the parameters."""
    if _is_small(x):
        upstream, inlet = _all_entered(upstream, inlet), None
    states = len(spec.dynamics.state)
    dxs = []
    d_state = tuple(map(torch.zeros_like, kept[:states]))
    sums: States = (0.0,) * len(wide)
    for k, steps in reversed(list(enumerate(_chunks(spec, x)))):
        state = tuple(kept[k * states : (k + 1) * states])
        gradients = [_part(gradient, steps) for gradient in upstream]
        part = _part(x, steps)
        run = _way(spec, _BACKWARD, x, part, wide)
        more = _part_of_inlet(inlet, steps)
        dx, d_state, terms = run(part, wide, gradients, state, d_state, *more)
        dxs.append(dx)
        sums = tuple(a + b for a, b in zip(sums, terms, strict=True))
    return _joined(dxs[::-1]), totals(sums, wide, spec)


def batch_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor] | None:
    """See `keras_ssp.kernels.batch_norm`."""
    features = x.shape[-1]
    rows = x.numel() // features
    if rows < 2 or epsilon <= 0.0:  # which PyTorch refuses
        return None
    wide = loop_dtype(x.dtype)
    gamma, beta = gamma.to(wide), beta.to(wide)
    mean, variance = torch.zeros_like(gamma), torch.zeros_like(gamma)
    y = torch.nn.functional.batch_norm(
        x.movedim(-1, 1),
        mean,
        variance,
        gamma,
        beta,
        training=True,
        momentum=1.0,  # the batch's own, in place
        eps=epsilon,
    )
    # Its variance is divided by one less than the number of rows, Keras' by that.
    return y.movedim(1, -1), mean, variance * ((rows - 1) / rows)


def row_sums(x: Tensor, weights: Tensor) -> Tensor | None:
    """See `keras_ssp.kernels.row_sums`."""
    # On GPUs, products of matrices may be those of numbers cut to 11 bits.
    return torch.mv(x, weights) if x.device.type == "cpu" else None


def is_tracing() -> bool:
    """Whether what runs is being traced by the compiler."""
    return torch.compiler.is_compiling()


def _forward_part(
    spec: LoopSpec, x: Tensor, parameters: States, state: States
) -> tuple[list[Tensor], States]:
    """Some steps: spikes and recorded states, and the state after them."""
    found, state = outputs_unrolled(_steps(x), parameters, spec, state)
    return [torch.stack(steps, dim=1).to(x.dtype) for steps in found], state


def _backward_part(
    spec: LoopSpec,
    x: Tensor,
    parameters: States,
    upstream: list[Tensor],
    state: States,
    d_state: States,
    *inlet: Any,
) -> tuple[Tensor, States, States]:
    """Some steps back: gradients of `x` and `state`, and the parameters' terms."""
    gradients = [_steps(gradient) for gradient in upstream]
    if inlet:
        gradients[0] = list(map(entered, gradients[0], Inlet(*inlet).steps(_steps)))
    dxs, d_state, sums = backward_unrolled(
        _steps(x), parameters, gradients, spec, state, d_state
    )
    return torch.stack(dxs, dim=1).to(x.dtype), d_state, sums


def _kernels(spec: LoopSpec, x: Tensor, parameters: States) -> Any:
    """The loop's kernels on a GPU, `None` where there are none."""
    if x.device.type != "cuda" or torch.compiler.is_compiling():
        return None
    module = _gpu_module()
    return module and module.loop_for(x, parameters, spec)


@functools.cache
def _gpu_module() -> Any:
    try:
        return importlib.import_module("keras_ssp.kernels.triton")
    except ImportError:  # PyTorch for Windows comes without Triton
        return None


def _way(spec: LoopSpec, way: int, x: Tensor, part: Tensor, parameters: States) -> Part:
    # Inside another compiled function, that one compiles all.
    if torch.compiler.is_compiling():
        return _plain(spec)[way]
    if not _is_small(x):
        return _compiled(spec)[way]
    return traced(
        _plain(spec)[way],
        part.shape[1],
        len(spec.dynamics.state),
        (1 + len(spec.record)) * way,
        tuple(parameter.ndim for parameter in parameters),
        x.dtype,
        x.device,
    )


def _is_small(x: Tensor) -> bool:
    return x.numel() < LEAST_COMPILED and not torch.compiler.is_compiling()


@functools.lru_cache(maxsize=256)
def _plain(spec: LoopSpec) -> tuple[Part, Part]:
    return (
        functools.partial(_forward_part, spec),
        functools.partial(_backward_part, spec),
    )


@functools.lru_cache(maxsize=256)
def _compiled(spec: LoopSpec) -> tuple[Part, Part]:
    forward, backward = map(_compile, _plain(spec))
    return forward, backward


def _compile(plain: Part) -> Part:
    """The part compiled, or as it is where PyTorch can't compile."""

    def part(*given: Any) -> Any:
        return plain(*given)

    # PyTorch counts what it compiled by code object and gives up after a few; each
    # neuron's loop is one of its own.
    part.__code__ = part.__code__.replace()
    compiled = torch.compile(part, dynamic=True)
    works = True

    def run(*given: Any) -> Any:
        nonlocal works
        try:
            if works:
                return compiled(*given)
        except torch._dynamo.exc.BackendCompilerFailed as error:
            works = False
            warnings.warn(
                "PyTorch could not compile the loop over time steps, which now runs op "
                "by op, several times slower. It needs a C++ compiler on a CPU, Triton "
                f"on a GPU. It says: {str(error)[:500]}",
                stacklevel=2,
            )
        return plain(*given)

    return run


def _chunks(spec: LoopSpec, x: Tensor) -> list[slice]:
    size = CHUNK[x.device.type == "cuda"]
    return [slice(t, t + size) for t in range(0, spec.time_steps, size)]


def _part(values: Tensor, steps: slice) -> Tensor:
    # Detached: the compiler looks at where values come from, and compiles anew for it.
    return values.detach()[:, steps]


def _part_of_inlet(inlet: Inlet | None, steps: slice) -> tuple[Any, ...]:
    if inlet is None:
        return ()
    spikes = None if inlet.spikes is None else _part(inlet.spikes, steps)
    return inlet.weights, _part(inlet.gradient, steps), spikes


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=1)


def _steps(values: Tensor) -> list[Tensor]:
    return list(torch.unbind(values.to(loop_dtype(values.dtype)), dim=1))


def _wide(x: Tensor, parameters: States) -> States:
    return tuple(parameter.detach().to(loop_dtype(x.dtype)) for parameter in parameters)
