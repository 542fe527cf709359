"""One network of a trial: what is measured of it, and what is kept."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import pathlib
import time
from collections.abc import Sequence

import keras
import numpy as np

from keras_ssp._files import replacing
from keras_ssp.datasets.inputs import input_batches
from keras_ssp.energy import EnergyMeter, EnergyReport
from keras_ssp.energy.hardware import EnergyModelLike
from keras_ssp.graph import timeline
from keras_ssp.training.folder import write_json
from keras_ssp.types import Data, Metrics

# Metrics that only a network with spikes has.
_OF_SPIKES = ("val_synaptic_energy_pj", "val_synops", "val_spike_rate")
_PREDICTIONS = 30  # of one sample, for the latency


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """What was measured of one network.

    Args:
        metrics: Metric name to value.
        report: The energy report on the validation data.
        history: Metric name to one value per epoch.
        notes: What must be said of it.
    """

    metrics: Metrics
    report: EnergyReport
    history: dict[str, list[float]]
    notes: tuple[str, ...]


class NotFiniteError(ValueError):
    """A network with a number that is not finite: it is no cheap one, but none."""


def measure(
    model: keras.Model,
    validation: Data,
    returned: object,
    *,
    objectives: Sequence[str],
    energy_model: EnergyModelLike,
    batch_size: int,
) -> Measured:
    """Measures a trained network on validation data, in evaluation mode.

    Args:
        model: The network, compiled.
        validation: `(x, y)` or `(x, y, weights)` arrays, or a data set of batches.
        returned: What `HyperModel.fit` returned: a `History`, or metrics by name,
            which are added to those that are measured.
        objectives: Names of the objectives.
        energy_model: As for `energy_report`.
        batch_size: Rows per batch where the data are arrays.

    Raises:
        NotFiniteError: If a weight, the last loss or a metric is not finite.
        ValueError: If the network has no spikes and an objective counts them, or an
            objective is not among the metrics.
    """
    history = _history(returned)
    _check_weights(model)
    arrays = isinstance(validation, tuple | list)
    evaluated = model.evaluate(
        *(validation if arrays else (validation,)),
        batch_size=batch_size if arrays else None,
        verbose=0,
        return_dict=True,
    )
    report = EnergyMeter(model).report(
        validation, energy_model=energy_model, batch_size=batch_size
    )
    metrics = {f"val_{name}": float(value) for name, value in evaluated.items()}
    if timeline.spiking_layers(model):
        metrics["val_synaptic_energy_pj"] = report.synaptic_energy_pj
        metrics["val_synops"] = report.synops
        metrics["val_spike_rate"] = report.rate
    metrics["val_energy_pj"] = report.energy_pj
    metrics["parameters"] = float(model.count_params())
    metrics["time_steps"] = float(report.time_steps)
    if "latency_ms" in objectives:
        metrics["latency_ms"] = _latency(model, validation)
    if isinstance(returned, dict):
        metrics |= {name: float(value) for name, value in returned.items()}
    _check(metrics, history, objectives)
    silent = [row.name for row in report.layers if "silent" in row.flags]
    notes = (f"silent: {', '.join(silent)}",) if silent else ()
    return Measured(metrics=metrics, report=report, history=history, notes=notes)


def _check_weights(model: keras.Model) -> None:
    for weight in model.weights:
        value = keras.ops.convert_to_numpy(weight)
        if not np.isfinite(np.asarray(value, "float64")).all():
            raise NotFiniteError(
                f"the network is not finite: weight {weight.path} holds NaN or infinity"
            )


def _check(
    metrics: Metrics, history: dict[str, list[float]], objectives: Sequence[str]
) -> None:
    last = {name: values[-1] for name, values in history.items() if values}
    for name, value in {"loss": last.get("loss", 0.0), **metrics}.items():
        if not math.isfinite(value):
            raise NotFiniteError(f"the network is not finite: {name} is {value}")
    for name in objectives:
        if name not in metrics and name in _OF_SPIKES:
            raise ValueError(
                f"`objectives` must not count spikes where a network has none: {name}. "
                "Remedy: 'val_energy_pj', which counts multiply-accumulates too. "
                "Received: a model without a spiking layer."
            )
        if name not in metrics:
            raise ValueError(
                f"`objectives` must be among what is measured: "
                f"{', '.join(sorted(metrics))}. Received: {name!r}."
            )


def _history(returned: object) -> dict[str, list[float]]:
    found = getattr(returned, "history", None)
    if isinstance(found, dict):
        return {name: [float(v) for v in values] for name, values in found.items()}
    if isinstance(returned, dict):
        return {}
    raise ValueError(
        "`HyperModel.fit` must return a History, or a dict of metrics. Received: "
        f"{type(returned).__name__}."
    )


def _latency(model: keras.Model, validation: Data) -> float:
    """The median time of a prediction for one sample, in ms."""
    batch = next(iter(input_batches(validation, model, 1)))
    one = keras.tree.map_structure(lambda x: x[:1], batch)
    seconds = []
    for _ in range(_PREDICTIONS + 1):
        started = time.perf_counter()
        model.predict_on_batch(one)
        seconds.append(time.perf_counter() - started)
    return float(1e3 * np.median(seconds[1:]))  # the first one compiles


def save_run(folder: pathlib.Path, model: keras.Model, found: Measured) -> None:
    """Writes what is kept of a network: model, energy report, history, metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "model.keras", suffix=".partial.keras") as partial:
        model.save(partial)
    found.report.to_json(folder / "energy.json")
    write_json(folder / "run.json", dict(found.metrics))
    if found.history:
        with open(folder / "history.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", *found.history])
            for epoch, row in enumerate(zip(*found.history.values(), strict=True)):
                writer.writerow([epoch, *row])


def load_trial(folder: pathlib.Path, *, compile: bool = True) -> keras.Model:
    """The model of a trial; of several seeds, the one with the highest accuracy.

    Raises:
        FileNotFoundError: If the trial left no model.
    """
    file = run_folder(folder) / "model.keras"
    model: keras.Model = keras.saving.load_model(file, compile=compile)
    return model


def run_folder(folder: pathlib.Path) -> pathlib.Path:
    """Where the files of a trial's network are; of several seeds, the best one's.

    Raises:
        FileNotFoundError: If the trial left no model.
    """
    found = sorted(folder.glob("**/model.keras"))
    if not found:
        raise FileNotFoundError(
            f"`trial` must have left a model.keras. Received: {folder}, without one."
        )

    def quality(path: pathlib.Path) -> float:
        metrics = json.loads(path.with_name("run.json").read_text(encoding="utf-8"))
        return float(metrics.get("val_accuracy", -metrics["val_loss"]))

    return max(found, key=quality).parent
