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
from keras_ssp.kernels.torch_traced import loop_dtype
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


def loop_for(
    x: Tensor, parameters: Sequence[Tensor], spec: LoopSpec
) -> TritonLoop | None:
    """The loop for such input, or `None` if no kernel can be written for it.

    Kernels take neurons on their own, whose steps have a line each in Triton.

    Args:
        x: Input current, `(batch, time, neurons)`.
        parameters: The parameters.
        spec: The loop.
    """
    if any(parameter.ndim > 1 for parameter in parameters) or not x.numel():
        return None
    own = tuple(parameter.ndim > 0 for parameter in parameters)
    return _loop(spec, x.dtype, x.device, own, x.numel() + BLOCK >= 2**31)


@dataclasses.dataclass(frozen=True)
class TritonLoop:
    """The kernels of a loop.

    Args:
        spec: The loop.
        to_the_end: The kernel that runs forward.
        back: The kernel that runs backward.
    """

    spec: LoopSpec
    to_the_end: Any
    back: Any

    def forward(self, x: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Spikes and recorded states, each `(batch, time, neurons)`, in `x`'s dtype.

        Args:
            x: Input current, `(batch, time, neurons)`.
            parameters: The parameters, each a scalar or `(neurons,)`.
        """
        x = x.contiguous()
        outputs = tuple(torch.empty_like(x) for _ in range(1 + len(self.spec.record)))
        _launch(self.to_the_end, x, [x, *_contiguous(parameters), *outputs])
        return outputs

    def backward(
        self, x: Tensor, parameters: Sequence[Tensor], upstream: Sequence[Tensor]
    ) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        """Gradients of the input and of each parameter that is learned.

        Args:
            x: Input current, `(batch, time, neurons)`.
            parameters: The parameters, each a scalar or `(neurons,)`.
            upstream: Gradient that reaches the spikes, then each recorded state.
        """
        x = x.contiguous()
        batch, _, neurons = x.shape
        chunks, _ = _chunks(self.spec.time_steps)
        wide = functools.partial(x.new_empty, dtype=loop_dtype(x.dtype))
        dx = torch.empty_like(x)
        sums = [
            wide((batch, neurons)) if is_learned else None
            for is_learned in self.spec.learned
        ]
        states = len(self.spec.dynamics.state) if chunks else 0
        kept = [wide((chunks, batch, neurons)) for _ in range(states)]
        written = [dx, *(s for s in sums if s is not None), *kept]
        given = [x, *_contiguous(parameters), *_contiguous(upstream)]
        _launch(self.back, x, [*given, *written])
        totals = (
            s if s is None else s.sum(0) if parameter.ndim else s.sum()
            for s, parameter in zip(sums, parameters, strict=True)
        )
        return dx, tuple(totals)


def _contiguous(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.detach().contiguous() for tensor in tensors]


def _launch(kernel: Any, x: Tensor, tensors: Sequence[Tensor]) -> None:
    batch, _, neurons = x.shape
    grid = (math.ceil(batch * neurons / BLOCK),)
    with torch.cuda.device_of(x):  # elsewhere than on the device in use
        kernel[grid](*tensors, batch * neurons, neurons, BLOCK=BLOCK, **_OPTIONS)


@functools.lru_cache(maxsize=256)
def _loop(
    spec: LoopSpec,
    dtype: torch.dtype,
    device: torch.device,
    own: tuple[bool, ...],
    wide: bool,
) -> TritonLoop | None:
    """The kernels.

    Args:
        spec: The loop.
        dtype: Of the input.
        device: Where a step is traced.
        own: For each parameter whether each neuron has its own.
        wide: Whether places are counted in 64 bits.
    """
    dtype = loop_dtype(dtype)
    try:
        steps = step_source(spec, dtype, device)
    except NotImplementedError:
        return None
    text = _Text(spec, _NAMES[dtype], own, wide)
    source = "\n\n".join(
        [*steps, _forward_source(spec, text), _back_source(spec, text)]
    )
    # Triton reads a function's source, which Python keeps by the name of its file.
    name = f"<keras_ssp kernel {hash(source):x}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    found: dict[str, Any] = {"triton": triton, "tl": tl, "__name__": name}
    exec(compile(source, name, "exec"), found)
    return TritonLoop(spec, found["forward"], found["backward"])


def _chunks(steps: int) -> tuple[int, int]:
    """How many chunks there are, and how many steps after them, at least one."""
    chunks = 0 if steps <= WHOLE else (steps - 1) // CHUNK
    return chunks, steps - chunks * CHUNK


class _Text:
    """Lines of a kernel, and the names in them."""

    def __init__(
        self, spec: LoopSpec, dtype: str, own: tuple[bool, ...], wide: bool
    ) -> None:
        self.type = dtype
        self.states = _names("u", len(spec.dynamics.state))
        self.parameters = _names("p", len(spec.dynamics.parameters))
        initial = zip(self.states, spec.dynamics.initial(), strict=True)
        index = "tl.int64" if wide else "tl.int32"
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
                if its_own
                # One number for all neurons.
                else f"{name} = tl.load({name}_ref).to({self.type})"
                for name, its_own in zip(self.parameters, own, strict=True)
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

    def advance(self, place: str) -> list[str]:
        """One step on: its input, its spikes, and the states after it."""
        x = self.load("x", "x_ref", place)
        return [x, self.step(self.states, "x", self.states), *self.whole(self.states)]

    def whole(self, names: Sequence[str]) -> list[str]:
        """Values for the whole block, since a loop may not carry a number as well."""
        return [f"{name} = nothing + {name}" for name in names]

    def walk(
        self, count: int, start: str, gradients: Sequence[str], carried: Sequence[str]
    ) -> list[str]:
        """Some steps written out, forward from the states and back."""
        lines = [f"at = place + {start} * neurons"]
        before, states = self.states, []
        for t in range(count):
            lines.append(self.load(f"x_{t}", "x_ref", f"at + {t} * neurons"))
            states.append(before)
            after = [f"{name}_{t}" for name in self.states]
            lines.append(self.step(before, f"x_{t}", after))
            before = after
        both = ", ".join(carried)
        for t in reversed(range(count)):
            at = f"at + {t} * neurons"
            lines += [self.load(g, f"{g}_ref", at) for g in gradients]
            given = ", ".join([*states[t], f"x_{t}", *self.parameters, *gradients])
            lines.append(f"dx, {both} = back({given}, {both})")
            lines.append(self.store("dx_ref", at, "dx"))
        return lines + self.whole(carried)


def _forward_source(spec: LoopSpec, text: _Text) -> str:
    outputs = _names("y", 1 + len(spec.record))
    values = ["s", *(text.states[k] for k in spec.record)]
    body = [
        *text.advance("place"),
        *(
            text.store(f"{name}_ref", "place", value)
            for name, value in zip(outputs, values, strict=True)
        ),
        "place += neurons",
    ]
    lines = [*text.start, f"for t in range({spec.time_steps}):", *_indented(body)]
    return _kernel("forward", ["x", *text.parameters, *outputs], lines)


def _back_source(spec: LoopSpec, text: _Text) -> str:
    """To the last step, which leaves states behind, and back."""
    chunks, rest = _chunks(spec.time_steps)
    gradients = _names("g", 1 + len(spec.record))
    learned = [k for k, wanted in enumerate(spec.learned) if wanted]
    sums = [f"sum{k}" for k in learned]
    carried = [*_names("d", len(text.states)), *sums]
    kept = _names("kept", len(text.states)) if chunks else []

    lines = [*text.start, *(f"{name} = nothing" for name in carried)]
    if chunks:
        pairs = [*zip(text.states, kept, strict=True)]
        place = "number + k * cells"
        keep = [text.store(f"{ref}_ref", place, name) for name, ref in pairs]
        steps = text.advance(f"place + (k * {CHUNK} + c) * neurons")
        lines += [
            f"for k in range({chunks}):",
            *_indented([*keep, f"for c in range({CHUNK}):", *_indented(steps)]),
        ]
    lines += text.walk(rest, str(chunks * CHUNK), gradients, carried)
    if chunks:
        lines += [
            "tl.debug_barrier()",  # what was kept may be read by another thread
            f"for j in range({chunks}):",
            f"    k = {chunks - 1} - j",
            *_indented([text.load(name, f"{ref}_ref", place) for name, ref in pairs]),
            *_indented(text.walk(CHUNK, f"k * {CHUNK}", gradients, carried)),
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
