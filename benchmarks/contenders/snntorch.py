"""snnTorch: `Leaky`, step by step in a Python loop, as its tutorials do."""

from __future__ import annotations

from typing import Any

import snntorch as snn
import torch
from snntorch import surrogate
from torch import nn

from benchmarks.cases import Case
from benchmarks.contenders.torch_common import runs_of


class _Leaky(nn.Module):
    neurons = True

    def __init__(self) -> None:
        super().__init__()
        self.leaky = snn.Leaky(
            beta=0.5, spike_grad=surrogate.atan(), reset_mechanism="zero"
        )

    def forward(self, x: Any, state: Any) -> Any:
        return self.leaky(x, torch.zeros_like(x) if state is None else state)


def build(case: Case, *, compiled: bool) -> dict[str, Any]:
    """See `benchmarks.contenders`."""
    return runs_of(case, _Leaky, all_at_once=False, compiled=compiled)
