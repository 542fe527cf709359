"""The energy report as HTML: a cell of a notebook, and a page of its own."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from keras_ssp.tables import format_energy

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem;
       max-width: 70rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #8884; white-space: nowrap; }
thead th { border-bottom: 2px solid #888; }
tfoot td { font-weight: bold; border-top: 2px solid #888; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { font-weight: bold; } dd { margin: 0; }
.bars { display: grid; grid-template-columns: max-content 1fr max-content;
        gap: .25rem .7rem; align-items: center; }
.bars > div { display: contents; }
.bars .track { background: #8882; height: 1rem; }
.bars .bar { background: #0072b2; height: 100%; display: block; }
.bars .bar.analogue { background: #e69f00; } .bars .bar.ann { background: #888; }
.bars .amount { text-align: right; font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) {
  dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; }
  .bars { display: block; }
  .bars > div { display: grid; grid-template-columns: 1fr max-content; gap: 0 .7rem;
                margin-bottom: .5rem; }
  .bars .track { grid-row: 2; grid-column: 1 / -1; }
}
"""

_CONVENTIONS = (
    ("per sample", "every count and energy is the mean over the samples measured"),
    ("rate", "spikes per neuron and time step"),
    ("fan-out", "mean number of synapses (psi) that one spike of the layer drives"),
    ("SynOps", "accumulates that spikes trigger: one for each synapse and spike"),
    ("MACs", "multiply-accumulates of synapses that analogue values drive"),
    ("Dense", "operations if no input of the layer's synapses were zero"),
    ("share", "part of the network's energy"),
    ("of penalty", "part of the summed penalty; in proportion to the energy at p = 1"),
)


def cell(report: Any) -> str:
    """What a notebook shows: the narrow table, and the facts folded away."""
    table = report.table(wide=False)
    facts, table.facts = table.facts, ()
    summary = html.escape(f"{facts[0][1]}. More ...") if facts else "More ..."
    return (
        f"{table.html()}\n<details><summary>{summary}</summary>\n"
        f"{definitions(facts)}\n</details>"
    )


def page(report: Any) -> str:
    """A page that needs no other file: bars, baselines, the table, conventions."""
    table = report.table()
    facts, table.facts, table.title = table.facts, (), ""
    energies = [
        (row.name, row.energy_pj, "" if row.spiking else "analogue")
        for row in report.layers
    ]
    against = [
        ("this network", report.energy_pj, ""),
        ("dense ANN", report.dense_ann_pj, "ann"),
        ("bit-matched ANN", report.bit_matched_ann_pj, "ann"),
    ]
    shown = {column.header for column in table.columns}
    words = [
        (word, said) for word, said in _CONVENTIONS if word in {*shown, "per sample"}
    ]
    return whole_page(
        f"{report.model_name}: {format_energy(report.energy_pj)} per sample",
        [
            f"<p>{_about(report)}</p>",
            "<h2>Where it goes</h2>",
            _bars(energies, report.energy_pj),
            "<h2>Against networks without spikes</h2>",
            _bars(against, None),
            "<h2>Layers</h2>",
            f'<div class="wide">{table.html()}</div>',
            f"<h2>Remarks</h2>\n{definitions(facts)}",
            f"<h2>What is counted</h2>\n{definitions(words)}",
        ],
    )


def whole_page(title: str, parts: Iterable[str]) -> str:
    """Parts of HTML as a page that needs no other file, under a title."""
    title = html.escape(title)
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
            f"<h1>{title}</h1>",
            *parts,
            "</body>\n</html>\n",
        ]
    )


def _about(report: Any) -> str:
    prices = html.escape(report.energy_model.name)
    return (
        f"Estimate from operation counts, {prices}, T = {report.time_steps}, mean of "
        f"{report.samples} samples."
    )


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """Labels and sentences as a list of definitions."""
    lines = (
        f"<dt>{html.escape(label)}</dt><dd>{html.escape(said)}</dd>"
        for label, said in pairs
    )
    return "\n".join(["<dl>", *lines, "</dl>"])


def _bars(bars: list[tuple[str, float, str]], whole: float | None) -> str:
    """Horizontal bars of energies, with their parts of a whole if there is one."""
    longest = max((energy for _, energy, _ in bars if energy == energy), default=0.0)
    lines = ['<div class="bars">']
    for name, energy, kind in bars:
        part = f" ({100 * energy / whole:.1f} %)" if whole else ""
        width = 100 * energy / longest if longest and energy == energy else 0.0
        bar = f'<span class="bar {kind}" style="width: {width:.2f}%"></span>'
        lines.append(
            f"<div><span>{html.escape(name)}</span>"
            f'<span class="track">{bar}</span>'
            f'<span class="amount">{format_energy(energy)}{part}</span></div>'
        )
    return "\n".join([*lines, "</div>"])
