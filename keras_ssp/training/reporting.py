"""Energy reports of models on disk."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import keras

from keras_ssp._checks import positive_int
from keras_ssp.datasets import load
from keras_ssp.energy import EnergyReport, energy_report, hardware
from keras_ssp.training.run import EVALUATION_BATCH


def report_on(
    path: str | pathlib.Path,
    *,
    data: str | None = None,
    data_dir: str | None = None,
    samples: int | None = None,
    energy_model: Any = "cmos45",
    verbose: int = 0,
) -> EnergyReport:
    """Measures a saved model on the test part of a data set.

    Args:
        path: A run folder of `keras_ssp.training.train`, or a `.keras` file.
        data: Name of the data set. Defaults to the one the run was trained on.
        data_dir: As for `keras_ssp.datasets.load`.
        samples: Test images to use at most. Defaults to all.
        energy_model: As for `energy_report`.
        verbose: 1 shows a progress bar. Defaults to 0.

    Returns:
        An `EnergyReport`.

    Raises:
        FileNotFoundError: If there is no model at `path`.
        ValueError: If `data` is needed and not given, or an argument breaks its rule.
    """
    energy = hardware.get(energy_model)  # a typing error shows before anything is read
    samples = positive_int("samples", samples, optional=True)
    path = pathlib.Path(path)
    file = path / "model.keras" if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(
            "`path` must be a run folder with a model.keras, or a .keras file. "
            f"Received: path={path}."
        )
    if data is None:
        data = _trained_on(file.with_name("config.json"))
    images = load(data, data_dir=data_dir)
    model = keras.saving.load_model(file)
    return energy_report(
        model,
        images.normalized(images.test.x[:samples]),
        energy_model=energy,
        batch_size=EVALUATION_BATCH,
        verbose=1 if verbose == 1 else 0,
    )


def _trained_on(config: pathlib.Path) -> str:
    if not config.is_file():
        raise ValueError(
            "`data` must be given for a model without a config.json beside it "
            f"(--data digits, ...). Received: data=None, and no {config}."
        )
    return str(json.loads(config.read_text(encoding="utf-8"))["data"])
