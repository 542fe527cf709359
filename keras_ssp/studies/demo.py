"""The demonstration: what the penalty saves on scikit-learn's digits."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Sequence

from rich.console import Console

from keras_ssp import figures
from keras_ssp._checks import positive_int
from keras_ssp.datasets import load
from keras_ssp.studies.series import SeedStatistics
from keras_ssp.tables import Table, format_count, format_energy
from keras_ssp.training import Run, train
from keras_ssp.training.config import TrainConfig
from keras_ssp.training.folder import write_json
from keras_ssp.types import StrPath

#: lambda of the normalised penalty: it lies in [0, 1] then.
WEIGHTS = (0.3, 1.0, 3.0)
BASE = TrainConfig(data="digits", epochs=20, batch_size=32, learning_rate=4e-3)
# Columns that a narrow terminal does without.
_LEFT_OUT = ("SynOps", "rate", "of no penalty")


@dataclasses.dataclass(frozen=True)
class Setting(SeedStatistics):
    """One row of the demo's table: a setting, averaged over its seeds."""

    label: str
    weight: float
    runs: tuple[Run, ...]

    def values(self, name: str) -> list[float]:
        return [run.summary()[name] for run in self.runs]


def run(out: StrPath = "runs/demo", *, seeds: int = 3) -> list[Setting]:
    """Trains without penalty and with three lambda, prints and draws the comparison.

    Args:
        out: Folder for `results.csv`, `summary.json`, `accuracy_energy.png`,
            `layers.png` and `layers.md`; older results of the demo are replaced.
        seeds: Positive integer, trainings of each setting. Defaults to 3.

    Returns:
        The settings, the one without penalty first.

    Raises:
        ImportError: If scikit-learn or matplotlib is missing.
    """
    seeds = positive_int("seeds", seeds)
    folder = pathlib.Path(out)
    console = Console()
    figures.new_figure()  # without matplotlib it fails here, not after the training
    started = time.perf_counter()
    data = load("digits")
    console.print(
        f"Training on {len(data.train)} digits (8x8), T = {BASE.time_steps}: "
        f"{1 + len(WEIGHTS)} settings, {seeds} seed{'s' * (seeds > 1)} each."
    )
    settings = []
    for weight in (0.0, *WEIGHTS):
        config = dataclasses.replace(
            BASE, weight=weight, penalty="synaptic" if weight else "none"
        )
        label = f"lambda = {weight:g}" if weight else "no penalty"
        runs = []
        for seed in range(seeds):
            with console.status(f"{label}, seed {seed}"):
                runs.append(
                    train(dataclasses.replace(config, seed=seed), data=data, verbose=0)
                )
            console.print(
                f"  {label}, seed {seed}: {100 * runs[-1].test_accuracy:.1f} % at "
                f"{format_energy(runs[-1].report.synaptic_energy_pj)}"
            )
        settings.append(Setting(label, weight, tuple(runs)))
    console.print(_table(settings, seeds).narrowed(console.width, _LEFT_OUT).rich())
    console.print(verdict(settings))
    folder.mkdir(parents=True, exist_ok=True)
    _write(settings, folder)
    seconds = time.perf_counter() - started
    console.print(f"Written to {folder} ({seconds:.0f} s).", soft_wrap=True)
    return settings


def verdict(settings: Sequence[Setting]) -> str:
    """One sentence: the least energy that costs at most one point of accuracy."""
    base, *others = settings
    good = [
        s
        for s in others
        if s.mean("test_accuracy") >= base.mean("test_accuracy") - 0.01
    ]
    if not good:
        return "No penalised setting stayed within one point of accuracy."
    best = min(good, key=lambda s: s.mean("synaptic_energy_pj"))
    share = best.mean("synaptic_energy_pj") / base.mean("synaptic_energy_pj")
    change = 100 * (best.mean("test_accuracy") - base.mean("test_accuracy"))
    return (
        f"With {best.label} the network spends {100 * share:.0f} % of the synaptic "
        f"energy, its test accuracy changes by {change:+.2f} points."
    )


def _table(settings: Sequence[Setting], seeds: int) -> Table:
    base = settings[0].mean("synaptic_energy_pj")
    of_seeds = "one seed" if seeds == 1 else f"mean of {seeds} seeds"
    return Table(
        ["setting", "accuracy (%)", "SynOps", "energy", "of no penalty", "rate"],
        [
            (
                s.label,
                _accuracy(s),
                format_count(s.mean("synops")),
                format_energy(s.mean("synaptic_energy_pj")),
                f"{100 * s.mean('synaptic_energy_pj') / base:.0f} %",
                f"{100 * s.mean('spike_rate'):.1f} %",
            )
            for s in settings
        ],
        title=f"Synaptic energy per digit (cmos45 estimate), {of_seeds}",
    )


def _accuracy(setting: Setting) -> str:
    mean = f"{100 * setting.mean('test_accuracy'):.2f}"
    if len(setting.runs) == 1:
        return mean  # one seed has no spread
    return f"{mean} ± {100 * setting.std('test_accuracy'):.2f}"


def _write(settings: Sequence[Setting], folder: pathlib.Path) -> None:
    rows = [
        {"weight": s.weight, "seed": r.config.seed, **r.summary()}
        for s in settings
        for r in s.runs
    ]
    table = Table(list(rows[0]), [list(row.values()) for row in rows])
    with open(folder / "results.csv", "w", encoding="utf-8", newline="\r\n") as file:
        file.write(table.csv())
    write_json(
        folder / "summary.json",
        {
            s.label: {name: s.mean(name) for name in s.runs[0].summary()}
            for s in settings
        },
    )
    one = len(settings[0].runs) == 1
    of_seeds = "one seed" if one else "mean and standard deviation of its seeds"
    figures.accuracy_against_energy(
        {"synaptic penalty": [{**s.point(), "label": s.label} for s in settings]},
        folder / "accuracy_energy.png",
        title=f"Digits: every setting, {of_seeds}",
    )
    report = settings[-1].runs[0].report
    report.plot(folder / "layers.png")
    report.to_markdown(folder / "layers.md")
