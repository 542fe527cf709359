"""A budget in a training run: what keeps it, and how well it was kept."""

from __future__ import annotations

import dataclasses

import keras

from keras_ssp.callbacks import EnergyBudget
from keras_ssp.datasets import ImageData
from keras_ssp.energy import EnergyMeter, EnergyModelLike
from keras_ssp.penalties.binding import penalty_weight
from keras_ssp.tables import format_energy
from keras_ssp.training.config import TrainConfig
from keras_ssp.training.evaluation import EVALUATION_BATCH
from keras_ssp.training.folder import RunFolder
from keras_ssp.types import Array


@dataclasses.dataclass(frozen=True)
class BudgetKept:
    """What a network spends of its budget, on the validation part that steered it.

    Args:
        target_pj: The synaptic energy that it may spend per image.
        spent_pj: What it spends.
        weight: lambda at the end of training.
    """

    target_pj: float
    spent_pj: float
    weight: float

    @property
    def ratio(self) -> float:
        """Spent over target."""
        return self.spent_pj / self.target_pj

    @property
    def reached(self) -> bool:
        """Whether it spends at most the target, and 3 % less at most.

        A network that stays below without any penalty has reached its target too.
        """
        free = self.weight == 0.0 and self.spent_pj > 0.0
        return self.ratio <= 1.0 and (free or self.ratio >= 0.97)

    def __str__(self) -> str:
        how = "reached" if self.reached else "MISSED"
        return (
            f"{format_energy(self.target_pj)}, {how}: "
            f"{format_energy(self.spent_pj)} on the validation part "
            f"({100 * self.ratio:.1f} %)"
        )

    def summary(self) -> dict[str, float]:
        """The numbers of `summary.json`."""
        return {
            "budget_target_pj": self.target_pj,
            "budget_spent_pj": self.spent_pj,
            "budget_ratio": self.ratio,
            "budget_reached": self.reached,
        }


def energy_budget(
    config: TrainConfig, data: Array, folder: RunFolder | None
) -> list[EnergyBudget]:
    """What keeps the budget of a config, if it has one."""
    if config.budget is None:
        return []
    return [
        EnergyBudget(
            config.budget,
            data,
            energy_model=config.energy_model,
            batch_size=EVALUATION_BATCH,
            state_dir=None if folder is None else folder.path,
        )
    ]


def budget_kept(
    model: keras.Model,
    data: ImageData,
    target_pj: float | None,
    energy_model: EnergyModelLike,
) -> BudgetKept | None:
    """Measures a trained network against its budget, if it has one."""
    if target_pj is None:
        return None
    report = EnergyMeter(model).report(
        data.inputs("validation").x,
        energy_model=energy_model,
        batch_size=EVALUATION_BATCH,
    )
    return BudgetKept(target_pj, report.synaptic_energy_pj, penalty_weight(model))
