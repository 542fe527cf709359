"""Pictures of the spikes in TensorBoard, epoch by epoch."""

from __future__ import annotations

import io
import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_ssp import _tensorboard, figures
from keras_ssp._checks import one_of, path, positive_int
from keras_ssp.datasets.inputs import first_inputs
from keras_ssp.energy import Recording, record
from keras_ssp.types import Data, Figure, Logs, StrPath

_DRAWN: dict[str, Callable[[Recording], Figure]] = {
    "raster": figures.raster,
    "rates": figures.spike_rates,
    "time": figures.spikes_over_time,
}


class SpikeImages(keras.callbacks.Callback):
    """Draws the spikes of every layer into TensorBoard, after each epoch.

    `tensorboard --logdir LOG_DIR` shows them under Images, with a slider over the
    epochs. It works beside `keras.callbacks.TensorBoard` on the same folder, and on
    every backend.

    Args:
        log_dir: Folder of TensorBoard's files.
        data: What is drawn, as for `keras_ssp.energy_report`; of arrays and datasets
            the first `samples`.
        kinds: Pictures to draw: `"raster"` (when each neuron fired, first sample),
            `"rates"` (how many neurons have which rate) and `"time"` (how many fire at
            each step). Defaults to all.
        every: Positive integer, epochs from one picture to the next. Defaults to 1.
        samples: Positive integer, samples that rates are taken over. Defaults to 32.

    Raises:
        ValueError: If a kind is unknown, or a number none as above.
        ImportError: When `fit` starts, if TensorBoard or matplotlib is missing.

    Example:

    >>> images = SpikeImages("runs/logs", np.ones((8, 4), "float32"), kinds=["raster"])
    """

    def __init__(
        self,
        log_dir: StrPath,
        data: Data,
        *,
        kinds: Sequence[str] = tuple(_DRAWN),
        every: int = 1,
        samples: int = 32,
    ) -> None:
        super().__init__()
        self.log_dir = pathlib.Path(path("log_dir", log_dir))
        self.data = data
        if isinstance(kinds, str) or not kinds:
            raise ValueError(
                f"`kinds` must be a list of {', '.join(_DRAWN)}. Received: {kinds!r}."
            )
        self.kinds = [one_of("kinds", kind, tuple(_DRAWN)) for kind in kinds]
        self.every = positive_int("every", every)
        self.samples = positive_int("samples", samples)
        self._file: Any = None
        self._records: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        first_inputs(self.data, self.model, self.samples)
        figures.new_figure()  # without matplotlib it fails here, not after an epoch
        self.log_dir.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{os.getpid()}.spikes"
        self._file = open(self.log_dir / name, "ab")
        try:
            self._records = _tensorboard.records(self._file)
        except ImportError:
            self.on_train_end()
            raise

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if (epoch + 1) % self.every:
            return
        recording = record(self.model, self.data, samples=self.samples)
        summary = _tensorboard.new_summary()
        for kind in self.kinds:
            figure = _DRAWN[kind](recording)
            written = io.BytesIO()
            figure.savefig(written, format="png", dpi=100)
            width, height = figure.get_size_inches() * 100
            value = summary.value.add(tag=f"spikes/{kind}")
            value.image.width, value.image.height = int(width), int(height)
            value.image.colorspace = 4  # RGB and alpha
            value.image.encoded_image_string = written.getvalue()
        self._records.write(_tensorboard.event(summary, epoch))
        self._file.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = self._records = None
