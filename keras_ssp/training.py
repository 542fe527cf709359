"""One recipe: a config goes in, a trained model and a run folder come out."""

from __future__ import annotations

import csv
import dataclasses
import json
import pathlib
from typing import Any

import keras

from keras_ssp import penalties
from keras_ssp._checks import one_of, positive_int, real
from keras_ssp.callbacks import EnergyMonitor, PenaltySchedule
from keras_ssp.datasets import NAMES, ImageData, load
from keras_ssp.energy import EnergyReport, energy_report, hardware
from keras_ssp.models import small_cnn

PENALTIES = {
    "none": None,
    "synaptic": penalties.SynapticPenalty,
    "spike_count": penalties.SpikeCountPenalty,
    "balanced": penalties.BalancedPenalty,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides the result of one training run.

    Args:
        data: Name of the data set.
        width: Filters of the first convolution.
        time_steps: T.
        beta, threshold, reset, surrogate: Of all `LIF` layers.
        penalty: `"none"`, `"synaptic"`, `"spike_count"` or `"balanced"`.
        weight: lambda.
        p: Exponent of the penalty.
        normalize: Whether the penalty is divided by its largest possible value.
        ramp: Epochs over which lambda rises from 0, at most `epochs`.
        epochs, batch_size, learning_rate: Of Adam with cosine decay to 0.
        seed: Of the weights and of the order of the samples.
        energy_model: Name of the energy model.

    Raises:
        ValueError: If a value breaks its rule.
    """

    data: str = "digits"
    width: int = 16
    time_steps: int = 4
    beta: float = 0.5
    threshold: float = 1.0
    reset: str = "hard"
    surrogate: str = "triangle"
    penalty: str = "synaptic"
    weight: float = 0.0
    p: float = 1.0
    normalize: bool = True
    ramp: float = 0.0
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 2e-3
    seed: int = 0
    energy_model: str = "cmos45"

    def __post_init__(self) -> None:
        one_of("data", self.data, NAMES)
        one_of("penalty", self.penalty, tuple(PENALTIES))
        for name in ("width", "time_steps", "epochs", "batch_size"):
            positive_int(name, getattr(self, name))
        real("weight", self.weight, low=0.0)
        real("p", self.p, low=1.0)
        real("ramp", self.ramp, low=0.0, high=self.epochs)
        real("learning_rate", self.learning_rate, above=0.0)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise ValueError(
                f"`seed` must be an integer. Received: seed={self.seed!r}."
            )
        hardware.get(self.energy_model)

    def to_dict(self) -> dict[str, Any]:
        """The config as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        """Restores a config; unknown names are an error."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(
                f"A config must only have the names {', '.join(sorted(known))}. "
                f"Received: {', '.join(unknown)}."
            )
        return cls(**values)


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """What one training gave.

    Args:
        config: Its config.
        model: The trained model.
        history: Metric name to one value per epoch.
        validation_accuracy: On the validation part, which may choose.
        test_accuracy: On the test part, which only reports.
        report: The energy report on the test part.
    """

    config: TrainConfig
    model: keras.Model
    history: dict[str, list[float]]
    validation_accuracy: float
    test_accuracy: float
    report: EnergyReport

    def summary(self) -> dict[str, float]:
        """The numbers that runs are compared by; energies in pJ per image."""
        return {
            "weight": self.config.weight,
            "seed": self.config.seed,
            "validation_accuracy": self.validation_accuracy,
            "test_accuracy": self.test_accuracy,
            "synops": self.report.synops,
            "synaptic_energy_pj": self.report.synaptic_energy_pj,
            "energy_pj": self.report.energy_pj,
            "spike_rate": self.report.rate,
        }


def train(
    config: TrainConfig,
    run_dir: str | pathlib.Path | None = None,
    *,
    data: ImageData | None = None,
    overwrite: bool = False,
    verbose: int = 1,
) -> Run:
    """Trains a network and measures its accuracy and energy on the test part.

    Args:
        config: The config; the same config gives the same result on one machine.
        run_dir: Folder for `config.json`, `history.csv`, `model.keras`,
            `energy.json`, `energy.md`, `summary.json` and, with matplotlib,
            `energy.png` and `history.png`. Defaults to none.
        data: The data, if it is at hand already. Defaults to `load(config.data)`.
        overwrite: Whether a folder that holds files may be written into.
        verbose: 1 shows progress bars, 2 a line per epoch, 0 nothing.

    Returns:
        A `Run`.

    Raises:
        FileExistsError: If `run_dir` holds files and `overwrite` is off.
    """
    folder = None if run_dir is None else _prepared(pathlib.Path(run_dir), overwrite)
    data = load(config.data) if data is None else data
    keras.utils.set_random_seed(config.seed)
    model = build(config, data)
    callbacks: list[Any] = [
        EnergyMonitor(
            data.validation.x, energy_model=config.energy_model, batch_size=EVALUATION
        )
    ]
    if config.ramp and config.penalty != "none":
        callbacks.append(PenaltySchedule(config.weight, epochs=config.ramp))
    if folder is not None:
        (folder / "config.json").write_text(_json(config.to_dict()), encoding="utf-8")
        callbacks.append(keras.callbacks.CSVLogger(str(folder / "history.csv")))
    fitted = model.fit(
        data.train.x,
        data.train.y,
        batch_size=config.batch_size,
        epochs=config.epochs,
        validation_data=(data.validation.x, data.validation.y),
        validation_batch_size=EVALUATION,
        callbacks=callbacks,
        verbose=verbose,
    )
    run = Run(
        config=config,
        model=model,
        history={k: [float(v) for v in values] for k, values in fitted.history.items()},
        validation_accuracy=_accuracy(model, data.validation),
        test_accuracy=_accuracy(model, data.test),
        report=energy_report(
            model,
            data.test.x,
            energy_model=config.energy_model,
            batch_size=EVALUATION,
            verbose=1 if verbose == 1 else 0,
        ),
    )
    if folder is not None:
        _save(run, folder)
    return run


# Rows per batch where nothing is learned: large, so that few shapes are compiled.
EVALUATION = 500


def build(config: TrainConfig, data: ImageData) -> keras.Model:
    """The compiled network of a config, penalty included."""
    model = small_cnn(
        data.image_shape,  # type: ignore[arg-type]
        data.classes,
        width=config.width,
        time_steps=config.time_steps,
        beta=config.beta,
        threshold=config.threshold,
        reset=config.reset,
        surrogate=config.surrogate,
    )
    penalty = PENALTIES[config.penalty]
    if penalty is not None:
        penalties.penalize(
            model, penalty(config.weight, p=config.p, normalize=config.normalize)
        )
    steps = -(-len(data.train) // config.batch_size) * config.epochs
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(config.learning_rate, steps)
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def _accuracy(model: keras.Model, split: Any) -> float:
    found = model.evaluate(
        split.x, split.y, batch_size=EVALUATION, return_dict=True, verbose=0
    )
    return float(found["accuracy"])


def _prepared(folder: pathlib.Path, overwrite: bool) -> pathlib.Path:
    if folder.exists() and any(folder.iterdir()) and not overwrite:
        raise FileExistsError(
            f"`run_dir` must be a new or empty folder. Received: run_dir={folder}. "
            "Remedy: choose another one, or overwrite it (--overwrite)."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _save(run: Run, folder: pathlib.Path) -> None:
    run.model.save(folder / "model.keras")
    run.report.to_json(folder / "energy.json")
    run.report.to_markdown(folder / "energy.md")
    (folder / "summary.json").write_text(_json(run.summary()), encoding="utf-8")
    try:
        from keras_ssp import figures

        run.report.plot(folder / "energy.png")
        figures.history(run.history).savefig(folder / "history.png", dpi=150)
    except ImportError as error:
        print(f"No pictures: {error}")


def write_csv(path: pathlib.Path, rows: list[dict[str, Any]]) -> None:
    """Writes dicts with the same keys as CSV."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _json(values: Any) -> str:
    return json.dumps(values, indent=2) + "\n"
