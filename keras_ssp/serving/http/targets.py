"""Which version a request is for."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """Which model a request is for.

    Args:
        name: Name of the model.
        version: Number of the version, if the request says so.
        label: Label of the version, if the request says so.
        budget_nj: Energy per sample that the version may spend, in nJ.
    """

    name: str
    version: int | None = None
    label: str | None = None
    budget_nj: float | None = None
