"""Trained networks that a frontier may be made of: of searches, studies and runs."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence

from keras_ssp.training.folder import RunFolder, read_json
from keras_ssp.types import Config, StrPath


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
    """A trained network that may be exported.

    Args:
        name: What it is called where it was trained.
        folder: The folder of its `model.keras`.
        accuracy: On the validation part, which may choose.
        energy_pj: Synaptic energy per sample that it was chosen by.
        config: Config of its training, if known.
    """

    name: str
    folder: pathlib.Path
    accuracy: float
    energy_pj: float
    config: Config | None = None


def read_candidates(source: StrPath | Sequence[StrPath]) -> list[Candidate]:
    """The trained networks of a search, of a study, or in run folders.

    Raises:
        FileNotFoundError: If there is none.
    """
    if isinstance(source, str | os.PathLike):
        folder = pathlib.Path(source)
        if (folder / "search.json").is_file():
            found = _of_search(folder)
        elif (folder / "results.csv").is_file():
            found = _of_study(folder)
        else:
            found = _of_runs([folder])
    else:
        found = _of_runs([pathlib.Path(each) for each in source])
    if not found:
        raise FileNotFoundError(
            "`source` must be the folder of a search or of a study, or run folders, "
            f"with trained networks. Received: source={source}, without one."
        )
    return found


def _of_search(folder: pathlib.Path) -> list[Candidate]:
    from keras_ssp.tuner.results import read_search
    from keras_ssp.tuner.trial import run_folder

    results = read_search(folder)
    quality = results.quality
    sign = 1.0 if quality.direction == "max" else -1.0  # of a loss
    plan: Config = read_json(folder / "plan.json") or {}
    train = plan.get("space", {}).get("train", {})
    return [
        Candidate(
            name=trial.trial,
            folder=run_folder(trial.folder),
            accuracy=sign * trial.metrics[quality.name],
            energy_pj=trial.metrics[results.cost.name],
            config={**train, **trial.values, "seed": (*trial.seeds, None)[0]},
        )
        for trial in results.completed
    ]


def _of_study(folder: pathlib.Path) -> list[Candidate]:
    from keras_ssp.studies.results import CONVERTED, RESULTS, read_results

    return [
        Candidate(
            name=result.key,
            folder=folder / result.key,
            accuracy=result.validation_accuracy,
            energy_pj=result.synaptic_energy_pj,
            config=read_json(folder / result.key / "config.json"),
        )
        for result in read_results(folder / RESULTS)
        # A converted network is made of the one that was trained, and not kept.
        if result.series != CONVERTED
        and (folder / result.key / "model.keras").is_file()
    ]


def _of_runs(folders: Iterable[pathlib.Path]) -> list[Candidate]:
    found = []
    for folder in folders:
        run = RunFolder(folder)
        summary = read_json(run.summary_file)
        if summary is None or not run.model_file.is_file():
            raise FileNotFoundError(
                "`source` must be the folder of a search or of a study, or run "
                f"folders of `train`. Received: {folder}, which is none."
            )
        found.append(
            Candidate(
                name=folder.name,
                folder=folder,
                accuracy=summary["validation_accuracy"],
                energy_pj=summary["synaptic_energy_pj"],
                config=read_json(run.config_file),
            )
        )
    return found
