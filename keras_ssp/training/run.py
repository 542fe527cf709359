"""One recipe: a config goes in, a trained model and a run folder come out."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

import keras

from keras_ssp import models, penalties
from keras_ssp._checks import boolean
from keras_ssp._files import replacing, write_text
from keras_ssp.callbacks import EnergyMonitor, PenaltySchedule
from keras_ssp.datasets import ImageData, TrainingBatches, load
from keras_ssp.datasets.augmentation import augmentation
from keras_ssp.training.budget import BudgetKept, budget_kept, energy_budget
from keras_ssp.training.checkpoint import EpochCheckpoint, EpochRows, checkpoint_epoch
from keras_ssp.training.config import TrainConfig
from keras_ssp.training.evaluation import EVALUATION_BATCH, Evaluation, evaluate
from keras_ssp.training.folder import RunFolder, keep_rows, write_json
from keras_ssp.training.optimizers import get_optimizer
from keras_ssp.types import StrPath

# Validation images that are measured after every epoch; the report takes them all.
MONITORED = 1000


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Run(Evaluation):
    """What one training gave.

    Args:
        config: Its config; `config.data` is the name of what it was trained on.
        model: The trained model.
        history: Metric name to one value per epoch.
        budget: How the budget was kept, `None` without one.
    """

    config: TrainConfig
    model: keras.Model
    history: dict[str, list[float]]
    budget: BudgetKept | None = None

    def summary(self) -> dict[str, float]:
        kept = {} if self.budget is None else self.budget.summary()
        return {**super().summary(), **kept}


def train(
    config: TrainConfig,
    run_dir: StrPath | None = None,
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
        run_dir: Folder for `config.json`, `data.json`, `history.csv`, `model.keras`,
            `energy.json`, `energy.md`, `summary.json` and, with matplotlib,
            `energy.png` and `history.png`. Defaults to none.
        data: The data, if it is at hand already; the config of the run then has its
            name. Defaults to `load(config.data)`.
        data_dir: As for `keras_ssp.datasets.load`.
        resume: Whether to go on from the checkpoint in `run_dir`, if there is one.
        overwrite: Whether to throw away what is in `run_dir`.
        verbose: 1 shows progress bars, 2 a line per epoch, 0 nothing.

    Returns:
        A `Run`.

    Raises:
        FileExistsError: If `run_dir` holds files, and neither `resume` nor
            `overwrite` is on.
        ValueError: If the run to resume has another config, was started with other
            data, or its files are damaged.
        RuntimeError: If another process trains in `run_dir`.

    Example:

    >>> run = train(TrainConfig(epochs=1, width=0.25), verbose=0)
    >>> sorted(run.summary())[:2]
    ['energy_pj', 'spike_rate']
    """
    if data is not None and data.name != config.data:
        config = config.with_data(data.name)
    resume, overwrite = boolean("resume", resume), boolean("overwrite", overwrite)
    folder = None if run_dir is None else RunFolder(run_dir)
    with contextlib.nullcontext() if folder is None else folder.held():
        if folder is not None:
            folder.prepare(config, resume=resume, overwrite=overwrite)
        return _train(config, folder, data, data_dir, verbose)


def _train(
    config: TrainConfig,
    folder: RunFolder | None,
    data: ImageData | None,
    data_dir: str | None,
    verbose: int,
) -> Run:
    data = load(config.data, data_dir=data_dir) if data is None else data
    if folder is not None:
        folder.record_data(data)
    data = data.limited(config.train_samples)
    keras.utils.set_random_seed(config.seed)
    with _policy(config.precision):
        model = build(config, data)
    history = _fit(model, config, data, folder, verbose)
    found = evaluate(model, data, config.energy_model, verbose=verbose)
    kept = budget_kept(model, data, config.budget_pj, config.energy_model)
    run = Run(config=config, model=model, history=history, budget=kept, **vars(found))
    if folder is not None:
        _save(run, folder)
    return run


def build(config: TrainConfig, data: ImageData) -> keras.Model:
    """The compiled network of a config, penalty included."""
    model = models.get(config.model)(
        data.sample_shape,
        data.classes,
        width=config.width,
        time_steps=config.time_steps,
        activation=config.activation,
        pooling=config.pooling,
        **config.neuron_arguments(),
    )
    penalty = config.make_penalty()
    if penalty is not None:
        penalties.penalize(model, penalty)
    model.compile(
        _optimizer(config, _batches(config, data).steps_per_epoch),
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=config.label_smoothing
        ),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    # With the variables of both made, TensorFlow traces the step once, not twice.
    model.optimizer.build(model.trainable_variables)
    return model


def fit(
    model: keras.Model,
    config: TrainConfig,
    data: ImageData,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    folder: RunFolder | None = None,
    first_epoch: int = 0,
    verbose: int = 0,
) -> keras.callbacks.History:
    """Trains the network of a config on data, as `train` does, and nothing else.

    Args:
        model: The network, as `build` makes it.
        config: The config; what steers lambda (its budget, its ramp) is at work here.
        data: The data.
        callbacks: Further callbacks.
        folder: Where a budget keeps its state. Defaults to nowhere.
        first_epoch: Epochs that are done already. Defaults to 0.
        verbose: As for `keras.Model.fit`. Defaults to 0.

    Returns:
        The `History`.
    """
    batches = _batches(config, data, first_epoch)
    validation = data.inputs("validation")
    steering = [*energy_budget(config, validation.x, folder), *_ramp(config)]
    found: keras.callbacks.History = model.fit(
        batches.stream(),
        steps_per_epoch=batches.steps_per_epoch,
        initial_epoch=first_epoch,
        epochs=config.epochs,
        validation_data=(validation.x, validation.one_hot),
        validation_batch_size=EVALUATION_BATCH,
        shuffle=False,  # the batches come shuffled
        callbacks=[*steering, *callbacks],
        verbose=verbose,
    )
    return found


def _batches(
    config: TrainConfig, data: ImageData, first_epoch: int = 0
) -> TrainingBatches:
    return TrainingBatches(
        data=data,
        batch_size=min(config.batch_size, len(data.train)),
        seed=config.seed,
        augmentation=augmentation(config.augment, data),
        first_epoch=first_epoch,
    )


def _optimizer(config: TrainConfig, steps: int) -> keras.optimizers.Optimizer:
    warmup = round(config.warmup * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else config.learning_rate,
        max(config.epochs * steps - warmup, 1),
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    make = get_optimizer(config.optimizer)
    optimizer = make(learning_rate=rate, **config.optimizer_arguments())
    # A decayed threshold or batch-norm scale would change the energy by itself.
    optimizer.exclude_from_weight_decay(
        var_names=["beta", "gamma", "bias", "threshold"]
    )
    return optimizer


def _fit(
    model: keras.Model,
    config: TrainConfig,
    data: ImageData,
    folder: RunFolder | None,
    verbose: int,
) -> dict[str, list[float]]:
    first = 0
    if folder is not None:
        first = checkpoint_epoch(folder.path, model, config.epochs)
        keep_rows(folder.history_file, first)
    history = keras.callbacks.History()
    if first < config.epochs:
        validation = data.inputs("validation")
        callbacks = [
            EnergyMonitor(
                validation.x[:MONITORED],
                energy_model=config.energy_model,
                batch_size=EVALUATION_BATCH,
            ),
            *_records(folder, first),
            history,
        ]
        fit(
            model,
            config,
            data,
            callbacks=callbacks,
            folder=folder,
            first_epoch=first,
            verbose=verbose,
        )
    if folder is not None:
        return folder.history()
    return {k: [float(v) for v in values] for k, values in history.history.items()}


def _ramp(config: TrainConfig) -> list[keras.callbacks.Callback]:
    if config.ramp and config.penalty != "none":
        return [PenaltySchedule(config.weight, epochs=config.ramp)]
    return []


def _records(
    folder: RunFolder | None, first_epoch: int
) -> list[keras.callbacks.Callback]:
    """What writes into the run folder."""
    if folder is None:
        return []
    return [  # history first: a checkpoint comes after its row
        EpochRows(str(folder.history_file), append=first_epoch > 0),
        EpochCheckpoint(folder.path),
    ]


@contextlib.contextmanager
def _policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _save(run: Run, folder: RunFolder) -> None:
    with replacing(folder.model_file, suffix=".partial.keras") as partial:
        run.model.save(partial)
    write_text(folder.path / "energy.json", run.report.to_json())
    write_text(folder.path / "energy.md", run.report.to_markdown())
    try:
        from keras_ssp import figures

        run.report.plot(folder.path / "energy.png")
        figures.history(run.history, folder.path / "history.png")
    except ImportError as error:
        print(f"No pictures: {error}")
    write_json(folder.summary_file, run.summary())  # last: the run is complete
