"""Base of the callbacks that measure the network while an epoch is under way."""

from __future__ import annotations

import math

import keras

from keras_ssp._checks import positive_int
from keras_ssp.energy import EnergyMeter, EnergyModelLike, EnergyReport, hardware
from keras_ssp.types import Data, Logs

# Steps of an epoch where nobody knows how long it is: the first of a generator.
BLIND_EPOCH = 200


class Rhythm:
    """When to measure: after 1, 2, 4, 8, ... steps, then at equal distances.

    Networks change most at the beginning; a layer can die within a few steps.

    Args:
        steps: Steps of an epoch.
        epochs: Epochs.
        checks: Measurements of the whole training, at least; each epoch has two or
            more, if it has as many steps.

    Example:

    >>> rhythm = Rhythm(steps=10, epochs=4, checks=4)
    >>> [step for step in range(1, 21) if rhythm.due(step)]
    [1, 2, 4, 5, 10, 15, 20]
    """

    def __init__(self, steps: int, epochs: int, checks: int) -> None:
        an_epoch = max(2, math.ceil(checks / max(epochs, 1)))
        self.interval = max(1, steps // an_epoch)
        self.last = 0
        self.measured = 0

    def due(self, step: int) -> bool:
        """Whether a measurement fell due since the last call."""
        last, self.last = self.last, step
        early = step < self.interval and step.bit_length() > last.bit_length()
        return early or step // self.interval > last // self.interval

    def elapsed(self, step: int) -> int:
        """Steps since the last measurement; the next one counts from now."""
        measured, self.measured = self.measured, step
        return step - measured


class Watcher(keras.callbacks.Callback):
    """Measures the network when training begins and many times while it lasts.

    Args:
        data: Data to measure on, as for `energy_report`.
        energy_model: As for `energy_report`.
        batch_size: Rows per batch where `data` are arrays.
        checks: Measurements of the whole training, at least.
    """

    def __init__(
        self,
        data: Data,
        *,
        energy_model: EnergyModelLike = "cmos45",
        batch_size: int = 128,
        checks: int = 80,
    ) -> None:
        super().__init__()
        if data is None:
            raise ValueError(
                "`data` must be data to measure on, such as validation data. "
                "Received: data=None."
            )
        self.data = data
        self.energy_model = hardware.get(energy_model)
        self.batch_size = positive_int("batch_size", batch_size)
        self.checks = positive_int("checks", checks)
        self.meter: EnergyMeter | None = None
        #: Steps between the last two measurements.
        self.elapsed = 0
        self._rhythm: Rhythm | None = None
        self._epoch = 0

    def begin(self, epoch: int) -> None:
        """Called when the first epoch begins; weights and state are loaded by now."""

    def watch(self, step: int, logs: Logs) -> None:
        """Called when a measurement is due, with the steps since training began."""

    def measure(self) -> EnergyReport:
        """Measures the network as it is."""
        model = self.model  # asking for it gives it its weights back, on JAX
        if self.meter is None:
            self.meter = EnergyMeter(model)  # one trace for all measurements
        return self.meter.report(
            self.data, energy_model=self.energy_model, batch_size=self.batch_size
        )

    @property
    def steps(self) -> int | None:
        """Steps of an epoch, if known."""
        found = (self.params or {}).get("steps")
        return int(found) if found else None

    @property
    def epochs(self) -> int:
        """Epochs of the whole training, those before it was resumed included."""
        return int((self.params or {}).get("epochs") or 1)

    def on_train_begin(self, logs: Logs = None) -> None:
        self.meter = None
        self._rhythm = None

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch
        if self._rhythm is None:
            # Not before: only now is it known which epoch is the first.
            self._rhythm = Rhythm(self.steps or BLIND_EPOCH, self.epochs, self.checks)
            self.begin(epoch)
            self._rhythm.last = self._rhythm.measured = self.step(epoch, 0)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        step = self.step(self._epoch, batch + 1)
        if self._rhythm is not None and self._rhythm.due(step):
            self.elapsed = self._rhythm.elapsed(step)
            self.watch(step, logs)

    def step(self, epoch: int, done: int) -> int:
        """Steps since training began, after so many of an epoch."""
        steps = self.steps or BLIND_EPOCH
        # With steps_per_execution the last batch's number may pass the end.
        return epoch * steps + min(done, steps)

    @property
    def all_steps(self) -> int:
        """Steps of the whole training."""
        return self.epochs * (self.steps or BLIND_EPOCH)
