"""One recipe: a config goes in, a trained model and a run folder come out."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_ssp import models
from keras_ssp.callbacks import EnergyMonitor, PenaltySchedule
from keras_ssp.datasets import ImageData, Split, load
from keras_ssp.datasets import training_batches as pipeline
from keras_ssp.energy import EnergyReport, energy_report
from keras_ssp.penalties import binding as penalizing
from keras_ssp.training.checkpoint import EpochCheckpoint, checkpoint_epoch
from keras_ssp.training.config import TrainConfig
from keras_ssp.training.folder import keep_rows, prepared, read_history, write_json

# Rows per batch where nothing is learned: large, so that few shapes are compiled.
EVALUATION_BATCH = 500
# Validation images that are measured after every epoch; the report takes them all.
MONITORED = 1000


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """How good a network is, and what it costs.

    Args:
        validation_accuracy: On the validation part, which may choose.
        test_accuracy: On the test part, which only reports.
        report: The energy report on the test part.
    """

    validation_accuracy: float
    test_accuracy: float
    report: EnergyReport

    def summary(self) -> dict[str, float]:
        """The numbers that networks are compared by; energies in pJ per image."""
        return {
            "validation_accuracy": self.validation_accuracy,
            "test_accuracy": self.test_accuracy,
            "synops": self.report.synops,
            "synaptic_energy_pj": self.report.synaptic_energy_pj,
            "energy_pj": self.report.energy_pj,
            "spike_rate": self.report.rate,
        }


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Run(Evaluation):
    """What one training gave.

    Args:
        config: Its config.
        model: The trained model.
        history: Metric name to one value per epoch.
    """

    config: TrainConfig
    model: keras.Model
    history: dict[str, list[float]]


def train(
    config: TrainConfig,
    run_dir: str | pathlib.Path | None = None,
    *,
    data: ImageData | None = None,
    data_dir: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    verbose: int = 1,
) -> Run:
    """Trains a network and measures its accuracy and energy on the test part.

    With `run_dir` a checkpoint is written after every epoch. A run that was killed at
    any moment and is called again with `resume=True` loses at most one epoch and ends
    with the weights of the unbroken run.

    Args:
        config: The config; the same config gives the same result on one machine.
        run_dir: Folder for `config.json`, `history.csv`, `model.keras`,
            `energy.json`, `energy.md`, `summary.json` and, with matplotlib,
            `energy.png` and `history.png`. Defaults to none.
        data: The data, if it is at hand already. Defaults to `load(config.data)`.
        data_dir: As for `keras_ssp.datasets.load`.
        resume: Whether to go on from the checkpoint in `run_dir`, if there is one.
        overwrite: Whether to throw away what is in `run_dir`.
        verbose: 1 shows progress bars, 2 a line per epoch, 0 nothing.

    Returns:
        A `Run`.

    Raises:
        FileExistsError: If `run_dir` holds files, and neither `resume` nor
            `overwrite` is on.
        ValueError: If the run to resume has another config.

    Example:

    >>> run = train(TrainConfig(epochs=1, width=0.25), verbose=0)
    >>> sorted(run.summary())[:2]
    ['energy_pj', 'spike_rate']
    """
    folder = None
    if run_dir is not None:
        folder = prepared(pathlib.Path(run_dir), config, resume, overwrite)
    data = load(config.data, data_dir=data_dir) if data is None else data
    data = data.limited(config.train_samples)
    keras.utils.set_random_seed(config.seed)
    with _policy(config.precision):
        model = build(config, data)
    history = _fit(model, config, data, folder, verbose)
    found = evaluate(model, data, config.energy_model, verbose=verbose)
    run = Run(config=config, model=model, history=history, **vars(found))
    if folder is not None:
        _save(run, folder)
    return run


def build(config: TrainConfig, data: ImageData) -> keras.Model:
    """The compiled network of a config, penalty included."""
    neuron: dict[str, Any] = {}
    if config.activation == "lif":
        neuron = {
            name: getattr(config, name)
            for name in ("beta", "threshold", "reset", "surrogate")
        }
    model = models.get(config.model)(
        data.sample_shape,
        data.classes,
        width=config.width,
        time_steps=config.time_steps,
        activation=config.activation,
        pooling=config.pooling,
        **neuron,
    )
    penalty = config.make_penalty()
    if penalty is not None:
        penalizing.penalize(model, penalty)
    model.compile(
        _optimizer(config, pipeline.steps_per_epoch(data, config.batch_size)),
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=config.label_smoothing
        ),
        metrics=["accuracy"],
    )
    return model


def evaluate(
    model: keras.Model, data: ImageData, energy_model: Any = "cmos45", verbose: int = 0
) -> Evaluation:
    """Measures a network on the validation and the test part.

    Args:
        model: A network that returns logits.
        data: The data; it is normalised here.
        energy_model: As for `energy_report`.
        verbose: 1 shows a progress bar.

    Returns:
        An `Evaluation`.
    """
    return Evaluation(
        validation_accuracy=_accuracy(model, data, data.validation),
        test_accuracy=_accuracy(model, data, data.test),
        report=energy_report(
            model,
            data.normalized(data.test.x),
            energy_model=energy_model,
            batch_size=EVALUATION_BATCH,
            verbose=1 if verbose == 1 else 0,
        ),
    )


def _accuracy(model: keras.Model, data: ImageData, split: Split) -> float:
    logits = model.predict(
        data.normalized(split.x), batch_size=EVALUATION_BATCH, verbose=0
    )
    return float(np.mean(np.argmax(logits, axis=-1) == split.y))


def _optimizer(config: TrainConfig, steps: int) -> keras.optimizers.Optimizer:
    warmup = round(config.warmup * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else config.learning_rate,
        max(config.epochs * steps - warmup, 1),
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    common = {
        "weight_decay": config.weight_decay,
        "global_clipnorm": config.clip_norm,
    }
    if config.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            rate, momentum=config.momentum, nesterov=config.momentum > 0, **common
        )
    else:
        optimizer = keras.optimizers.AdamW(rate, **common)
    # A decayed threshold or batch-norm scale would change the energy by itself.
    optimizer.exclude_from_weight_decay(
        var_names=["beta", "gamma", "bias", "threshold"]
    )
    return optimizer


def _fit(
    model: keras.Model,
    config: TrainConfig,
    data: ImageData,
    folder: pathlib.Path | None,
    verbose: int,
) -> dict[str, list[float]]:
    first = 0
    if folder is not None:
        first = checkpoint_epoch(folder, model)
        keep_rows(folder / "history.csv", first)
    val_x = data.normalized(data.validation.x)
    callbacks: list[Any] = [
        EnergyMonitor(
            val_x[:MONITORED],
            energy_model=config.energy_model,
            batch_size=EVALUATION_BATCH,
        )
    ]
    if config.ramp and config.penalty != "none":
        callbacks.append(PenaltySchedule(config.weight, epochs=config.ramp))
    if folder is not None:  # history first: the checkpoint vouches for its row
        callbacks.append(
            keras.callbacks.CSVLogger(str(folder / "history.csv"), append=first > 0)
        )
        callbacks.append(EpochCheckpoint(folder))
    history = keras.callbacks.History()
    if first < config.epochs:
        model.fit(
            pipeline.training_batches(
                data,
                batch_size=min(config.batch_size, len(data.train)),
                seed=config.seed,
                augment=pipeline.augmentation(config.augment, data),
                first_epoch=first,
            ),
            steps_per_epoch=pipeline.steps_per_epoch(data, config.batch_size),
            initial_epoch=first,
            epochs=config.epochs,
            validation_data=(
                val_x,
                np.eye(data.classes, dtype="float32")[data.validation.y],
            ),
            validation_batch_size=EVALUATION_BATCH,
            shuffle=False,  # the batches come shuffled
            callbacks=[*callbacks, history],
            verbose=verbose,
        )
    if folder is not None:
        return read_history(folder / "history.csv")
    return {k: [float(v) for v in values] for k, values in history.history.items()}


@contextlib.contextmanager
def _policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _save(run: Run, folder: pathlib.Path) -> None:
    run.model.save(folder / "model.keras")
    run.report.to_json(folder / "energy.json")
    run.report.to_markdown(folder / "energy.md")
    try:
        from keras_ssp import figures

        run.report.plot(folder / "energy.png")
        figures.history(run.history, folder / "history.png")
    except ImportError as error:
        print(f"No pictures: {error}")
    write_json(folder / "summary.json", run.summary())  # last: the run is complete
