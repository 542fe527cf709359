"""Norse: `LIFBoxCell` (a leak and a reset, no synaptic current), step by step."""

from __future__ import annotations

from typing import Any

import torch
from norse.torch import LIFBoxCell, LIFBoxParameters
from torch import nn

from benchmarks.cases import Case
from benchmarks.contenders.torch_common import runs_of


class _Cell(nn.Module):
    neurons = True

    def __init__(self) -> None:
        super().__init__()
        # dt / tau is 0.5: half of the potential stays.
        parameters = LIFBoxParameters(tau_mem_inv=torch.as_tensor(500.0))
        self.cell = LIFBoxCell(p=parameters)

    def forward(self, x: Any, state: Any) -> Any:
        return self.cell(x, state)


def build(case: Case, *, compiled: bool) -> dict[str, Any]:
    """See `benchmarks.contenders`."""
    return runs_of(case, _Cell, all_at_once=False, compiled=compiled)
