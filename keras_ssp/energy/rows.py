"""One row of the energy report; each of its fields says how it is shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, cast

from keras_ssp._checks import shown
from keras_ssp.energy.formulas import ANALOGUE, non_negative
from keras_ssp.tables import Column, format_count, format_energy, format_share
from keras_ssp.types import Config, Table

ENCODING = "encoding"
GATE = "gate"
SATURATED_RATE = 0.95
NOT_FINITE = "not finite"

_WORKED_OUT: Final = cast(float, None)  # from the other fields, when none is given


@dataclass(frozen=True, kw_only=True)
class ReportColumn(Column):
    """How a field of a row is shown, and under which name files hold it.

    Args:
        text: Formats a value of the field.
        total: Whether the total row shows the report's value of the same name, or the
            sum of the rows' where the report has none. Defaults to `False`.
        dash: Whether analogue rows show a dash. Defaults to `False`.
        optional: Whether the column shows only where a row has a value.
        before: The field whose column comes next in the table. Defaults to the
            next field.
        key: Name in JSON and CSV. Defaults to the field's.
    """

    text: Callable[..., str] = format_count
    total: bool = False
    dash: bool = False
    optional: bool = False
    before: str = ""
    key: str = ""
    name: str = ""

    def shown(self, rows: Iterable[LayerReport]) -> bool:
        """Whether the table of these rows has the column."""
        values = [getattr(row, self.name) for row in rows]
        return not self.optional or any(v is not None and v != () for v in values)

    def cell(self, row: LayerReport) -> str:
        """The field of one row, as text."""
        value = getattr(row, self.name)
        none = value is None or (self.dash and not row.spiking)
        return "-" if none else self.text(value)

    def total_cell(self, report: object, rows: Iterable[LayerReport]) -> str:
        """What the total row says."""
        if not self.total:
            return ""
        total = getattr(report, self.name, None)
        if total is None:
            total = math.fsum(getattr(row, self.name) or 0.0 for row in rows)
        return self.text(total)


def _column(header: str, text: Callable[..., str], **how: Any) -> Config:
    return {"column": ReportColumn(header=header, text=text, **how)}


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """What one layer does and costs, per sample, averaged over the data.

    A field with a `_column` is a column of the report: to add one, add it here and
    where `energy.counting` fills it.

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
    name: str = field(metadata=_column("layer", str, left=True))
    kind: str = field(metadata=_column("kind", str, left=True))
    neurons: int = field(metadata=_column("neurons", format_count, total=True))
    time_steps: int = field(metadata=_column("T", str, total=True))
    energy_pj: float = field(
        metadata=_column("energy", format_energy, total=True, before="share")
    )
    spikes: float = field(
        default=0.0,
        metadata=_column("spikes", format_count, total=True, dash=True),
    )
    rate: float = field(
        default=_WORKED_OUT,
        metadata=_column("rate", format_share, total=True, dash=True),
    )
    fan_out: float = field(default=0.0, metadata=_column("fan-out", format_count))
    synops: float = field(
        default=0.0, metadata=_column("SynOps", format_count, total=True)
    )
    macs: float = field(
        default=0.0,
        metadata=_column("MACs", format_count, total=True, key="Effective_MACs"),
    )
    dense: float = field(
        default=0.0, metadata=_column("Dense", format_count, total=True, key="Dense")
    )
    share: float = field(
        default=0.0, metadata=_column("share", format_share, total=True)
    )
    silent_neurons: int | None = field(
        default=None,
        metadata=_column("silent neurons", format_count, total=True, optional=True),
    )
    flags: tuple[str, ...] = field(
        default=(), metadata=_column("flags", ", ".join, left=True, optional=True)
    )
    notes: tuple[str, ...] = ()
    penalty: float | None = field(
        default=None,
        metadata=_column(
            "penalty", format_count, total=True, optional=True, before="flags"
        ),
    )
    penalty_share: float | None = field(
        default=None,
        metadata=_column("of penalty", format_share, optional=True, before="flags"),
    )

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
        self._set("notes", notes_of(self.notes))

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
        if self.spikes == 0:
            return ("silent",)
        return ("saturated",) if self.rate >= SATURATED_RATE else ()

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

    def to_dict(self) -> Config:
        """Returns the row as plain JSON types, counts under NeuroBench's names."""
        row = {_key(name): plain(getattr(self, name)) for name in _FIELDS}
        row |= {"flags": list(self.flags), "notes": list(self.notes)}
        return row | {"Effective_ACs": plain(self.synops)}

    @classmethod
    def from_dict(cls, row: Table) -> LayerReport:
        """Builds a row from what `to_dict` returned."""
        names = {_key(name): name for name in _FIELDS}
        values = {names.get(k, k): v for k, v in row.items() if k != "Effective_ACs"}
        for name in _ALWAYS:
            if name in values and values[name] is None:
                values[name] = math.nan
        return cls(**values)


_FIELDS = tuple(each.name for each in fields(LayerReport))
# Numbers that every row has: null in a file, which has no NaN, stands for one.
_ALWAYS = tuple(each.name for each in fields(LayerReport) if each.type == "float")


def notes_of(notes: object) -> tuple[str, ...]:
    """Remarks as a tuple of strings, an error for anything else."""
    listed = isinstance(notes, (list, tuple))
    if not listed or not all(isinstance(note, str) for note in notes):  # type: ignore[attr-defined]
        raise ValueError(
            f"`notes` must be a list of strings. Received: notes={shown(notes)}."
        )
    return tuple(notes)  # type: ignore[arg-type]


def plain(value: Any) -> Any:
    """A value as JSON can hold it: a number that is not finite becomes `None`."""
    infinite = isinstance(value, float) and not math.isfinite(value)
    return None if infinite else value


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


def columns_of(rows: Sequence[LayerReport]) -> list[ReportColumn]:
    """The columns that the table of these rows has."""
    return [column for column in COLUMNS.values() if column.shown(rows)]


def with_shares(layers: Iterable[LayerReport]) -> tuple[LayerReport, ...]:
    """Returns the rows with their parts of the summed energy and penalty."""
    rows = tuple(layers)
    energy = math.fsum(row.energy_pj for row in rows)
    penalty = math.fsum(row.penalty or 0.0 for row in rows)
    return tuple(
        replace(
            row,
            share=row.energy_pj / energy if energy else 0.0,
            penalty_share=(
                None
                if row.penalty is None
                else row.penalty / penalty
                if penalty
                else 0.0
            ),
        )
        for row in rows
    )
