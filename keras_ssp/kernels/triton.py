"""The loop on GPUs with PyTorch: one Triton kernel each way, states in registers.

A program of the grid takes a block of neurons, of any samples, through all steps:
forward it reads the input once and writes the output once. Backward it needs the
states in reverse order; up to `WHOLE` steps they stay in registers. Above that, the
states before each chunk are written to memory on a way forward, and each chunk is run
again on the way back. The neuron's own step is written by `triton_source`.
"""

from __future__ import annotations

import dataclasses
import functools
import linecache
import math
from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl

from keras_ssp.kernels.dynamics import LoopSpec
from keras_ssp.kernels.loop import States, totals
from keras_ssp.kernels.triton_source import step_source
from keras_ssp.types import Tensor

#: Up to this many steps are written out, and their states stay in registers.
WHOLE = 16
#: Steps of a chunk above that.
CHUNK = 8
#: Neurons of a block.
BLOCK = 256
# No products and sums in one rounding: spikes are those of the loop op by op.
_OPTIONS = {"num_warps": 4, "enable_fp_fusion": False}
_NAMES = {torch.float32: "tl.float32", torch.float64: "tl.float64"}


def can_run(x: Tensor, parameters: Sequence[Tensor], spec: LoopSpec) -> bool:
    """Whether the kernels take such input: neurons on their own, of known steps."""
    if any(parameter.ndim > 1 for parameter in parameters) or not x.numel():
        return False
    return _steps(spec, _dtype(x), x.device) is not None


def forward(
    x: Tensor, parameters: Sequence[Tensor], spec: LoopSpec
) -> tuple[Tensor, ...]:
    """Spikes and recorded states, each `(batch, time, neurons)` in the dtype of `x`.

    Args:
        x: Input current, `(batch, time, neurons)`.
        parameters: The parameters, each a scalar or `(neurons,)`.
        spec: The loop.
    """
    x = x.contiguous()
    outputs = tuple(torch.empty_like(x) for _ in range(1 + len(spec.record)))
    kernels = _kernels(spec, _form(x, parameters))
    _launch(kernels.forward, x, [x, *_own(parameters), *outputs])
    return outputs


def backward(
    x: Tensor, parameters: Sequence[Tensor], upstream: Sequence[Tensor], spec: LoopSpec
) -> tuple[Tensor, States]:
    """Gradient with respect to the input, and to each parameter.

    Args:
        x: Input current, `(batch, time, neurons)`.
        parameters: The parameters, each a scalar or `(neurons,)`.
        upstream: Gradient that reaches the spikes, then each recorded state.
        spec: The loop.
    """
    x = x.contiguous()
    batch, _, neurons = x.shape
    chunks, _ = _chunks(spec.time_steps)
    dx = torch.empty_like(x)
    wide = functools.partial(x.new_empty, dtype=_dtype(x))
    learned = [k for k, wanted in enumerate(spec.learned) if wanted]
    sums = {k: wide((batch, neurons)) for k in learned}
    kept = [wide((chunks, batch, neurons)) for _ in spec.dynamics.state if chunks]
    kernels = _kernels(spec, _form(x, parameters))
    given = [x, *_own(parameters), *(g.contiguous() for g in upstream)]
    _launch(kernels.backward, x, [*given, dx, *sums.values(), *kept])
    terms = tuple(sums.get(k, x.new_zeros(())) for k in range(len(parameters)))
    return dx, totals(terms, tuple(parameters), spec)


@dataclasses.dataclass(frozen=True)
class _Form:
    """What a kernel is written for, besides the loop.

    Args:
        dtype: Of states.
        device: Where a step is traced.
        own: For each parameter whether each neuron has its own.
        wide: Whether places are counted in 64 bits.
    """

    dtype: torch.dtype
    device: torch.device
    own: tuple[bool, ...]
    wide: bool


@dataclasses.dataclass(frozen=True)
class _Kernels:
    forward: Any
    backward: Any


def _form(x: Tensor, parameters: Sequence[Tensor]) -> _Form:
    own = tuple(parameter.ndim > 0 for parameter in parameters)
    return _Form(_dtype(x), x.device, own, x.numel() + BLOCK >= 2**31)


def _dtype(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _own(parameters: Sequence[Tensor]) -> list[Tensor]:
    return [parameter.detach().contiguous() for parameter in parameters]


def _launch(kernel: Any, x: Tensor, tensors: Sequence[Tensor]) -> None:
    batch, _, neurons = x.shape
    grid = (math.ceil(batch * neurons / BLOCK),)
    with torch.cuda.device_of(x):  # elsewhere than on the device in use
        kernel[grid](*tensors, batch * neurons, neurons, BLOCK=BLOCK, **_OPTIONS)


@functools.lru_cache(maxsize=256)
def _steps(
    spec: LoopSpec, dtype: torch.dtype, device: torch.device
) -> tuple[str, str] | None:
    """The neuron's step each way, or `None` if it does what has no line in Triton."""
    try:
        return step_source(spec, dtype, device)
    except NotImplementedError:
        return None


@functools.lru_cache(maxsize=256)
def _kernels(spec: LoopSpec, form: _Form) -> _Kernels:
    steps = _steps(spec, form.dtype, form.device)
    if steps is None:
        raise NotImplementedError(f"No kernel can be written for {spec.dynamics}.")
    source = "\n\n".join(
        [*steps, _forward_source(spec, form), _back_source(spec, form)]
    )
    # Triton reads a function's source, which Python keeps by the name of its file.
    name = f"<keras_ssp kernel {hash(source):x}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    found: dict[str, Any] = {"triton": triton, "tl": tl, "__name__": name}
    exec(compile(source, name, "exec"), found)
    return _Kernels(found["forward"], found["backward"])


def _chunks(steps: int) -> tuple[int, int]:
    """How many chunks there are, and how many steps after them, at least one."""
    chunks = 0 if steps <= WHOLE else (steps - 1) // CHUNK
    return chunks, steps - chunks * CHUNK


class _Text:
    """Lines of a kernel, and the names in them."""

    def __init__(self, spec: LoopSpec, form: _Form) -> None:
        self.type = _NAMES[form.dtype]
        self.states = _names("u", len(spec.dynamics.state))
        self.parameters = _names("p", len(spec.dynamics.parameters))
        initial = zip(self.states, spec.dynamics.initial(), strict=True)
        index = "tl.int64" if form.wide else "tl.int32"
        self.start = [
            f"zero = tl.full((), 0, {index})",
            "cells, neurons = zero + cells, zero + neurons",
            "number = (zero + tl.program_id(0)) * BLOCK + tl.arange(0, BLOCK)",
            "inside = number < cells",
            "own = number % neurons",
            f"place = number // neurons * ({spec.time_steps} * neurons) + own",
            f"nothing = tl.full((BLOCK,), 0.0, {self.type})",
            *(
                self.load(name, f"{name}_ref", "own")
                if own
                # One number for all neurons.
                else f"{name} = tl.load({name}_ref).to({self.type})"
                for name, own in zip(self.parameters, form.own, strict=True)
            ),
            *(f"{name} = nothing + float('{value}')" for name, value in initial),
        ]

    def load(self, name: str, ref: str, place: str) -> str:
        return f"{name} = tl.load({ref} + {place}, inside, 0.0).to({self.type})"

    def store(self, ref: str, place: str, value: str) -> str:
        return f"tl.store({ref} + {place}, nothing + {value}, inside)"

    def step(self, before: Sequence[str], x: str, after: Sequence[str]) -> str:
        given = ", ".join([*before, x, *self.parameters])
        return f"s, {', '.join(after)} = step({given})"


def _forward_source(spec: LoopSpec, form: _Form) -> str:
    text = _Text(spec, form)
    outputs = _names("y", 1 + len(spec.record))
    values = ["s", *(text.states[k] for k in spec.record)]
    body = [
        text.load("x", "x_ref", "place"),
        text.step(text.states, "x", text.states),
        *(f"{name} = nothing + {name}" for name in text.states),
        *(
            text.store(f"{name}_ref", "place", value)
            for name, value in zip(outputs, values, strict=True)
        ),
        "place += neurons",
    ]
    lines = [*text.start, f"for t in range({spec.time_steps}):", *_indented(body)]
    return _kernel("forward", ["x", *text.parameters, *outputs], lines)


def _back_source(spec: LoopSpec, form: _Form) -> str:
    """To the last step, which leaves states behind, and back."""
    text = _Text(spec, form)
    chunks, rest = _chunks(spec.time_steps)
    gradients = _names("g", 1 + len(spec.record))
    learned = [k for k, wanted in enumerate(spec.learned) if wanted]
    d_states, sums = _names("d", len(text.states)), [f"sum{k}" for k in learned]
    kept = _names("kept", len(text.states)) if chunks else []

    def walk(count: int, start: str) -> list[str]:
        """Some steps written out, forward from `u0`, ... and back."""
        lines = [f"at = place + {start} * neurons"]
        before = [*text.states]
        states = []
        for t in range(count):
            lines.append(text.load(f"x_{t}", "x_ref", f"at + {t} * neurons"))
            states.append(before)
            after = [f"{name}_{t}" for name in text.states]
            lines.append(text.step(before, f"x_{t}", after))
            before = after
        for t in reversed(range(count)):
            at = f"at + {t} * neurons"
            lines += [text.load(g, f"{g}_ref", at) for g in gradients]
            given = [*states[t], f"x_{t}", *text.parameters, *gradients]
            carried = ", ".join([*d_states, *sums])
            lines.append(f"dx, {carried} = back({', '.join(given)}, {carried})")
            lines.append(text.store("dx_ref", at, "dx"))
        return lines + [f"{name} = nothing + {name}" for name in (*d_states, *sums)]

    lines = [*text.start, *(f"{name} = nothing" for name in (*d_states, *sums))]
    if chunks:
        pairs = [*zip(text.states, kept, strict=True)]
        place = "number + k * cells"
        keep = [text.store(f"{ref}_ref", place, name) for name, ref in pairs]
        steps = [
            text.load("x", "x_ref", f"place + (k * {CHUNK} + c) * neurons"),
            text.step(text.states, "x", text.states),
            *(f"{name} = nothing + {name}" for name in text.states),
        ]
        lines += [
            f"for k in range({chunks}):",
            *_indented([*keep, f"for c in range({CHUNK}):", *_indented(steps)]),
        ]
    lines += walk(rest, str(chunks * CHUNK))
    if chunks:
        lines += [
            "tl.debug_barrier()",  # what was kept may be read by another thread
            f"for j in range({chunks}):",
            f"    k = {chunks - 1} - j",
            *_indented([text.load(name, f"{ref}_ref", place) for name, ref in pairs]),
            *_indented(walk(CHUNK, f"k * {CHUNK}")),
        ]
    lines += [text.store(f"{name}_ref", "number", name) for name in sums]
    names = ["x", *text.parameters, *gradients, "dx", *sums, *kept]
    return _kernel("backward", names, lines)


def _kernel(name: str, tensors: Sequence[str], lines: Sequence[str]) -> str:
    refs = ", ".join(f"{tensor}_ref" for tensor in tensors)
    head = f"def {name}({refs}, cells, neurons, BLOCK: tl.constexpr):"
    return "\n".join(["@triton.jit", head, *_indented(lines)]) + "\n"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{k}" for k in range(count)]
