"""SpikingJelly: `LIFNode`, all steps at once; on a GPU it takes its own kernels."""

from __future__ import annotations

from typing import Any

from spikingjelly.activation_based import functional, neuron, surrogate
from torch import nn

from benchmarks.cases import Case
from benchmarks.contenders.torch_common import runs_of


class _Node(nn.Module):
    neurons = True

    def __init__(self) -> None:
        super().__init__()
        self.node = neuron.LIFNode(
            tau=2.0,
            decay_input=False,
            surrogate_function=surrogate.ATan(),
            step_mode="m",
        )

    def forward(self, x: Any) -> Any:
        functional.reset_net(self.node)
        return self.node(x)


def build(case: Case, *, compiled: bool) -> dict[str, Any]:
    """See `benchmarks.contenders`."""
    return runs_of(case, _Node, all_at_once=True, compiled=compiled)
