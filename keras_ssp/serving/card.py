"""The energy card: what an exported model is, what it costs, and how that is known.

It lies in `assets.extra/energy_card.json` of a SavedModel, and beside a file of
another format. Its JSON Schema is in the package.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import importlib.metadata
import importlib.resources
import json
import pathlib
import platform
import subprocess
from collections.abc import Sequence

import keras
import numpy as np

import keras_ssp
from keras_ssp._units import PICOJOULE
from keras_ssp.energy import EnergyReport
from keras_ssp.energy.counting import LayerFacts
from keras_ssp.energy.prices import Prices
from keras_ssp.energy.report import METHOD
from keras_ssp.graph import timeline
from keras_ssp.serving.spec import ExportSpec
from keras_ssp.types import Config, Table

SCHEMA_VERSION = 1
CARD = "energy_card.json"
#: Where it is in a SavedModel.
CARD_PATH = pathlib.PurePosixPath("assets.extra") / CARD
# What CodeCarbon measures while a network runs; here nothing is measured, only counted.
MEASURED = (
    *("duration", "energy_consumed", "cpu_energy", "gpu_energy", "ram_energy"),
    *("emissions", "country_iso_code", "tracking_mode", "codecarbon_version"),
)


def make_card(
    model: keras.Model,
    spec: ExportSpec,
    rows: Sequence[tuple[LayerFacts, Prices, str]],
    *,
    time_steps: int,
    ann_macs: float,
    data_steps: int | None = None,
    notes: Sequence[str] = (),
    evaluation: Evaluated | None = None,
    seed: int | None = None,
    config: Table | None = None,
    extra: Table | None = None,
) -> Config:
    """The card of a model; `read_card` reads it back.

    Args:
        model: The model.
        spec: What is exported.
        rows: For each row of the report: facts, prices, and name in the answers.
        time_steps: T.
        ann_macs: MACs of the ANN of the same shape.
        data_steps: T, if the data have a time axis of their own.
        notes: Remarks on how the model was counted.
        evaluation: What it was measured on, and the result, if it was.
        seed: Seed of the training, if known.
        config: Config of the training, if known.
        extra: Further JSON values, under `"extra"`.
    """
    report = None if evaluation is None else evaluation.report
    return {
        "schema": "keras_ssp/energy_card",
        "schema_version": SCHEMA_VERSION,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "model": {
            "name": str(model.name),
            "library_name": "keras",
            "parameters": int(model.count_params()),
            "footprint": sum(map(_bytes_of, model.weights)),
            "time_steps": int(time_steps),
            "ann_macs": float(ann_macs),
            "data_steps": data_steps,
            "notes": list(notes),
        },
        "inputs": [each.to_dict() for each in spec.inputs],
        "preprocessing": {
            "inside": bool(spec.scale or spec.layer),
            "scale": list(spec.scale) or None,
            "shift": list(spec.shift) or None,
            "layer": spec.layer,
        },
        "output": spec.output,
        "labels": list(spec.labels) or None,
        "penalty": penalty_of(model),
        "energy_model": spec.energy_model,
        "energy": energy_values(report),
        "layers": _layers(rows, report),
        "model-index": _model_index(model, evaluation),
        "evaluation": None if evaluation is None else evaluation.to_dict(),
        "training": {
            "seed": None if seed is None else int(seed),
            "config": None if config is None else dict(config),
        },
        "versions": _versions(),
        "git_commit": git_commit(),
        "measured": dict.fromkeys(MEASURED),
        "extra": dict(extra or {}),
    }


def _bytes_of(weight: keras.Variable) -> int:
    """Bytes of a weight, whatever the backend."""
    size = int(np.prod(weight.shape, dtype="int64"))
    # bfloat16 is no dtype of NumPy's own.
    wide = 2 if "16" in str(weight.dtype) else np.dtype(str(weight.dtype)).itemsize
    return size * wide


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluated:
    """What a model was measured on, and what came out.

    Args:
        report: Its energy report.
        accuracy: Its accuracy, if labels were known.
        dataset: `type`, `name`, `split`, `fingerprint`; each may be `None`.
    """

    report: EnergyReport
    accuracy: float | None
    dataset: Config

    def to_dict(self) -> Config:
        """The evaluation as plain JSON types."""
        return {
            "dataset": self.dataset,
            "n": self.report.samples,
            "accuracy": self.accuracy,
        }


def energy_values(report: EnergyReport | None) -> Config:
    """The energy of a report per sample, in joules, counts by NeuroBench's names."""
    found: Config = {"method": METHOD, "unit": "J per sample"}
    if report is None:
        names = (
            *("energy_joules", "synaptic_energy_joules", "dense_ann_joules"),
            *("bit_matched_ann_joules", "synops", "spikes", "spike_rate"),
            *("synaptic_operations", "activation_sparsity"),
        )
        return found | dict.fromkeys(names)
    return found | {
        "energy_joules": report.energy_pj * PICOJOULE,
        "synaptic_energy_joules": report.synaptic_energy_pj * PICOJOULE,
        "dense_ann_joules": report.dense_ann_pj * PICOJOULE,
        "bit_matched_ann_joules": report.bit_matched_ann_pj * PICOJOULE,
        "synops": report.synops,
        "spikes": report.spikes,
        "spike_rate": report.rate,
        "synaptic_operations": {
            "Effective_ACs": report.synops,
            "Effective_MACs": report.macs,
            "Dense": report.dense,
        },
        "activation_sparsity": 1.0 - report.rate,
    }


def _layers(
    rows: Sequence[tuple[LayerFacts, Prices, str]], report: EnergyReport | None
) -> list[Config]:
    measured = [None] * len(rows) if report is None else list(report.layers)
    found = []
    for (facts, prices, name), row in zip(rows, measured, strict=True):
        layer = {
            **facts.to_dict(),
            "key": name,
            "price_joules": {k: v * PICOJOULE for k, v in prices.to_dict().items()},
        }
        names = ("spikes", "rate", "synops", "silent_neurons")
        layer |= {k: None if row is None else getattr(row, k) for k in names}
        layer["energy_joules"] = None if row is None else row.energy_pj * PICOJOULE
        found.append(layer)
    return found


def _model_index(model: keras.Model, evaluation: Evaluated | None) -> list[Config]:
    """As Hugging Face's model cards have it."""
    if evaluation is None:
        return []
    metrics = [
        {
            "type": "energy",
            "name": "Energy per sample (J, estimated)",
            "value": evaluation.report.energy_pj * PICOJOULE,
        }
    ]
    if evaluation.accuracy is not None:
        accuracy = {
            "type": "accuracy",
            "name": "Accuracy",
            "value": evaluation.accuracy,
        }
        metrics.insert(0, accuracy)
    dataset = {k: evaluation.dataset.get(k) for k in ("type", "name", "split")}
    task = {"type": "classification"}
    result = {"task": task, "dataset": dataset, "metrics": metrics}
    return [{"name": str(model.name), "results": [result]}]


def penalty_of(model: keras.Model) -> Config | None:
    """The penalty that a model was trained with: its name, lambda and p."""
    layers = [k for k in timeline.spiking_layers(model) if k.bound_penalty is not None]
    if not layers:
        return None
    penalty = layers[0].penalty
    return {
        "name": type(penalty).__name__,
        "lambda": float(keras.ops.convert_to_numpy(layers[0].penalty_weight)),
        "p": getattr(penalty, "p", None),
        "config": penalty.get_config(),
    }


def _versions() -> Config:
    found: Config = {
        "keras_ssp": keras_ssp.__version__,
        "keras": keras.__version__,
        "python": platform.python_version(),
        "backend": keras.backend.backend(),
    }
    for name in ("tensorflow", "numpy"):
        found[name] = importlib.metadata.version(name)
    return found


def git_commit() -> str | None:
    """The commit that is checked out where the process runs, if that is known."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() or None if run.returncode == 0 else None


@functools.cache
def schema() -> Config:
    """The JSON Schema of a card.

    Example:

    >>> schema()["title"]
    'Energy card of an exported spiking network'
    """
    file = importlib.resources.files("keras_ssp.serving") / "energy_card.schema.json"
    found: Config = json.loads(file.read_text(encoding="utf-8"))
    return found


def check_card(card: Table, where: object = "energy_card") -> None:
    """Says which value of a card is wrong.

    Raises:
        ValueError: If the card is not as its schema says.
    """
    import jsonschema  # takes a while

    try:
        jsonschema.Draft202012Validator(schema()).validate(card)
    except jsonschema.ValidationError as error:
        place = "/".join(map(str, error.absolute_path)) or "the card itself"
        raise ValueError(
            f"{where} must be a card as the schema of keras_ssp says. Received: at "
            f"{place}: {error.message}."
        ) from error


def write_card(path: pathlib.Path, card: Table) -> None:
    """Writes a card, if it is as the schema says."""
    text = json.dumps(card, indent=2, allow_nan=False, ensure_ascii=False)
    check_card(json.loads(text), path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def card_beside(path: pathlib.Path) -> pathlib.Path:
    """Where the card of an exported file is: `digits.onnx`, `digits.energy_card.json`.

    Example:

    >>> card_beside(pathlib.Path("digits.onnx")).name
    'digits.energy_card.json'
    """
    return path.with_suffix(f".{CARD}")


def read_card(path: pathlib.Path) -> Config:
    """Reads a card, and checks it.

    Args:
        path: A version's folder, or the card itself.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no card.
    """
    file = path / CARD_PATH if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(
            f"`path` must be a model that keras_ssp exported. Received: path={path}, "
            f"in which there is no {CARD_PATH}."
        )
    try:
        card: Config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} must hold JSON. Received: {error}.") from error
    check_card(card, file)
    return card
