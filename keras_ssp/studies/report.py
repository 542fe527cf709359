"""What a study found, as tables and pictures."""

from __future__ import annotations

import dataclasses
import inspect
import pathlib
from collections.abc import Mapping, Sequence

import keras

from keras_ssp import figures, penalties
from keras_ssp.energy import energy_report, penalty_values
from keras_ssp.penalties import SpikePenalty
from keras_ssp.studies.equal_accuracy import Ratio, Saving
from keras_ssp.studies.results import Result
from keras_ssp.studies.series import (
    ENERGY,
    Setting,
    ratios,
    savings,
    settings_by_series,
)
from keras_ssp.tables import Table, format_energy
from keras_ssp.training import EVALUATION_BATCH, load_run
from keras_ssp.training.folder import write_json
from keras_ssp.types import Config, Data, StrPath

# Images on which the layers' shares are measured.
LAYER_SAMPLES = 2000


def compared_penalties() -> dict[str, SpikePenalty]:
    """The penalties of which the picture of the layers shows the shares.

    All that are registered and need no argument but lambda; one that steers the whole
    network towards a number has no share of a layer. The synaptic one is there for
    two exponents: both are in proportion to the energy.

    Example:

    >>> list(compared_penalties())[:4]
    ['synaptic, p = 1', 'synaptic, p = 2', 'spike count', 'balanced']
    """
    found: dict[str, SpikePenalty] = {}
    for name in penalties.names():
        make = penalties.get(name)
        if name == "synaptic":
            found |= {f"{name}, p = {p:g}": make(1.0, p=p) for p in (1.0, 2.0)}
        elif not _needs_more(make):
            found[name.replace("_", " ")] = make(1.0)
    return found


def _needs_more(make: type[SpikePenalty]) -> bool:
    _, *others = inspect.signature(make).parameters.values()
    varying = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(a.default is a.empty and a.kind not in varying for a in others)


def layer_shares(model: keras.Model, x: Data) -> dict[str, dict[str, float]]:
    """Each layer's share of the energy and of every penalty, on one network.

    Args:
        model: A spiking network.
        x: Inputs.

    Returns:
        `"energy"` and names of penalties to layer name to share; a penalty that is 0
        on all layers has none.
    """
    report = energy_report(model, x, batch_size=EVALUATION_BATCH)
    rows = [row for row in report.layers if row.is_neuron and row.energy_pj]
    found = {"energy": {row.name: row.energy_pj for row in rows}}
    for name, penalty in compared_penalties().items():
        values = penalty_values(model, x, penalty=penalty, batch_size=EVALUATION_BATCH)
        found[name] = {row.name: values[row.name] for row in rows}
    return {
        name: {layer: value / sum(values.values()) for layer, value in values.items()}
        for name, values in found.items()
        if sum(values.values())
    }


def write(
    rows: Sequence[Result],
    out: StrPath,
    *,
    drops: Sequence[float] = (0.005, 0.01, 0.02),
    data_dir: str | None = None,
    title: str = "",
) -> str:
    """Writes `comparison.md`, `comparison.json` and the pictures of a study.

    Args:
        rows: The rows of the study.
        out: Its folder.
        drops: Accuracies that may be given up, as shares.
        data_dir: As for `keras_ssp.datasets.load`.
        title: Above the table and the picture.

    Returns:
        The Markdown text.
    """
    folder = pathlib.Path(out)
    grouped = settings_by_series(rows)
    saved = {drop: savings(rows, drop) for drop in drops}
    against = {drop: ratios(rows, drop) for drop in drops}
    shares = _shares(rows, folder, data_dir)
    text = _markdown(grouped, saved, against, shares, title)
    (folder / "comparison.md").write_text(text, encoding="utf-8")
    write_json(
        folder / "comparison.json",
        {
            "savings": _numbers(saved),
            "against_synaptic": _numbers(against),
            "layer_shares": shares,
        },
    )
    figures.accuracy_against_energy(
        {
            series: [cell.point() for cell in settings]
            for series, settings in grouped.items()
        },
        folder / "accuracy_energy.png",
        title=title,
    )
    if shares:
        figures.layer_shares(shares, folder / "layers.png", title=title)
    return text


def _numbers(
    found: Mapping[float, Mapping[str, Saving | Ratio]],
) -> dict[str, Config]:
    return {
        str(drop): {
            series: dataclasses.asdict(one) | {"mean": one.mean}
            for series, one in by_series.items()
            if one.factors
        }
        for drop, by_series in found.items()
    }


def _shares(
    rows: Sequence[Result], folder: pathlib.Path, data_dir: str | None
) -> dict[str, dict[str, float]]:
    """Shares on the first network without penalty, whose run folder must be there."""
    base = next(row for row in rows if row.is_baseline)
    folder = folder / base.key
    if not (folder / "model.keras").is_file():
        return {}
    run = load_run(folder, data_dir=data_dir)
    return layer_shares(run.model, run.data.inputs("test").take(LAYER_SAMPLES).x)


def _markdown(
    grouped: Mapping[str, Sequence[Setting]],
    saved: dict[float, dict[str, Saving]],
    against: dict[float, dict[str, Ratio]],
    shares: dict[str, dict[str, float]],
    title: str,
) -> str:
    parts = [f"# {title}", ""] if title else []
    parts += [
        "Test accuracy and energy, mean ± standard deviation over the seeds; energies",
        "are estimates from operation counts, per image.",
        "",
        _settings(grouped),
        "",
        "Energy at equal accuracy: how many times less synaptic energy than without",
        "penalty, at the accuracy of no penalty (mean of its seeds) minus N points;",
        "interpolated for each seed, geometric mean ± standard deviation.",
        "",
        _by_drop(saved),
    ]
    if any(against.values()):
        parts += [
            "",
            "How many times the energy of the synaptic penalty (p = 1) each series",
            "needs there: the ratio of the two curves, seed by seed, geometric mean ±",
            "standard deviation; above 1 the series needs more energy.",
            "",
            _by_drop(against),
        ]
    if shares:
        parts += [
            "",
            "Shares of the spiking layers (%), on the first network without penalty:",
            "",
            _shares_by_layer(shares),
        ]
    return "\n".join([*parts, ""])


def _settings(grouped: Mapping[str, Sequence[Setting]]) -> str:
    """One row for each setting of each series."""
    return Table(
        ["series", "setting", "seeds", "test accuracy (%)", "SynOps (k)"]
        + ["synaptic energy", "spike rate (%)"],
        [
            [
                series,
                setting.label,
                str(len(setting.results)),
                _spread(setting, "test_accuracy", 100, 2),
                _spread(setting, "synops", 1e-3, 1),
                format_energy(setting.mean(ENERGY)),
                _spread(setting, "spike_rate", 100, 2),
            ]
            for series, settings in grouped.items()
            for setting in settings
        ],
    ).markdown()


def _shares_by_layer(shares: dict[str, dict[str, float]]) -> str:
    """One row for each layer: its share of the energy and of each penalty."""
    return Table(
        ["layer", *shares],
        [
            [layer, *(f"{100 * found[layer]:.2f}" for found in shares.values())]
            for layer in shares["energy"]
        ],
    ).markdown()


def _by_drop(found: Mapping[float, Mapping[str, Saving | Ratio]]) -> str:
    return Table(
        ["series", *(f"−{100 * drop:g} points" for drop in found)],
        [
            [series, *(str(by_series[series]) for by_series in found.values())]
            for series in next(iter(found.values()))
        ],
    ).markdown()


def _spread(cell: Setting, name: str, scale: float, digits: int) -> str:
    mean, std = scale * cell.mean(name), scale * cell.std(name)
    spread = f" ± {std:.{digits}f}" if len(cell.results) > 1 else ""
    return f"{mean:.{digits}f}{spread}"
