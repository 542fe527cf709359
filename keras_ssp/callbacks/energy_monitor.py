"""What the network costs, epoch by epoch."""

from __future__ import annotations

import keras

from keras_ssp._checks import positive_int
from keras_ssp.energy import EnergyMeter, EnergyModelLike, EnergyReport, hardware
from keras_ssp.types import Data, Logs


class EnergyMonitor(keras.callbacks.Callback):
    """Measures the energy at the end of each epoch and puts it into the logs.

    Adds `val_synops` (SynOps per sample), `val_energy_pj` (pJ per sample, analogue
    operations included) and `val_spike_rate` (spikes per neuron and step) to the
    history, the progress bar, and whatever callbacks come after it in the list
    (`TensorBoard`, `CSVLogger`, ...).

    Args:
        data: Data to measure on, as for `energy_report`.
        energy_model: As for `energy_report`. Defaults to `"cmos45"`.
        batch_size: Positive integer, rows per batch where `data` are arrays. Defaults
            to 128.
        every: Positive integer, epochs from one measurement to the next; in between
            the last values are repeated. Defaults to 1.
        prefix: What the three names begin with. Defaults to `"val_"`.

    Raises:
        ValueError: If the energy model is unknown; when `fit` starts, if the model's
            synapses cannot be counted.

    Example:

    >>> monitor = EnergyMonitor(np.ones((8, 4), "float32"))
    """

    def __init__(
        self,
        data: Data,
        *,
        energy_model: EnergyModelLike = "cmos45",
        batch_size: int = 128,
        every: int = 1,
        prefix: str = "val_",
    ) -> None:
        super().__init__()
        self.data = data
        self.energy_model = hardware.get(energy_model)
        self.batch_size = positive_int("batch_size", batch_size)
        self.every = positive_int("every", every)
        self.prefix = prefix
        self.report: EnergyReport | None = None
        self._meter: EnergyMeter | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._meter = EnergyMeter(self.model)  # one trace for all epochs
        self.report = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        report = self.report
        if report is None or (epoch + 1) % self.every == 0:
            meter = self._meter or EnergyMeter(self.model)
            report = meter.report(
                self.data,
                energy_model=self.energy_model,
                batch_size=self.batch_size,
            )
            self.report = report
        if logs is not None:
            logs[f"{self.prefix}synops"] = report.synops
            logs[f"{self.prefix}energy_pj"] = report.energy_pj
            logs[f"{self.prefix}spike_rate"] = report.rate
