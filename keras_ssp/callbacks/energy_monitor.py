"""What the network costs, epoch by epoch."""

from __future__ import annotations

import math
import warnings

import keras

from keras_ssp import graph
from keras_ssp._checks import positive_int, text
from keras_ssp.callbacks.flags import say_of_flags, say_of_start
from keras_ssp.datasets.inputs import first_inputs
from keras_ssp.energy import EnergyMeter, EnergyModelLike, EnergyReport, hardware
from keras_ssp.penalties.binding import penalty_weight, spiking_layers
from keras_ssp.types import Data, Logs


class EnergyMonitor(keras.callbacks.Callback):
    """Measures the energy at the end of each epoch and puts it into the logs.

    Adds `val_synops` (SynOps per sample), `val_energy_pj` (pJ per sample, analogue
    operations included), `val_synaptic_energy_pj` (the part that a penalty can move),
    `val_spike_rate` (spikes per neuron and step) and, where the data are events,
    `val_input_energy_pj` (the part that they cost) to the history, the progress bar,
    and whatever callbacks come after it in the list (`TensorBoard`, `CSVLogger`, ...).
    The energies of a network that has diverged are NaN. Each layer that is silent or
    saturated is named once, in a warning, and so are, before the first step, layers
    that hardly fire, a network of four spiking layers or more with T = 1, and a penalty
    that outweighs the task.

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
            synapses cannot be counted, or `data` is not what `energy_report` takes, or
            an iterator, which can be read only once.

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
        self.prefix = text("prefix", prefix)
        self.report: EnergyReport | None = None
        self._meter: EnergyMeter | None = None
        self._named: set[str] = set()
        self._omega = 0.0  # when training begins; 0 once it was looked at

    def on_train_begin(self, logs: Logs = None) -> None:
        self._meter = EnergyMeter(self.model)  # one trace for all epochs
        first = first_inputs(self.data, self.model, self.batch_size)
        self._omega = 0.0
        penalties = [k.penalty for k in spiking_layers(self.model)]
        # Where lambda is a guess: a target far away is large at first and falls by
        # itself, and a normalised penalty means the same in every network.
        guessed = [p for p in penalties if p is not None and not p.normalize]
        measured = self._meter.report(first, batch_size=self.batch_size)
        inner = graph.inner_layers(self.model)
        norms = [k for k in inner if isinstance(k, keras.layers.BatchNormalization)]
        say_of_start(measured, normalised=bool(norms))
        if any(not hasattr(p, "target") for p in guessed):
            self._omega = self._meter.omega(measured)
        self.report = None
        self._named = set[str]()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self._omega:
            self._weigh((logs or {}).get("loss"))
            self._omega = 0.0

    def _weigh(self, loss: float | None) -> None:
        """Warns of a penalty that outweighs the task at the first step."""
        weight = penalty_weight(self.model)
        if loss is None or not math.isfinite(loss) or weight == 0.0:
            return
        penalty = weight * self._omega
        # The data measured are not the first batch: what cannot be is not judged.
        if not 0.5 * loss < penalty < 1.5 * loss:
            return
        # How much of it is the task is not known well: about 1, as losses are.
        largest = 0.1 / self._omega
        warnings.warn(
            f"The penalty outweighs the task at the first step: lambda={weight:g} "
            f"times Omega={self._omega:.4g} is about {penalty:.3g} of a loss of "
            f"{float(loss):.3g}, so the network is likely to fall silent. Remedy: a "
            f"lambda from about {largest / 100:.1g} to {largest:.1g}; with "
            "`normalize=True` lambda means the same in every network.",
            stacklevel=2,
        )

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
            # What `fit` has said of the training data already.
            for layer in spiking_layers(self.model):
                self._named |= {f"{layer.name} {flag}" for flag in layer.watch.said}
            say_of_flags(report, self._named)
        if logs is not None:
            logs[f"{self.prefix}synops"] = report.synops
            logs[f"{self.prefix}energy_pj"] = report.energy_pj
            logs[f"{self.prefix}synaptic_energy_pj"] = report.synaptic_energy_pj
            if any(row.is_input for row in report.layers):
                logs[f"{self.prefix}input_energy_pj"] = report.input_energy_pj
            logs[f"{self.prefix}spike_rate"] = report.rate
