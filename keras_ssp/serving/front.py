"""A whole frontier behind one name: the picked networks as labelled versions."""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from keras_ssp import datasets, pareto
from keras_ssp._picks import RULES, pick
from keras_ssp.datasets import ImageData
from keras_ssp.serving.candidates import Candidate, read_candidates
from keras_ssp.serving.card import read_card
from keras_ssp.serving.export import export
from keras_ssp.serving.versions import next_version, whole
from keras_ssp.training.folder import write_json
from keras_ssp.types import Config, StrPath

FRONT, MODEL_CONFIG = "front.json", "model_config"
FRONT_SCHEMA = 1
#: Label of a version to the rule that picks its network.
PICKS: Mapping[str, str] = {"eco": "within=10", "knee": "knee", "accurate": "best"}


def export_front(
    source: StrPath | Sequence[StrPath],
    path: StrPath,
    *,
    picks: Mapping[str, str] | None = None,
    data: str | ImageData | None = None,
    data_dir: str | None = None,
    raw: bool = True,
    labels: Iterable[str] | None = None,
    output: str | None = None,
    base_path: str | None = None,
    verbose: int = 0,
) -> dict[str, int]:
    """Exports the picked networks of a frontier as versions of one model.

    Each gets the next version number, by rising energy, so that the one that answers
    when no version is asked for (the highest, by TensorFlow Serving's rule) is the most
    accurate. Beside the versions lie `front.json` (labels, accuracy and energy of each,
    on the test part) and `model_config`, which TensorFlow Serving reads
    (`--model_config_file`, with `--allow_version_labels_for_unavailable_models`).
    Versions of an earlier frontier stay on disk, and are no longer served.

    Args:
        source: Folder of a search (`python -m tuning search`, `ParetoTuner`) or of a
            study (`keras-ssp compare`); or run folders of `train`.
        path: Folder of the model, such as `"saved_models/digits"`.
        picks: Label to the rule that picks a network: `"knee"`, `"best"`,
            `"within=POINTS"`, `"budget=ENERGY"`, or the name of a trial or run; as for
            `SearchResults.pick`. Defaults to `{"eco": "within=10", "knee": "knee",
            "accurate": "best"}`.
        data: Name of the data set to measure on, or the data. Defaults to what the
            networks were trained on.
        data_dir: As for `keras_ssp.datasets.load`.
        raw: Whether the networks take samples as they are stored, with the
            normalisation inside. Defaults to `True`.
        labels: Names of the classes. Defaults to those of the data set.
        output: As for `export`.
        base_path: The model's folder as TensorFlow Serving sees it. Defaults to
            `/models/` and the name, as in its Docker image.
        verbose: 1 prints a line per network. Defaults to 0.

    Returns:
        Label to version.

    Raises:
        FileNotFoundError: If there is no trained network at `source`.
        ValueError: If a rule picks nothing, or the data is not known.

    Example:

    >>> from keras_ssp.training import TrainConfig, train
    >>> config = TrainConfig(epochs=1, width=0.25, time_steps=1, train_samples=64)
    >>> _ = train(config, "runs/mine", verbose=0)
    >>> picks = {"eco": "within=10", "accurate": "best"}
    >>> export_front(["runs/mine"], "saved_models/digits", picks=picks)
    {'eco': 1, 'accurate': 1}
    """
    candidates = read_candidates(source)
    chosen = _chosen(candidates, dict(PICKS if picks is None else picks))
    images = _images(data, candidates[0], source, data_dir)
    folder = pathlib.Path(path)
    versions: list[Config] = []
    for place, names in sorted(
        chosen.items(), key=lambda item: candidates[item[0]].energy_pj
    ):
        candidate = candidates[place]
        model = keras.saving.load_model(candidate.folder / "model.keras")
        target = export(
            model,
            next_version(folder),
            output=output,
            preprocessing=images if raw else None,
            data=images,
            labels=images.labels if labels is None else labels,
            config=candidate.config,
            seed=(candidate.config or {}).get("seed"),
            energy_model=(candidate.config or {}).get("energy_model", "cmos45"),
            extra={"source": candidate.name, "labels": names, "pareto_rank": 0},
        )
        versions.append(_entry(target, candidate, names))
        if verbose:
            print(line(versions[-1]))
    found = {label: v["version"] for v in versions for label in v["labels"]}
    _write_front(folder, versions, found, source, base_path)
    return found


def _chosen(
    candidates: Sequence[Candidate], picks: Mapping[str, str]
) -> dict[int, list[str]]:
    """The places of the networks to export, each with its labels."""
    points: list[pareto.Point] = [(c.energy_pj, c.accuracy) for c in candidates]
    names = [candidate.name for candidate in candidates]
    found: dict[int, list[str]] = {}
    for label, which in picks.items():
        place = pick(which, points)
        if place is None and which in names:
            place = names.index(which)
        if place is None:
            raise ValueError(
                f"`picks` must hold {RULES}, or the name of a network. Received: "
                f"{label}={which!r}."
            )
        found.setdefault(place, []).append(label)
    return found


def _images(
    data: str | ImageData | None,
    candidate: Candidate,
    source: object,
    data_dir: str | None,
) -> ImageData:
    name = data if data is not None else (candidate.config or {}).get("data")
    if name is None:
        raise ValueError(
            "`data` must be given: where the networks were trained nothing says on "
            f"what. Received: data=None, source={source}."
        )
    return datasets.load(name, data_dir=data_dir) if isinstance(name, str) else name


def _entry(target: pathlib.Path, candidate: Candidate, labels: list[str]) -> Config:
    card = read_card(target)
    return {
        "version": int(target.name),
        "labels": labels,
        "source": candidate.name,
        "accuracy": card["evaluation"]["accuracy"],
        "energy_joules": card["energy"]["energy_joules"],
        "synaptic_energy_joules": card["energy"]["synaptic_energy_joules"],
        "validation_accuracy": candidate.accuracy,
    }


def line(entry: Mapping[str, Any]) -> str:
    """One version of a frontier, for people."""
    return (
        f"version {entry['version']} ({', '.join(entry['labels'])}): "
        f"{100 * entry['accuracy']:.2f} % at {1e9 * entry['energy_joules']:.4g} nJ, "
        f"{1e9 * entry['synaptic_energy_joules']:.4g} nJ of it synaptic"
    )


def _write_front(
    folder: pathlib.Path,
    versions: Sequence[Config],
    labels: Mapping[str, int],
    source: object,
    base_path: str | None,
) -> None:
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    numbers = [version["version"] for version in versions]
    name = folder.resolve().name
    with whole(folder / MODEL_CONFIG, overwrite=True) as partial:
        partial.write_text(
            model_config(name, base_path or f"/models/{name}", numbers, labels),
            encoding="utf-8",
        )
    # Last: a server takes up the versions that it names, all at once.
    with whole(folder / FRONT, overwrite=True) as partial:
        write_json(
            partial,
            {
                "schema": "keras_ssp/front",
                "schema_version": FRONT_SCHEMA,
                "name": name,
                "created": created,
                "source": str(source),
                "labels": dict(labels),
                "versions": list(versions),
            },
        )


def model_config(
    name: str, base_path: str, versions: Sequence[int], labels: Mapping[str, int]
) -> str:
    """What TensorFlow Serving's `--model_config_file` holds, for one model.

    Example:

    >>> print(model_config("digits", "/models/digits", [3], {"eco": 3}), end="")
    model_config_list {
      config {
        name: "digits"
        base_path: "/models/digits"
        model_platform: "tensorflow"
        model_version_policy {
          specific {
            versions: 3
          }
        }
        version_labels {
          key: "eco"
          value: 3
        }
      }
    }
    """
    lines = ["model_config_list {", "  config {", f'    name: "{name}"']
    lines += [f'    base_path: "{base_path}"', '    model_platform: "tensorflow"']
    lines += ["    model_version_policy {", "      specific {"]
    lines += [f"        versions: {number}" for number in versions]
    lines += ["      }", "    }"]
    for label, number in labels.items():
        lines += ["    version_labels {", f'      key: "{label}"']
        lines += [f"      value: {number}", "    }"]
    return "\n".join([*lines, "  }", "}"]) + "\n"
