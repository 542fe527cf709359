"""sinabs: `LIF`, all steps at once, in its layout `(batch, time, ...)`."""

from __future__ import annotations

from typing import Any

import sinabs.layers
import torch
from torch import nn

from benchmarks.cases import Case
from benchmarks.contenders.torch_common import (
    Network,
    device_of,
    layer_case,
    network_runs,
)


class _Lif(nn.Module):
    neurons = True

    def __init__(self) -> None:
        super().__init__()
        # exp(-1 / tau) is 0.5.
        self.lif = sinabs.layers.LIF(tau_mem=1.4427, norm_input=False)

    def forward(self, x: Any) -> Any:
        self.lif.reset_states()
        y = self.lif(x.transpose(0, 1).contiguous())
        return y.transpose(0, 1)


def build(case: Case, device: str, *, compiled: bool) -> dict[str, Any]:
    """See `benchmarks.contenders`."""
    torch.manual_seed(0)
    if case.part == "network":
        net = Network(case, _Lif, all_at_once=True)
        return network_runs(net, case, compiled=compiled)
    return layer_case(case, _Lif().to(device_of()), compiled=compiled)
