"""sinabs: `LIF`, all steps at once, in its layout `(batch, time, ...)`."""

from __future__ import annotations

from typing import Any

import sinabs.layers
from torch import nn

from benchmarks.cases import Case
from benchmarks.contenders.torch_common import runs_of


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


def build(case: Case, *, compiled: bool) -> dict[str, Any]:
    """See `benchmarks.contenders`."""
    return runs_of(case, _Lif, all_at_once=True, compiled=compiled)
