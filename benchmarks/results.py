"""What was measured as a file, tables, shares and a figure."""

from __future__ import annotations

import csv
import dataclasses
import math
import pathlib
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.cases import Case, scaling_cases
from benchmarks.driver import Measured
from keras_ssp.tables import Column, Table

#: Arrays that a layer of neurons must read and write: input and spikes forward; on the
#: way back also the upstream gradient and the input's; the copy reads and writes one.
ARRAYS = {"copy": 2, "forward": 2, "train": 5}
FIELDS = (
    *("part", "network", "width", "steps", "batch", "shape", "dtype", "run"),
    *("contender", "median_ms", "best_ms", "first_s", "peak_mib", "repeats"),
)


def rows(found: Iterable[Measured]) -> list[dict[str, Any]]:
    """A row of plain values for each."""
    return [
        {
            **dataclasses.asdict(m.case),
            "shape": "x".join(map(str, m.case.shape)),
            "run": m.run,
            "contender": m.contender,
            "median_ms": round(1e3 * m.median, 4),
            "best_ms": round(1e3 * m.best, 4),
            "first_s": round(m.first, 3),
            "peak_mib": "" if m.bytes is None else round(m.bytes / 2**20, 1),
            "repeats": len(m.seconds),
        }
        for m in found
    ]


def write(found: Sequence[Measured], path: pathlib.Path) -> None:
    """Writes the rows as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows(found))


def cases_of(found: Iterable[Measured], part: str) -> list[Case]:
    """The cases of a part, each once, in order."""
    return list(dict.fromkeys(m.case for m in found if m.case.part == part))


def share_of_copy(found: Sequence[Measured], one: Measured) -> float:
    """Bytes that must move, per second, as a share of what a copy moves.

    The copy is the quickest of the same case's, of whichever package: each measures one
    on arrays of its own.
    """
    copy = min(m.best for m in found if m.case == one.case and m.run == "copy")
    return ARRAYS[one.run] / ARRAYS["copy"] * copy / one.best


def share_table(found: Sequence[Measured], run: str = "train") -> str:
    """Markdown: share of copy of each contender, a column for each T."""
    cases = cases_of(found, "neuron")
    head = ["", *(f"T = {c.steps}" + _other_dtype(c) for c in cases)]
    table = []
    for name in _names(found, "neuron"):
        cells = []
        for case in cases:
            one = _one(found, case, run, name)
            cells.append("" if one is None else f"{share_of_copy(found, one):.0%}")
        if any(cells):
            table.append([name, *cells])
    return Table(head, table).markdown()


def time_table(found: Sequence[Measured], part: str, run: str) -> str:
    """Markdown: median and minimum in ms, memory, and how often ours is as fast."""
    out = []
    for case in cases_of(found, part):
        mine = _ours(found, case, run)
        for m in sorted(
            (m for m in found if m.case == case and m.run == run),
            key=lambda m: m.best,
        ):
            memory = "" if m.bytes is None else f"{m.bytes / 2**20:.0f}"
            ratio = "" if mine is None else f"{m.best / mine:.2f}"
            times = (f"{1e3 * m.median:.3g}", f"{1e3 * m.best:.3g}", f"{m.first:.1f}")
            out.append([case.name, m.contender, *times, memory, ratio])
    head = ("case", "package", "median ms", "minimum ms", "first s", "peak MiB")
    columns = [head[0], Column(header=head[1], left=True), *head[2:]]
    return Table([*columns, "times the best of keras_ssp"], out).markdown()


def scaling_table(found: Sequence[Measured]) -> str:
    """Markdown: minimum in ms for each value, and the power that time grows with."""
    table = []
    for name in dict.fromkeys(m.contender for m in found):
        for what, cases in scaling_cases().items():
            field = {"T": "steps"}.get(what, what)
            ones = [(c, _one(found, c, "train", name)) for c in cases]
            points = [(getattr(c, field), 1e3 * m.best) for c, m in ones if m]
            if len(points) > 1:
                said = ", ".join(f"{x:g}: {y:.3g}" for x, y in points)
                table.append(
                    [name, what, said, f"{exponent(*zip(*points, strict=True)):.2f}"]
                )
    columns = [Column(header=h, left=True) for h in ("package", "of", "ms")]
    return Table([*columns, "exponent"], table).markdown()


def exponent(xs: Sequence[float], ys: Sequence[float]) -> float:
    """The power of x that y grows with: the slope in logarithms, least squares."""
    fit = statistics.linear_regression([*map(math.log, xs)], [*map(math.log, ys)])
    return float(fit.slope)


def draw(found: Sequence[Measured], path: pathlib.Path) -> None:
    """Share of copy against T, forward and backward together, float32."""
    from keras_ssp import figures

    cases = [c for c in cases_of(found, "neuron") if not _other_dtype(c)]
    figure, (axis,) = figures.new_figure(width=7.0, height=4.2)
    for name in _names(found, "neuron"):
        points = [
            (case.steps, share_of_copy(found, one))
            for case in cases
            if (one := _one(found, case, "train", name)) is not None
        ]
        if points:
            ours = name.startswith("keras_ssp")
            axis.plot(
                *zip(*points, strict=True),
                marker="o" if ours else ".",
                lw=2.0 if ours else 1.0,
                ls="-" if ours else "--",
                label=name,
            )
    axis.set_xscale("log", base=2)
    steps = [case.steps for case in cases]
    axis.set_xticks(steps, [str(t) for t in steps], minor=False)
    axis.set_xlabel("time steps T")
    axis.set_ylabel("bytes that must move, share of a copy's rate")
    axis.set_ylim(bottom=0.0)
    axis.legend(fontsize=7, ncols=2)
    figures.save(figure, path)


def _other_dtype(case: Case) -> str:
    return "" if case.dtype == "float32" else f", {case.dtype}"


def _names(found: Iterable[Measured], part: str) -> list[str]:
    return list(dict.fromkeys(m.contender for m in found if m.case.part == part))


def _one(found: Iterable[Measured], case: Case, run: str, name: str) -> Measured | None:
    return next(
        (m for m in found if (m.case, m.run, m.contender) == (case, run, name)), None
    )


def _ours(found: Iterable[Measured], case: Case, run: str) -> float | None:
    times = [
        m.best
        for m in found
        if m.case == case and m.run == run and m.contender.startswith("keras_ssp")
    ]
    return min(times, default=None)
