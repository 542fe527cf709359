"""SpikingJelly: `LIFNode`, all steps at once; on a GPU it takes its own kernels."""

from __future__ import annotations

from typing import Any

from spikingjelly.activation_based import functional, neuron, surrogate
from torch import nn

from benchmarks.cases import Case
from benchmarks.contenders.torch_common import (
    Network,
    device_of,
    layer_case,
    network_runs,
)


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


def build(case: Case, device: str, *, compiled: bool) -> dict[str, Any]:
    """See `benchmarks.contenders`."""
    if case.part == "network":
        net = Network(case, _Node, all_at_once=True)
        return network_runs(net, case, compiled=compiled)
    return layer_case(case, _Node().to(device_of()), compiled=compiled)
