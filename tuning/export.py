"""One network of a search, measured on the test part and saved under a version."""

from __future__ import annotations

import dataclasses
import pathlib

import keras

from keras_ssp import serving, training
from keras_ssp.datasets import ImageData, load
from keras_ssp.energy import EnergyReport
from keras_ssp.serving.versions import next_version
from keras_ssp.training import TrainConfig, evaluate
from keras_ssp.training.folder import write_json
from keras_ssp.tuner.records import TrialRecord
from keras_ssp.tuner.results import SearchResults, read_search
from keras_ssp.tuner.trial import run_folder
from keras_ssp.types import Config
from tuning.plan import Plan, plan_of


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Exported:
    """A network that was saved.

    Args:
        trial: The trial that it is of.
        folder: Where it is.
        test_accuracy: On the test part, which no trial has seen.
        report: Its energy there.
    """

    trial: TrialRecord
    folder: pathlib.Path
    test_accuracy: float
    report: EnergyReport


def export(
    folder: pathlib.Path,
    pick: str = "knee",
    out: pathlib.Path | None = None,
    *,
    retrain: bool = False,
    data: str | None = None,
    data_dir: str | None = None,
    verbose: int = 0,
) -> Exported:
    """Saves one network of a search, with its energy on the test part.

    Args:
        folder: The folder of the search.
        pick: As for `SearchResults.pick`.
        out: Folder of the model's versions; the next number is taken. Defaults to
            `saved_models/` and the name of the search.
        retrain: Whether to train it again, with the first seed of the trial, in place
            of taking the trial's network (of several seeds, the most accurate one).
        data: Name of the data set to measure on. Defaults to that of the search.
        data_dir: As for `keras_ssp.datasets.load`. Defaults to that of the search.
        verbose: 1 shows progress bars. Defaults to 0.

    Returns:
        What was saved: a SavedModel, as `keras_ssp.export` writes it, with
        `model.keras`, `energy.json`, `energy.md` and `pick.json` in `assets.extra/`.

    Raises:
        FileNotFoundError: If there is no search in the folder, or its network is gone.
        ValueError: If nothing fits `pick`, or the search does not tell what is needed.
    """
    results = read_search(folder)
    trial = results.pick(pick)
    plan = plan_of(folder)
    config = None if plan is None else config_of(plan, trial)
    where = data_dir or (plan.data_dir if plan else None)
    images = _data(data or (config.data if config else None), where, folder)
    if retrain:
        model = _retrained(config, images, folder, verbose)
    else:
        model = keras.saving.load_model(run_folder(trial.folder) / "model.keras")
    prices = config.energy_model if config else "cmos45"
    found = evaluate(model, images, prices, verbose=verbose)
    record: Config = {
        "search": results.name,
        "pick": pick,
        "retrained": retrain,
        "config": config.to_dict() if config else None,
        "test": {**found.summary(), "data": images.name},
        **trial.to_dict(),
    }
    target = serving.export(
        model,
        next_version(out or _default(results)),
        preprocessing=images,
        labels=images.labels,
        energy_model=prices,
        seed=config.seed if config else None,
        config=config.to_dict() if config else None,
        extra={"pick": pick, "trial": trial.trial},
        files={
            "model.keras": model.save,
            "energy.json": found.report.to_json,
            "energy.md": found.report.to_markdown,
            "pick.json": lambda path: write_json(path, record),
        },
    )
    return Exported(
        trial=trial,
        folder=target,
        test_accuracy=found.test_accuracy,
        report=found.report,
    )


def config_of(plan: Plan, trial: TrialRecord) -> TrainConfig:
    """The config that a trial was trained with, of its first seed."""
    seed = trial.seeds[0] if trial.seeds else plan.seed
    return plan.space.hypermodel().config_of(trial.values, seed)


def _data(name: str | None, data_dir: str | None, folder: pathlib.Path) -> ImageData:
    if name is None:
        raise ValueError(
            "`data` must be given for a search that was not made by `python -m tuning` "
            f"(--data digits, ...). Received: data=None, and no plan.json in {folder}."
        )
    return load(name, data_dir=data_dir)


def _retrained(
    config: TrainConfig | None, data: ImageData, folder: pathlib.Path, verbose: int
) -> keras.Model:
    if config is None:
        raise ValueError(
            "`retrain` must only be asked of a search that was made by "
            f"`python -m tuning`. Received: retrain=True, and no plan.json in {folder}."
        )
    return training.train(config, data=data, verbose=verbose).model


def _default(results: SearchResults) -> pathlib.Path:
    return pathlib.Path("saved_models") / results.name
