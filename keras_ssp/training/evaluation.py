"""How good a trained network is, and what it costs, from one pass over the data."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from keras_ssp.datasets import ImageData
from keras_ssp.energy import EnergyReport
from keras_ssp.energy.hardware import EnergyModelLike
from keras_ssp.energy.meter import EnergyMeter
from keras_ssp.types import Array, Tensors

# Rows per batch where nothing is learned: large, so that few shapes are compiled.
EVALUATION_BATCH = 500


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


def evaluate(
    model: keras.Model,
    data: ImageData,
    energy_model: EnergyModelLike = "cmos45",
    verbose: int = 0,
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
    validation, test = data.inputs("validation"), data.inputs("test")
    report, logits = EnergyMeter(model).report_and_outputs(
        test.x,
        energy_model=energy_model,
        batch_size=EVALUATION_BATCH,
        verbose=1 if verbose == 1 else 0,
    )
    return Evaluation(
        validation_accuracy=_accuracy(
            model.predict(validation.x, batch_size=EVALUATION_BATCH, verbose=0),
            validation.y,
        ),
        test_accuracy=_accuracy(logits, test.y),
        report=report,
    )


def _accuracy(logits: Tensors, y: Array) -> float:
    return float(np.mean(np.argmax(logits, axis=-1) == y))
