"""Trained models on disk, together with the data that they were trained on."""

from __future__ import annotations

import dataclasses
import pathlib

import keras

from keras_ssp import datasets
from keras_ssp.datasets import ImageData
from keras_ssp.datasets.registry import is_name
from keras_ssp.energy import EnergyReport, energy_report
from keras_ssp.energy.hardware import EnergyModelLike
from keras_ssp.training.config import TrainConfig
from keras_ssp.training.evaluation import EVALUATION_BATCH
from keras_ssp.training.folder import RunFolder, differences
from keras_ssp.types import Config, StrPath


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SavedRun:
    """A trained model and its data, as `load_run` finds them.

    Args:
        model: The model.
        data: The data to measure it on.
        config: The config of its training, `None` for a model without one.
        notes: What its reports must say of the data.
    """

    model: keras.Model
    data: ImageData
    config: TrainConfig | None = None
    notes: tuple[str, ...] = ()

    def report(
        self,
        *,
        samples: int | None = None,
        energy_model: EnergyModelLike = "cmos45",
        verbose: int = 0,
    ) -> EnergyReport:
        """Measures the model on the test part.

        Args:
            samples: Test samples to use at most. Defaults to all.
            energy_model: As for `energy_report`.
            verbose: 1 shows a progress bar. Defaults to 0.
        """
        report = energy_report(
            self.model,
            self.data.inputs("test").take(samples).x,
            energy_model=energy_model,
            batch_size=EVALUATION_BATCH,
            verbose=1 if verbose == 1 else 0,
        )
        return dataclasses.replace(report, notes=(*report.notes, *self.notes))


def load_run(
    path: StrPath,
    *,
    data: str | ImageData | None = None,
    data_dir: str | None = None,
) -> SavedRun:
    """Loads what a training left: its model, its config and the data.

    The data must be that which the run was trained on: what `data.json` says of its
    test part and normalisation is compared. Data of another name that is asked for is
    taken, and the reports say so.

    Args:
        path: A run folder of `train`, or a `.keras` file.
        data: Name of a data set, or the data. Defaults to what the run was trained on.
        data_dir: As for `keras_ssp.datasets.load`.

    Returns:
        A `SavedRun`.

    Raises:
        FileNotFoundError: If there is no model at `path`.
        ValueError: If the data must be given, cannot be loaded by its name, or is not
            that which the run was trained on.

    Example:

    >>> from keras_ssp.training import TrainConfig, train
    >>> _ = train(TrainConfig(epochs=1, width=0.25), "runs/mine", verbose=0)
    >>> run = load_run("runs/mine")
    >>> run.data.name, run.report(samples=10).samples
    ('digits', 10)
    """
    path = pathlib.Path(path)
    file = path / "model.keras" if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(
            "`path` must be a run folder with a model.keras, or a .keras file. "
            f"Received: path={path}."
        )
    folder = RunFolder(file.parent)
    config = folder.config()
    found = _data(data, config, folder, data_dir)
    return SavedRun(
        model=_load(file),
        data=found,
        config=config,
        notes=_notes(found, config, folder.data_record()),
    )


def _load(file: pathlib.Path) -> keras.Model:
    try:
        return keras.saving.load_model(file)
    except Exception as error:  # of zip, HDF5, JSON or Keras, depending on the damage
        raise ValueError(
            f"`path` must be a whole saved model: {file} cannot be read "
            f"({type(error).__name__}: {error}). Remedy: train again; or, where the "
            "model has layers of your own, import the module that registers them "
            "(--import)."
        ) from error


def _data(
    data: str | ImageData | None,
    config: TrainConfig | None,
    folder: RunFolder,
    data_dir: str | None,
) -> ImageData:
    if data is None:
        if config is None:
            raise ValueError(
                "`data` must be given for a model without a config.json beside it "
                f"(--data digits, ...). Received: data=None, and no "
                f"{folder.config_file}."
            )
        data = config.data
        if not is_name(data):
            raise ValueError(
                f"The run in {folder.path} was trained on data named '{data}', which "
                f"is no data set known by name ({', '.join(datasets.names())}). "
                "Remedy: import the module that registers it (--import my_module; "
                "`keras_ssp.datasets.register`), or give the data (`data=` an "
                "ImageData; --data for another data set)."
            )
    if isinstance(data, str):
        data = datasets.load(data, data_dir=data_dir)
    record = folder.data_record()
    if record is not None and record["name"] == data.name:
        _check_same(record, data, folder)
    return data


def _check_same(record: Config, data: ImageData, folder: RunFolder) -> None:
    # What was trained on may be a part of the data set; what is measured may not.
    different = set(differences(record, data)) - {"train", "validation"}
    if different:
        raise ValueError(
            f"`data` must be that which the run in {folder.path} was trained on, but "
            f"'{data.name}' differs in {', '.join(sorted(different))}. Received: "
            f"fingerprint {data.fingerprint}, was {record['fingerprint']} "
            f"({folder.data_file})."
        )


def _notes(
    data: ImageData, config: TrainConfig | None, record: Config | None
) -> tuple[str, ...]:
    name = record["name"] if record else config.data if config else None
    if name is None:
        return ()
    if record is not None and record["fingerprint"] == data.fingerprint:
        return ()  # a file that has moved is the same data
    if name != data.name:
        return (f"measured on '{data.name}', trained on '{name}'",)
    if record is None:
        return (
            f"the run folder has no data.json: '{name}' is what its config names, and "
            "may not be what it was trained on",
        )
    return ()
