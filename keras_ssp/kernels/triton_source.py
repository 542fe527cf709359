"""One step of a neuron, forward and backward, as source code for Triton.

PyTorch traces the neuron's own functions; each operation of the trace becomes a line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from keras_ssp.kernels.dynamics import LoopSpec
from keras_ssp.kernels.loop import step, step_back
from keras_ssp.kernels.torch_traced import trace

_aten = torch.ops.aten

# What is computed in the dtype of the result, and what compares.
_ARITHMETIC = {
    _aten.add: "{0} + {1}",
    _aten.sub: "{0} - {1}",
    _aten.rsub: "{1} - {0}",
    _aten.mul: "{0} * {1}",
    _aten.div: "{0} / {1}",
    _aten.maximum: "tl.maximum({0}, {1}, propagate_nan=tl.PropagateNan.ALL)",
    _aten.minimum: "tl.minimum({0}, {1}, propagate_nan=tl.PropagateNan.ALL)",
    _aten.relu: "tl.maximum({0}, 0.0, propagate_nan=tl.PropagateNan.ALL)",
    _aten.neg: "-{0}",
    _aten.abs: "tl.abs({0})",
    _aten.exp: "tl.exp({0})",
    _aten.log: "tl.log({0})",
    _aten.sqrt: "tl.sqrt({0})",
    _aten.sin: "tl.sin({0})",
    _aten.cos: "tl.cos({0})",
    _aten.erf: "tl.erf({0})",
    _aten.floor: "tl.floor({0})",
    _aten.ceil: "tl.ceil({0})",
    _aten.reciprocal: "1.0 / {0}",
    _aten.sigmoid: "1.0 / (1.0 + tl.exp(-{0}))",
    _aten.logical_and: "{0} & {1}",
    _aten.logical_or: "{0} | {1}",
    _aten.bitwise_and: "{0} & {1}",
    _aten.bitwise_or: "{0} | {1}",
}
_COMPARISONS = {
    _aten.ge: "{0} >= {1}",
    _aten.gt: "{0} > {1}",
    _aten.le: "{0} <= {1}",
    _aten.lt: "{0} < {1}",
    _aten.eq: "{0} == {1}",
    _aten.ne: "{0} != {1}",
}
_SAME = (
    _aten.lift_fresh,
    _aten.lift_fresh_copy,
    _aten.clone,
    _aten.detach,
    _aten.alias,
)
_FILLED = {_aten.zeros_like: 0.0, _aten.ones_like: 1.0}
_NO_LINE = {*_SAME, *_FILLED, _aten.full_like}
_TYPES = {
    torch.float64: "tl.float64",
    torch.float32: "tl.float32",
    torch.int64: "tl.int64",
    torch.int32: "tl.int32",
    torch.bool: "tl.int1",
}
_MOST_FACTORS = 8


def step_source(
    spec: LoopSpec, dtype: torch.dtype, device: torch.device
) -> tuple[str, str]:
    """Functions `step` and `back` of a neuron, the text of each.

    `step` takes the states, the input and the parameters, and returns the spikes and
    the states after the step. `back` takes these, the gradients that reach the spikes
    and each recorded state, those of the states, and the sums of the parameters that
    are learned; it returns the gradients of the input and the states, and the sums.

    Args:
        spec: The loop.
        dtype: Of states and parameters.
        device: Where a step is traced.

    Raises:
        NotImplementedError: The neuron does what Triton has no line for here.
    """
    dynamics = spec.dynamics
    states, parameters = len(dynamics.state), len(dynamics.parameters)
    learned = [k for k, wanted in enumerate(spec.learned) if wanted]

    def forward(*given: Any) -> Any:
        u, (x, *p) = given[:states], given[states:]
        s, after = step(spec, u, x, tuple(p))
        return [s, *after]

    def backward(*given: Any) -> Any:
        u, (x, *others) = given[:states], given[states:]
        p, others = others[:parameters], others[parameters:]
        ds, *rest = others
        d_recorded, rest = rest[: len(spec.record)], rest[len(spec.record) :]
        sums = dict(zip(learned, rest[states:], strict=True))
        dx, du, after = step_back(
            u,
            x,
            tuple(p),
            ds,
            d_recorded,
            tuple(rest[:states]),
            tuple(sums.get(k, 0.0) for k in range(parameters)),
            spec,
        )
        return [dx, *du, *(after[k] for k in learned)]

    cells = torch.zeros(2, dtype=dtype, device=device)
    number = torch.ones((), dtype=dtype, device=device)
    given = [*[cells] * (states + 1), *[number] * parameters]
    upstream = [cells] * (1 + len(spec.record) + states + len(learned))
    return (
        _function("step", forward, given),
        _function("back", backward, [*given, *upstream]),
    )


def _function(
    name: str, function: Callable[..., Any], given: Sequence[torch.Tensor]
) -> str:
    traced = trace(function, given)
    if traced is None:
        raise NotImplementedError("A neuron's step asks for values.")
    # The name of each value, or the number that it is.
    names: dict[Any, str | float] = {}
    lines: list[str] = []
    arguments: list[str] = []
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            arguments.append(f"a{len(arguments)}")
            names[node] = arguments[-1]
        elif node.op == "get_attr":
            names[node] = _number_of(getattr(traced, node.target))
        elif node.op == "call_function":
            names[node] = _made_by(node, names)
            if node.target.overloadpacket not in _NO_LINE:
                lines.append(f"    v{len(lines)} = {names[node]}")
                names[node] = f"v{len(lines) - 1}"
        else:
            dtype = given[0].dtype
            results = ", ".join(_as(value, dtype, names) for value in node.args[0])
            lines.append(f"    return {results}")
    head = f"@triton.jit\ndef {name}({', '.join(arguments)}):"
    return "\n".join([head, *lines]) + "\n"


def _made_by(node: Any, names: dict[Any, str | float]) -> str | float:
    """The right side of the line of one operation, or the number that it is."""
    target = getattr(node.target, "overloadpacket", None)
    dtype = getattr(node.meta.get("val"), "dtype", None)
    if target is None or dtype not in _TYPES or node.kwargs.get("alpha", 1) != 1:
        raise _unknown(node)
    if target in _SAME:
        return names[node.args[0]]
    if target in _FILLED:
        return _FILLED[target]
    if target is _aten.full_like:
        return float(node.args[1])
    if target is _aten.where:
        condition, *values = node.args
        chosen = ", ".join(_as(value, dtype, names) for value in values)
        return f"tl.where({_as(condition, torch.bool, names)}, {chosen})"
    if target is _aten._to_copy:
        return _as(node.args[0], dtype, names)
    if target in (_aten.logical_not, _aten.bitwise_not) and dtype == torch.bool:
        return f"{_as(node.args[0], _like(node.args[0]).dtype, names)} == 0"
    if target is _aten.pow:
        return _power(node, names)
    if target in _COMPARISONS:
        kind = torch.result_type(*map(_like, node.args))
        return _COMPARISONS[target].format(*(_as(a, kind, names) for a in node.args))
    # A rounding mode, say, is one argument more, or a keyword.
    arguments = 2 if "{1}" in _ARITHMETIC.get(target, "") else 1
    if target not in _ARITHMETIC or len(node.args) != arguments or node.kwargs:
        raise _unknown(node)
    return _ARITHMETIC[target].format(*(_as(a, dtype, names) for a in node.args))


def _power(node: Any, names: dict[Any, str | float]) -> str:
    base, exponent = node.args
    if isinstance(exponent, float | int) and exponent in range(1, _MOST_FACTORS + 1):
        return " * ".join([_as(base, node.meta["val"].dtype, names)] * int(exponent))
    raise _unknown(node)


def _as(value: Any, dtype: torch.dtype, names: dict[Any, str | float]) -> str:
    """The text of a value, as one of a dtype."""
    given = names[value] if isinstance(value, torch.fx.Node) else value
    if isinstance(given, str):
        return given if _like(value).dtype == dtype else f"{given}.to({_TYPES[dtype]})"
    # Numbers of Python's are 32 bits where Triton meets them alone.
    return f"tl.full((), {_literal(given)}, {_TYPES[dtype]})"


def _like(value: Any) -> Any:
    return value.meta["val"] if isinstance(value, torch.fx.Node) else value


def _number_of(constant: torch.Tensor) -> float:
    if constant.numel() != 1:
        raise NotImplementedError("A neuron's step holds an array of numbers.")
    return float(constant.item())


def _literal(value: float) -> str:
    number = float(value)
    return repr(number) if abs(number) < float("inf") else f'float("{number}")'


def _unknown(node: Any) -> NotImplementedError:
    line = node.format_node()
    return NotImplementedError(f"The kernels in Triton have no line for {line}.")
