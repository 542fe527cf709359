"""The page of a search: one HTML file that needs nothing else to be looked at."""

from __future__ import annotations

import html
import json
import pathlib

from keras_ssp._extras import require
from keras_ssp.energy import EnergyReport
from keras_ssp.tuner.records import FAILED, TrialRecord
from keras_ssp.tuner.results import SearchResults
from keras_ssp.tuner.trial import run_folder
from keras_ssp.types import StrPath
from tuning import plots
from tuning.metrics import (
    finite,
    knee_of,
    metric,
    reference_of,
    values_text,
)
from tuning.parallel import parallel
from tuning.summary import failed_table, front_table, summary

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 20px 16px 48px; color: #1f2933;
  background: #fff; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
  sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 1.15rem; margin: 36px 0 4px; }
p { margin: 4px 0 10px; max-width: 72ch; }
.more { color: #52606d; font-size: 0.9rem; }
code { font: 0.85em ui-monospace, Menlo, Consolas, monospace; background: #f0f2f5;
  padding: 2px 5px; border-radius: 3px; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.wide { min-width: 680px; }
table { border-collapse: collapse; font-size: 0.9rem; }
caption { text-align: left; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid #e4e7eb; text-align: left;
  vertical-align: top; white-space: nowrap; }
td:last-child { white-space: normal; min-width: 15rem; }
th { color: #52606d; font-weight: 600; }
@media (max-width: 560px) { body { padding: 14px 12px 32px; font-size: 15px; }
  h1 { font-size: 1.35rem; } }
"""

# No server is asked for anything, and the browser is told so.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:"
)

# A hovered trial stands out; where fingers scroll, a drag does not zoom.
_SCRIPT = """
(function () {
  if (window.matchMedia("(pointer: coarse)").matches) {
    document.querySelectorAll(".plotly-graph-div").forEach(function (plot) {
      Plotly.relayout(plot, {dragmode: false}); });
  }
  var plot = document.getElementById("parallel");
  if (!plot || !plot.on) { return; }
  var before = plot.data.map(function (t) { return t.opacity; });
  plot.on("plotly_hover", function (event) {
    var one = event.points[0].curveNumber;
    Plotly.restyle(plot, {opacity: before.map(function (o, k) {
      return k === one ? 1 : 0.12; })});
  });
  plot.on("plotly_unhover", function () { Plotly.restyle(plot, {opacity: before}); });
})();
"""

_CONFIG = {"responsive": True, "displayModeBar": False}


def write_page(
    results: SearchResults, path: StrPath, *, command: str | None = None
) -> None:
    """Writes what a search found as one HTML file, which asks no server for anything.

    Args:
        results: The search; it may be under way.
        path: The file to write.
        command: The command that made the search, shown below the title. Defaults to
            none.

    Raises:
        ImportError: If plotly is not installed.
    """
    script = require("plotly.offline", extra="pages").get_plotlyjs()
    title = html.escape(f"{results.name}: {_subject(results)}")
    head = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{title}</title>",
        '<link rel="icon" href="data:,">',
        f"<style>{_STYLE}</style>",
        f"<script>{script}</script></head><body>",
        f"<h1>{title}</h1>",
        f"<p>{html.escape(summary(results))}</p>",
    ]
    if command:
        head.append(f'<p class="more">made by <code>{html.escape(command)}</code></p>')
    parts = [*head, *_sections(results), f"<script>{_SCRIPT}</script></body></html>"]
    pathlib.Path(path).write_text("\n".join(parts) + "\n", encoding="utf-8")


def _subject(results: SearchResults) -> str:
    names = [metric(objective.name).name for objective in results.objectives]
    return " against ".join(names[:2]) + "".join(f", {name}" for name in names[2:])


def _sections(results: SearchResults) -> list[str]:
    """The parts of the page, as far as there is something to show."""
    parts: list[str] = []
    if finite(results):
        parts += _section("Frontier", _frontier_text(results))
        parts.append(_plot(plots.frontier(results), "frontier"))
        parts += _section("Networks on the frontier", "")
        parts.append(_scrolling(front_table(results).html()))
        parts += _section(
            "Hyperparameters",
            "A line a trial, from its hyperparameters to what they led to; bright "
            f"lines have the best {metric(results.quality.name).name}, thick ones are "
            "on the frontier. Point at one to see it alone.",
        )
        drawn = _plot(parallel(results), "parallel")
        parts.append(_scrolling(f'<div class="wide">{drawn}</div>'))
        if results.hypervolume_history:
            parts += _section("Progress", _progress_text(results))
            parts.append(_plot(plots.hypervolume(results), "hypervolume"))
        parts += _layers(results)
    failed = [trial for trial in results.trials if trial.status == FAILED]
    if failed:
        text = "Each has its whole error in error.txt, in its folder."
        parts += _section("Failed trials", text)
        parts.append(_scrolling(failed_table(failed).html()))
    return parts


def _frontier_text(results: SearchResults) -> str:
    text = "Blue networks are beaten by no other one in every objective at once."
    if any(trial.spread for trial in results.completed):
        text += " Bars are the standard deviation over the seeds."
    cost = results.cost.name
    silent = sum(trial.metrics.get(cost) == 0 for trial in results.completed)
    if silent and results.cost.scale == "log":
        text += (
            f" {silent} at the left edge {'has' if silent == 1 else 'have'} "
            f"{metric(cost).write(0.0)}."
        )
    worst, shown = reference_of(results), metric(results.quality.name)
    if worst is not None:
        below = sum(t.metrics[results.quality.name] < worst for t in finite(results))
        if below:
            text += (
                f" {below} below {shown.write(worst)} {'is' if below == 1 else 'are'} "
                "outside the picture; a double click shows all."
            )
    return text


def _progress_text(results: SearchResults) -> str:
    reference = ", ".join(
        metric(o.name).write(r)
        for o, r in zip(results.objectives, results.reference or (), strict=False)
    )
    return (
        "How much of the space between the reference point "
        f"({reference}) and perfection the networks found so far dominate."
    )


def _layers(results: SearchResults) -> list[str]:
    """Where the energy of the knee goes; nothing, where no report was left."""
    trial = knee_of(results)
    report = None if trial is None else energy_of(trial)
    if trial is None or report is None:
        return []
    text = f"Trial {trial.trial}, the knee: {values_text(trial.values)}. "
    text += "Energies are estimates from operation counts, on the validation part."
    return [
        *_section("Energy of the layers", text),
        _plot(plots.layers(report), "layers"),
    ]


def energy_of(trial: TrialRecord) -> EnergyReport | None:
    """The energy report of a trial's network, `None` if it left none."""
    try:
        file = run_folder(trial.folder or pathlib.Path()) / "energy.json"
        return EnergyReport.from_dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _section(title: str, text: str) -> list[str]:
    found = [f"<h2>{html.escape(title)}</h2>"]
    return [*found, f'<p class="more">{html.escape(text)}</p>'] if text else found


def _scrolling(inner: str) -> str:
    # A table wider than the window scrolls by itself, and by keyboard.
    return f'<div class="scroll" tabindex="0">{inner}</div>'


def _plot(plot: plots.Plot, name: str) -> str:
    return str(
        require("plotly.io", extra="pages").to_html(
            plot,
            full_html=False,
            include_plotlyjs=False,
            div_id=name,
            default_height=f"{plot.layout.height}px",
            config=_CONFIG,
        )
    )
