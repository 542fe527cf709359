"""Norse: `LIFBoxCell` (a leak and a reset, no synaptic current), step by step."""

from __future__ import annotations

from typing import Any

import torch
from norse.torch import LIFBoxCell, LIFBoxParameters
from torch import nn

from benchmarks.cases import Case
from benchmarks.contenders.torch_common import (
    Network,
    device_of,
    layer_case,
    network_runs,
)


class _Cell(nn.Module):
    neurons = True

    def __init__(self) -> None:
        super().__init__()
        # dt / tau is 0.5: half of the potential stays.
        parameters = LIFBoxParameters(tau_mem_inv=torch.as_tensor(500.0))
        self.cell = LIFBoxCell(p=parameters)

    def forward(self, x: Any, state: Any) -> Any:
        return self.cell(x, state)


def build(case: Case, device: str, *, compiled: bool) -> dict[str, Any]:
    """See `benchmarks.contenders`."""
    if case.part == "network":
        net = Network(case, _Cell, all_at_once=False)
        return network_runs(net, case, compiled=compiled)
    cell = _Cell().to(device_of())

    def neurons(x: Any) -> Any:
        state, spikes = None, []
        for step in x:
            s, state = cell(step, state)
            spikes.append(s)
        return torch.stack(spikes)

    return layer_case(case, neurons, compiled=compiled)
