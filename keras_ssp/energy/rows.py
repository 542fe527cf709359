"""One row of the energy report; each of its fields says how it is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, cast

import numpy as np

from keras_ssp._checks import one_of, shown, texts
from keras_ssp._rates import flag_of
from keras_ssp.energy.columns import ReportColumn, shown_as
from keras_ssp.energy.formulas import ANALOGUE, SPIKING, LayerCounts, non_negative
from keras_ssp.tables import format_count, format_energy, format_share
from keras_ssp.types import Array, Config, Table

ENCODING = "encoding"
GATE = "gate"
NOT_FINITE = "not finite"

_WORKED_OUT: Final = cast(float, None)  # from the other fields, when none is given


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """What one layer does and costs, per sample, averaged over the data.

    A field that is `shown_as` something is a column: to add one, add it here and where
    `energy.counting` fills it.

    Args:
        name: Name of the layer.
        kind: Name of a neuron's type, such as `"lif"`; `"encoding"` (an encoding
            layer that emits spikes), `"gate"` (a product, maximum or minimum of
            spikes) or `"analogue"` (synapses driven by analogue values).
        neurons: Neurons of the layer.
        time_steps: T.
        energy_pj: Energy, in pJ.
        spikes: Spikes.
        rate: Spikes per neuron and step, in [0, 1]. Defaults to
            `spikes / (neurons * time_steps)`.
        fan_out: Mean number of synapses that leave a neuron.
        synops: Accumulates executed.
        macs: Multiply-accumulates executed.
        dense: Operations if every input of the layer's synapses were non-zero.
        share: Part of the network's energy. Set by `EnergyReport`.
        silent_neurons: Neurons that never fired on the data, if counted.
        flags: Warnings in a word or two. `"silent"` (a spiking layer without a spike),
            `"saturated"` (a rate of 0.95 or more) and `"not finite"` (a count is NaN or
            infinite: the network has diverged) are added by themselves.
        notes: Remarks on how the layer was counted.
        penalty: Omega_l without the weight lambda, if the layer is penalised.
        penalty_share: Part of the summed penalty. Set by `EnergyReport`.
        updates, weights, targets: As in `LayerCounts`: what energy models of memory
            and of neurons count, if known.
        step_rates: The rate at each step, `(T,)`, if it was asked for; NaN at a step
            that is padding in every sample. In files, too.
        neuron_rates: The rate of each neuron, in the shape of the layer's features, if
            it was asked for. Not in files: they would be as large as the network.

    Raises:
        ValueError: If `kind` is not a word, a number is negative or not finite, or
            the rate is above 1.

    Example:

    >>> row = LayerReport(name="first", kind="lif", neurons=4, time_steps=2, spikes=2,
    ...     energy_pj=18.0)
    >>> row.rate, row.is_neuron, row.flags
    (0.25, True, ())
    """

    # In the order of JSON and CSV; the table's order differs where `before` says so.
    name: str = field(metadata=shown_as("layer", str, left=True))
    kind: str = field(metadata=shown_as("kind", str, left=True, wide=True))
    neurons: int = field(
        metadata=shown_as("neurons", format_count, total=True, wide=True)
    )
    time_steps: int = field(metadata=shown_as("T", str, total=True, wide=True))
    energy_pj: float = field(
        metadata=shown_as("energy", format_energy, total=True, before="share")
    )
    spikes: float = field(
        default=0.0,
        metadata=shown_as("spikes", format_count, total=True, dash=True, wide=True),
    )
    rate: float = field(
        default=_WORKED_OUT,
        metadata=shown_as("rate", format_share, total=True, dash=True),
    )
    fan_out: float = field(
        default=0.0, metadata=shown_as("fan-out", format_count, wide=True)
    )
    synops: float = field(
        default=0.0, metadata=shown_as("SynOps", format_count, total=True)
    )
    macs: float = field(
        default=0.0,
        metadata=shown_as(
            "MACs", format_count, total=True, key="Effective_MACs", wide=True
        ),
    )
    dense: float = field(
        default=0.0,
        metadata=shown_as("Dense", format_count, total=True, key="Dense", wide=True),
    )
    share: float = field(
        default=0.0, metadata=shown_as("share", format_share, total=True)
    )
    silent_neurons: int | None = field(
        default=None,
        metadata=shown_as(
            "silent neurons", format_count, total=True, optional=True, wide=True
        ),
    )
    flags: tuple[str, ...] = field(
        default=(),
        metadata=shown_as("flags", ", ".join, left=True, optional=True),
    )
    notes: tuple[str, ...] = ()
    penalty: float | None = field(
        default=None,
        metadata=shown_as(
            "penalty",
            format_count,
            total=True,
            optional=True,
            before="flags",
            wide=True,
        ),
    )
    penalty_share: float | None = field(
        default=None,
        metadata=shown_as("of penalty", format_share, optional=True, before="flags"),
    )
    updates: float | None = None
    weights: int | None = None
    targets: int | None = None
    step_rates: Array | None = field(default=None, compare=False, repr=False)
    neuron_rates: Array | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind.split() != [self.kind]:
            raise ValueError(
                f"`kind` must be one of '{ENCODING}', '{ANALOGUE}' and the names of "
                f"neurons, which have no spaces. Received: kind={self.kind!r}."
            )
        for each in fields(self):
            self._check_number(each.name, str(each.type))
        if self.rate is None:
            slots = self.neurons * self.time_steps
            if self.spikes > slots * (1 + 1e-6) and math.isfinite(self.spikes):
                raise ValueError(
                    f"`spikes` must be at most neurons * T = {slots} where no `rate` "
                    f"in [0, 1] is given. Received: spikes={self.spikes!r} in layer "
                    f"{self.name!r}."
                )
            self._set("rate", self.spikes / slots if slots else 0.0)
        if self.rate > 1 + 1e-6 and math.isfinite(self.rate):
            raise ValueError(
                "`rate` must be in [0, 1]. "
                f"Received: rate={self.rate!r} in layer {self.name!r}."
            )
        self._set("rate", min(self.rate, 1.0) if self.rate == self.rate else math.nan)
        self._set("flags", tuple(dict.fromkeys((*self._own_flags(), *self.flags))))
        self._set("notes", texts("notes", self.notes))
        if self.step_rates is not None:
            self._set("step_rates", _rates(self.step_rates, self.time_steps))

    def _check_number(self, name: str, annotation: str) -> None:
        number = {"int": int, "float": float}.get(annotation.partition(" | ")[0])
        value = getattr(self, name)
        given = value is not None or ("None" not in annotation and name != "rate")
        if number is None or not given:
            return
        if number is float and isinstance(value, float) and not math.isfinite(value):
            return  # what a network that has diverged comes to: it stays to be seen
        checked = non_negative(name, value)
        if number is int and checked != int(checked):
            raise ValueError(
                f"`{name}` must be a whole number. Received: {name}={value!r}."
            )
        self._set(name, number(checked))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _own_flags(self) -> tuple[str, ...]:
        if not math.isfinite(self.spikes + self.synops + self.energy_pj):
            return (NOT_FINITE,)
        if not self.spiking or not self.neurons:
            return ()
        flag = flag_of(self.rate, self.rate)
        return () if flag is None else (flag,)

    @property
    def spiking(self) -> bool:
        """Whether the layer drives its synapses with spikes."""
        return self.kind != ANALOGUE

    @property
    def is_neuron(self) -> bool:
        """Whether the layer's spikes are those of neurons."""
        return self.kind not in (ENCODING, GATE, ANALOGUE)

    @property
    def is_input(self) -> bool:
        """Whether the events are the input's, which no training changes."""
        return self.kind == ENCODING

    def counts(self) -> LayerCounts:
        """What an energy model is asked about.

        Raises:
            ValueError: If the row is of an earlier version, which did not keep all.
        """
        if self.updates is None or self.weights is None:
            raise ValueError(
                f"Row '{self.name}' must say its `updates` and `weights` to be priced "
                "again. Received: none (a report of an earlier version). Remedy: "
                "measure the model again."
            )
        return LayerCounts(
            kind=SPIKING if self.spiking else ANALOGUE,
            synops=self.synops,
            macs=self.macs,
            neurons=self.neurons,
            updates=self.updates,
            spikes=self.spikes,
            weights=self.weights,
            fan_out=self.fan_out,
            targets=self.targets,
        )

    def to_dict(self) -> Config:
        """Returns the row as plain JSON types, counts under NeuroBench's names."""
        row = {_key(name): plain(getattr(self, name)) for name in _FIELDS}
        row |= {"flags": list(self.flags), "notes": list(self.notes)}
        row["Effective_ACs"] = plain(self.synops)
        for name in ("updates", "weights", "targets"):  # last, as they came last
            row[name] = row.pop(name)
        if self.step_rates is not None:
            row["step_rates"] = [plain(rate) for rate in self.step_rates.tolist()]
        return row

    @classmethod
    def from_dict(cls, row: Table) -> LayerReport:
        """Builds a row from what `to_dict` returned."""
        names = {_key(name): name for name in (*_FIELDS, "step_rates")}
        values = {names.get(k, k): v for k, v in row.items() if k != "Effective_ACs"}
        for name in _ALWAYS:
            if name in values and values[name] is None:
                values[name] = math.nan
        return cls(**values)


_FIELDS = tuple(each.name for each in fields(LayerReport) if each.compare)
# Numbers that every row has: null in a file, which has no NaN, stands for one.
_ALWAYS = tuple(each.name for each in fields(LayerReport) if each.type == "float")


def plain(value: Any) -> Any:
    """A value as JSON can hold it: a number that is not finite becomes `None`."""
    infinite = isinstance(value, float) and not math.isfinite(value)
    return None if infinite else value


def _rates(values: Any, steps: int) -> Array:
    """Rates of the steps as an array; `None` in a file stands for NaN."""
    given = np.asarray(values, object)
    numbers = all(isinstance(x, (float, int, type(None))) for x in given.flat)
    if given.shape != (steps,) or not numbers:
        raise ValueError(
            f"`step_rates` must be T = {steps} numbers. "
            f"Received: step_rates={shown(values)}."
        )
    return given.astype("float64")


def _columns() -> dict[str, ReportColumn]:
    """The columns by field, in the order of the table."""
    found = {
        each.name: replace(each.metadata["column"], name=each.name)
        for each in fields(LayerReport)
        if "column" in each.metadata
    }
    order = [name for name, column in found.items() if not column.before]
    for name, column in found.items():
        if column.before:
            order.insert(order.index(column.before), name)
    return {name: found[name] for name in order}


COLUMNS: Mapping[str, ReportColumn] = _columns()


def _key(name: str) -> str:
    column = COLUMNS.get(name)
    return (column.key if column else "") or name


def columns_of(
    rows: Sequence[LayerReport],
    wanted: Sequence[str] | None = None,
    *,
    wide: bool = True,
) -> list[ReportColumn]:
    """The columns of the table of these rows, in its order.

    Args:
        rows: The rows.
        wanted: Names of fields, in place of those that have something to say.
        wide: Whether those of the wide table are among them. Defaults to `True`.

    Raises:
        ValueError: If a wanted column does not exist.
    """
    if wanted is None:
        columns = [column for column in COLUMNS.values() if column.shown(rows)]
        return [column for column in columns if wide or not column.wide]
    for name in wanted:
        one_of("columns", name, tuple(COLUMNS))
    return [column for name, column in COLUMNS.items() if name in ("name", *wanted)]
