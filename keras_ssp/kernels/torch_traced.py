"""Some steps of a loop as PyTorch's own operations, traced once.

Each function of `keras.ops` looks at its arguments for tens of microseconds, which is
what a small layer takes in all. The trace is the same operations without the looks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import make_fx

#: Takes and returns tensors, tuples and lists of them, nested.
Part = Callable[..., Any]
_SAMPLES, _NEURONS = 2, 3


def loop_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which states are kept, for input of a dtype."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def trace(
    function: Callable[..., Any], given: Sequence[torch.Tensor]
) -> torch.fx.GraphModule | None:
    """The operations of a function of tensors; `None` if it asks for values."""
    # A tensor for each argument: PyTorch tells them apart by identity.
    try:
        with torch.no_grad():
            return make_fx(function)(*(tensor.clone() for tensor in given))
    except RuntimeError:  # as an `if` does
        return None


@functools.lru_cache(maxsize=256)
def traced(
    part: Part,
    steps: int,
    states: int,
    gradients: int,
    dimensions: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> Part:
    """`part` for any batch and number of neurons.

    It is `part` itself where a trace would not do: if sizes are written in it, if it
    asks for values, or draws numbers.

    Args:
        part: Takes the input, parameters, for the way back the gradients, and states
            (for the way back, also their gradients).
        steps: Steps of the input.
        states: Number of states.
        gradients: Number of gradients, 0 for the way forward.
        dimensions: Number of dimensions of each parameter.
        dtype: Of the input.
        device: Of all.
    """
    wide = loop_dtype(dtype)
    zeros = functools.partial(torch.zeros, device=device)
    x = zeros((_SAMPLES, steps, _NEURONS), dtype=dtype)
    parameters = tuple(zeros((_NEURONS,) * n, dtype=wide) for n in dimensions)
    state = tuple(zeros((_SAMPLES, _NEURONS), dtype=wide) for _ in range(states))
    given: list[Any] = [x, parameters]
    if gradients:
        given += [[torch.zeros_like(x) for _ in range(gradients)]]
    given += [state] * (2 if gradients else 1)
    flat, structure = torch.utils._pytree.tree_flatten(given)
    found_structure: Any = None

    def whole(*flat: torch.Tensor) -> list[Any]:
        nonlocal found_structure
        given = torch.utils._pytree.tree_unflatten(flat, structure)
        found, found_structure = torch.utils._pytree.tree_flatten(part(*given))
        return found

    graph = trace(whole, flat)
    if graph is None:
        return part
    if any(_tells_sizes(node) or _is_random(node) for node in graph.graph.nodes):
        return part
    _say_once(graph.graph)
    graph.recompile()
    run, built = graph.forward, found_structure

    def traced_part(*given: Any) -> Any:
        return torch.utils._pytree.tree_unflatten(run(*_flat(given)), built)

    return traced_part


def _flat(given: Sequence[Any]) -> list[torch.Tensor]:
    flat: list[torch.Tensor] = []
    for value in given:
        if isinstance(value, torch.Tensor):
            flat.append(value)
        else:
            flat += value
    return flat


def _say_once(graph: torch.fx.Graph) -> None:
    """Computes once what is said twice, as a step forward is by the step back."""
    made: dict[Any, Any] = {}
    for node in graph.nodes:
        if node.op != "call_function":
            continue
        key = (node.target, repr(node.args), repr(node.kwargs))
        if key in made:
            node.replace_all_uses_with(made[key])
        made.setdefault(key, node)
    graph.eliminate_dead_code()


def _is_random(node: Any) -> bool:
    return torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())


def _tells_sizes(node: Any) -> bool:
    """Whether an operation is told a shape, which others do not share."""
    return node.op == "call_function" and any(
        isinstance(value, list | tuple) and any(isinstance(n, int) for n in value)
        for value in [*node.args, *node.kwargs.values()]
    )
