"""The energy report as a text table, Markdown, CSV and a figure."""

import csv
import io
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from keras_ssp._extras import require
from keras_ssp.energy.formulas import activation_bits

if TYPE_CHECKING:
    from keras_ssp.energy.report import EnergyReport
    from keras_ssp.energy.rows import LayerReport

_ENERGY_UNITS = ("pJ", "nJ", "uJ", "mJ", "J")
_COUNT_UNITS = ("", "k", "M", "G", "T")
_ESTIMATE = "Energies are an estimate from operation counts, not a measurement."
_ENERGY_COLOUR, _PENALTY_COLOUR, _INK = "#0072b2", "#e69f00", "#333333"


def _scaled(value: float, units: tuple[str, ...]) -> str:
    step = 0
    # 999.95 would print as 1000: the next unit starts where rounding reaches it.
    while abs(value) >= 999.95 and step < len(units) - 1:
        value, step = value / 1000, step + 1
    number = f"{value:.4g}" if abs(value) < 999.95 else f"{value:.0f}"
    return f"{number} {units[step]}".rstrip()


def format_energy(pj: float) -> str:
    """Formats an energy given in pJ with four digits and a fitting unit.

    Example:

    >>> format_energy(0.5), format_energy(1234.5), format_energy(4.6e6)
    ('0.5 pJ', '1.234 nJ', '4.6 uJ')
    """
    return _scaled(pj, _ENERGY_UNITS)


def format_count(count: float) -> str:
    """Formats a count with four digits and k, M, G or T.

    Example:

    >>> format_count(27), format_count(12_345), format_count(2.5e6)
    ('27', '12.35 k', '2.5 M')
    """
    return _scaled(count, _COUNT_UNITS)


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.1f} %"


def _cells(report: "EnergyReport") -> tuple[list[str], list[list[str]], list[str]]:
    """Header, one row per layer and the total row, as text."""
    optional: list[tuple[str, Callable[[LayerReport], str]]] = []
    if any(row.silent_neurons is not None for row in report.layers):
        optional.append(("silent neurons", lambda row: _or_dash(row.silent_neurons)))
    if any(row.penalty is not None for row in report.layers):
        optional.append(("penalty", lambda row: _or_dash(row.penalty)))
        optional.append(("of penalty", lambda row: _percent(row.penalty_share)))
    if any(row.flags for row in report.layers):
        optional.append(("flags", lambda row: ", ".join(row.flags)))

    header = ["layer", "kind", "neurons", "T", "spikes", "rate", "fan-out", "SynOps"]
    header += ["MACs", "Dense", "energy", "share", *(title for title, _ in optional)]
    body = []
    for row in report.layers:
        cells = [row.name, row.kind, format_count(row.neurons), str(row.time_steps)]
        if row.spiking:
            cells += [format_count(row.spikes), _percent(row.rate)]
        else:
            cells += ["-", "-"]
        counts = (row.fan_out, row.synops, row.macs, row.dense)
        cells += [*map(format_count, counts)]
        cells += [format_energy(row.energy_pj), _percent(row.share)]
        body.append([*cells, *(cell(row) for _, cell in optional)])

    neurons = sum(row.neurons for row in report.layers if row.spiking)
    total = ["total", "", format_count(neurons), str(report.time_steps)]
    total += [format_count(report.spikes), _percent(report.rate), ""]
    total += [*map(format_count, (report.synops, report.macs, report.dense))]
    total += [format_energy(report.energy_pj), _percent(1.0 if report.energy_pj else 0)]
    for title, _ in optional:
        total.append(_total_cell(report, title))
    return header, body, total


def _or_dash(count: float | None) -> str:
    return "-" if count is None else format_count(count)


def _total_cell(report: "EnergyReport", title: str) -> str:
    if title == "silent neurons":
        return format_count(sum(row.silent_neurons or 0 for row in report.layers))
    if title == "penalty":
        return format_count(sum(row.penalty or 0.0 for row in report.layers))
    return ""


def _facts(report: "EnergyReport") -> list[tuple[str, str]]:
    """What stands under the table, as (label, sentence)."""
    energy, model = report.energy_pj, report.energy_model

    def against(ann: float) -> str:
        ratio = f", {ann / energy:.3g} times the network" if energy else ""
        return f"{format_energy(ann)}{ratio}"

    analogue = energy - report.synaptic_energy_pj
    bits = activation_bits(report.time_steps)
    facts = [
        (
            "total",
            f"{format_energy(energy)} per sample: "
            f"spiking layers {format_energy(report.synaptic_energy_pj)}, "
            f"analogue synapses {format_energy(analogue)}; "
            f"mean of {report.samples} samples",
        ),
        (
            "dense ANN",
            f"{against(report.dense_ann_pj)} ({format_count(report.ann_macs)} MACs)",
        ),
        (
            "bit-matched ANN",
            f"{against(report.bit_matched_ann_pj)} ({bits}-bit activations, "
            f"as T = {report.time_steps} steps carry)",
        ),
    ]
    flagged = [f"{r.name} ({', '.join(r.flags)})" for r in report.layers if r.flags]
    if flagged:
        facts.append(("flagged", ", ".join(flagged)))
    facts += [("note", f"{r.name}: {n}") for r in report.layers for n in r.notes]
    facts += [("note", note) for note in report.notes]
    prices = f"AC {model.ac_pj:g} pJ, MAC {model.mac_pj:g} pJ"
    about = f"; {model.description}" if model.description else ""
    facts.append(("energy model", f"{model.name} ({prices}{about})"))
    facts.append(("source", model.source or "not given"))
    facts.append(("method", f"{report.method}. {_ESTIMATE}"))
    return facts


def text(report: "EnergyReport") -> str:
    """The report for a terminal: plain ASCII, as wide as it needs to be."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    header, body, total = _cells(report)
    table = Table(box=box.ASCII_DOUBLE_HEAD, show_footer=True)
    for column, (title, footer) in enumerate(zip(header, total, strict=True)):
        left = column < 2 or title == "flags"
        table.add_column(
            title, footer, justify="left" if left else "right", no_wrap=True
        )
    for cells in body:
        table.add_row(*cells)
    # Wide enough for any table; no markup, so that a layer named "[b]" stays that.
    console = Console(
        file=io.StringIO(),
        width=10_000,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    width = max(88, len(lines[0]))
    title = f"Energy of {report.model_name!r}, per sample"
    facts = [_fact_line(label, fact, width) for label, fact in _facts(report)]
    return "\n".join([title, *lines, *facts])


def _fact_line(label: str, fact: str, width: int) -> str:
    return textwrap.fill(
        fact,
        width,
        initial_indent=f"{label:<17}",
        subsequent_indent=" " * 17,
        break_long_words=False,
        break_on_hyphens=False,
    )


def markdown(report: "EnergyReport") -> str:
    """The report as a Markdown table with the facts as a list."""
    header, body, total = _cells(report)
    rule = ["---" if i < 2 else "---:" for i in range(len(header))]
    bold = [f"**{cell}**" if cell else "" for cell in total]
    rows = [header, rule, *([_escaped(c) for c in row] for row in body), bold]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    facts = [f"- {label}: {_escaped(fact)}" for label, fact in _facts(report)]
    title = f"Energy of `{report.model_name}`, per sample"
    return "\n".join([title, "", *lines, "", *facts, ""])


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def csv_rows(report: "EnergyReport") -> str:
    """The rows as CSV: full precision, energies in pJ, lists joined by `; `."""
    rows = [row.to_dict() for row in report.layers]
    if not rows:
        return ""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        joined = {k: "; ".join(v) for k, v in row.items() if isinstance(v, list)}
        writer.writerow(row | joined)
    return stream.getvalue()


def figure(report: "EnergyReport") -> Any:
    """Horizontal bars per layer: its part of the energy, and of the penalty.

    With a penalty, only spiking layers are drawn and their parts are of the spiking
    layers' energy: an analogue stem has energy but nothing to penalise, and would
    hide that the two are proportional.
    """
    penalised = any(row.penalty is not None for row in report.layers)
    rows = [row for row in report.layers if row.spiking or not penalised]
    whole = report.synaptic_energy_pj if penalised else report.energy_pj
    height = 0.8 if not penalised else 0.4
    shares = [100 * row.energy_pj / whole if whole else 0.0 for row in rows]
    places = [float(i) for i in range(len(rows))]

    plot = require("matplotlib.figure", extra="plots").Figure(
        figsize=(8, 1.9 + 0.5 * len(rows)), layout="constrained"
    )
    axes = plot.subplots()
    offset = 0.2 if penalised else 0.0
    axes.barh(
        [y - offset for y in places],
        shares,
        height=height,
        color=_ENERGY_COLOUR,
        label="energy",
    )
    penalties = [100 * (row.penalty_share or 0.0) for row in rows]
    if penalised:
        axes.barh(
            [y + offset for y in places],
            penalties,
            height=height,
            color=_PENALTY_COLOUR,
            label="penalty",
        )
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    labels = [
        (share, y - offset, f"{format_energy(row.energy_pj)} ({share:.1f} %)")
        for y, share, row in zip(places, shares, rows, strict=True)
    ]
    if penalised:
        labels += [
            (share, y + offset, f"{share:.1f} %")
            for y, share in zip(places, penalties, strict=True)
        ]
    for share, y, label in labels:
        axes.annotate(
            label,
            (share, y),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=_INK,
        )
    # Room on the right for the labels behind the longest bar.
    axes.set_xlim(0, 1.3 * max([*shares, *penalties, 1.0]))
    axes.set_yticks(places, [row.name for row in rows])
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    title = f"{report.model_name}: {format_energy(report.energy_pj)} per sample"
    of = "energy"
    if penalised:
        of = "spiking layers' energy, and of the penalty"
        analogue = report.energy_pj - report.synaptic_energy_pj
        if analogue > 0:
            title += f", {format_energy(analogue)} of it analogue (not drawn)"
    axes.set_xlabel(f"part of the {of} (%)")
    axes.set_title(
        f"{title}\nestimate from operation counts, {report.energy_model.name}",
        fontsize=10,
        loc="left",
    )
    return plot
