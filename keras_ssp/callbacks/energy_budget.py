"""A budget of energy, kept by moving lambda while the network trains."""

from __future__ import annotations

import math
import warnings

import numpy as np

from keras_ssp._checks import boolean, path, real
from keras_ssp.callbacks.budget_state import BudgetFolder
from keras_ssp.callbacks.clock import LearningClock, steps_taken
from keras_ssp.callbacks.controller import Controller, first_weight
from keras_ssp.callbacks.silence_guard import SilenceGuard
from keras_ssp.callbacks.snapshots import Snapshots
from keras_ssp.callbacks.targets import Target
from keras_ssp.callbacks.watcher import Watcher
from keras_ssp.energy import EnergyModelLike, EnergyReport
from keras_ssp.penalties.binding import (
    penalized_layers,
    set_penalty_weight,
)
from keras_ssp.types import Array, Config, Data, Logs, StrPath

# From this part of the steps on, networks are kept to end with.
KEEP_FROM = 0.3
# A network whose log energy rose by this had not learned to fire when lambda was first
# reckoned from its energy; so that is done again.
RISEN = 0.1
# lambda of which the penalty is this part of the first loss moves no energy.
NEGLIGIBLE = 1e-3


class EnergyBudget(Watcher):
    """Trains a network to spend a given energy: steers lambda during `fit`.

        |log(spent) - log(target)| -> 0,     spent <= target

    What the network spends is measured on `data`, in evaluation mode, when training
    begins and many times in each epoch. A controller moves log lambda so that what is
    spent falls fast at first, then slower, to a little below the target; time counts
    steps by their learning rate, so that it is there while the network can still move.
    At the end of the last epoch, if what is spent is off by more than `tolerance`, the
    last network within it is put back, or one on the line between the last above and
    the last below. A network that needs no penalty is left alone: lambda ends at 0.

    Put it before `CSVLogger`, checkpoints and the like in the list of callbacks. It
    sets lambda itself, so that of `penalize` does not matter, and adds to the history:
    `penalty_weight` (lambda), `budget_spent` and `budget_target` (pJ per sample,
    SynOps per sample, or spikes per neuron and step) and `guarded_layers`.

    Args:
        energy: The energy that the network may spend per sample, such as `"50 nJ"`; a
            number is in pJ. Give this, `synops` or `rate`.
        data: Data to measure on, as for `energy_report`: validation data.
        synops: SynOps that the network may spend per sample.
        rate: Spikes per neuron and step that it may spend, in (0, 1].
        of: Of the energy: `"synaptic"`, what spikes cost, or `"total"`, with the
            analogue operations. Defaults to `"synaptic"`.
        energy_model: As for `energy_report`. Defaults to `"cmos45"`.
        tolerance: How far below the target training may end, as a share of it, above
            0. Defaults to 0.03.
        batch_size: Positive integer, rows per batch where `data` are arrays. Defaults
            to 128.
        checks: Positive integer, measurements in the whole training, at least.
            Defaults to 80.
        guard: Whether the penalty is held off layers that are about to fall silent,
            see `SilenceGuard`. Defaults to `True`.
        state_dir: Folder in which to keep what a resumed training needs, written after
            each epoch. Defaults to none.

    Raises:
        ValueError: If not exactly one target is given, or one is out of its range; when
            `fit` starts, if the model has no penalty, or no lambda can reach the
            target.

    Example:

    >>> budget = EnergyBudget("50 nJ", np.ones((8, 4), "float32"))
    >>> budget.target.value
    50000.0
    """

    def __init__(
        self,
        energy: str | float | None = None,
        data: Data = None,
        *,
        synops: float | None = None,
        rate: float | None = None,
        of: str = "synaptic",
        energy_model: EnergyModelLike = "cmos45",
        tolerance: float = 0.03,
        batch_size: int = 128,
        checks: int = 80,
        guard: bool = True,
        state_dir: StrPath | None = None,
    ) -> None:
        super().__init__(
            data, energy_model=energy_model, batch_size=batch_size, checks=checks
        )
        self.target = Target.from_arguments(energy, synops, rate, of)
        self.tolerance = real("tolerance", tolerance, above=0.0, high=0.5)
        self.guard = SilenceGuard(data) if boolean("guard", guard) else None
        folder = path("state_dir", state_dir, optional=True)
        self.folder = None if folder is None else BudgetFolder(folder)
        self._forget()

    def _forget(self) -> None:
        """Everything that one training finds out."""
        value = self.target.value
        #: What the network spends, in the target's unit; `None` before training.
        self.spent: float | None = None
        #: Whether training ended on or under the target.
        self.within = False
        #: Whether it did within `tolerance`, or needed no penalty to stay below.
        self.reached = False
        self._fixed = 0.0
        self._lambda = self._largest = self._last = 0.0  # now, ever, last above 0
        self._unit = 0.0  # task loss over Omega when training began
        self._first = 0.0  # log(spent / target) then
        self._scale = 0.0  # the first lambda
        self._controller: Controller | None = None
        self._settled = False
        self._snapshots = Snapshots((1.0 - self.tolerance) * value, value)

    def on_train_begin(self, logs: Logs = None) -> None:
        super().on_train_begin(logs)
        self._forget()
        penalized_layers(self.model)  # an error if there is none
        if self.guard is not None:
            self.guard.set_model(self.model)
            self.guard.on_train_begin()

    def begin(self, epoch: int) -> None:
        self._clock = self._learning_clock(epoch)
        report = self.measure()
        self.target.check(report)
        self._check_pull(report)
        self._fixed = self.target.fixed(report)
        if epoch and self._load(epoch):
            return
        self.spent = self.target.spent(report)
        self._set(0.0)
        self._inspect(report)

    def watch(self, step: int, logs: Logs) -> None:
        self._steer(step, (logs or {}).get("loss"))

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        if self.guard is not None:
            self.guard.on_train_batch_begin(batch)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if epoch + 1 >= self.epochs:
            self._settle()
        elif self.folder is not None:
            self.folder.write(epoch + 1, *self._state())
        if logs is not None:
            logs["penalty_weight"] = self._lambda
            logs["budget_spent"] = self.spent
            logs["budget_target"] = self.target.value
        if self.guard is not None:
            self.guard.on_epoch_end(epoch, logs)

    def on_train_end(self, logs: Logs = None) -> None:
        self._settle()  # training may have stopped early
        if self.guard is not None:
            self.guard.on_train_end()

    # --- steering ---------------------------------------------------------------

    def _steer(self, step: int, loss: float | None) -> None:
        report = self.measure()
        self.spent = spent = self.target.spent(report)
        clock, x = self._clock(step), self._distance(spent)
        if self._controller is None:
            self._start(report, loss, clock, x)
        if self._controller is not None:
            if x > self._first + RISEN:
                unit = self._unit * math.exp(self._first - x)  # Omega rose with it
                self._scale = max(self._scale, first_weight(math.exp(x), unit))
            self._set(self._scale * self._controller.update(clock, x, self.elapsed))
        self._inspect(report)
        if step >= KEEP_FROM * self.all_steps:
            self._snapshots.take(self.model, spent)

    def _start(
        self, report: EnergyReport, loss: float | None, clock: float, x: float
    ) -> None:
        omega = 0.0 if self.meter is None else self.meter.omega(report)
        if loss is None or not math.isfinite(loss) or omega <= 0.0:
            return  # nothing fires yet: the next measurement may tell
        self._unit = (abs(float(loss)) or 1.0) / omega
        self._first = x
        self._scale = first_weight(math.exp(x), self._unit)
        self._controller = Controller([(clock, x)], self.all_steps)

    def _distance(self, spent: float) -> float:
        """The log of what spikes spend over what they are to spend."""
        aim = (1.0 - self.tolerance / 2) * self.target.value - self._fixed
        if aim <= 0.0:
            aim = (self.target.value - self._fixed) / 2
        return math.log(max(spent - self._fixed, 1e-3 * aim) / aim)

    def _set(self, weight: float) -> None:
        self._lambda = weight
        self._largest = max(self._largest, weight)
        self._last = weight or self._last
        set_penalty_weight(self.model, weight)

    def _inspect(self, report: EnergyReport) -> None:
        if self.guard is not None:
            self.guard.meter = self.meter
            self.guard.inspect(report)

    def _learning_clock(self, epoch: int) -> LearningClock:
        optimizer = self.model.optimizer
        first = steps_taken(optimizer) - self.step(epoch, 0)
        return LearningClock(optimizer, self.all_steps, max(first, 0))

    def _check_pull(self, report: EnergyReport) -> None:
        """Refuses a penalty that pulls to above the target."""
        penalty = penalized_layers(self.model)[0].penalty
        pull = getattr(penalty, "target", None)
        if pull is None or self.target.kind == "rate" or not report.synops:
            return
        unit = (self.target.spent(report) - self.target.fixed(report)) / report.synops
        if pull * unit + self.target.fixed(report) > self.target.value:
            raise ValueError(
                "`penalty` must not pull to more than the budget. Received: penalty="
                f"{penalty!r}, which pulls to "
                f"{self.target.text(pull * unit + self.target.fixed(report))}; budget "
                f"{self.target.text(self.target.value)}."
            )

    # --- the end ----------------------------------------------------------------

    def _settle(self) -> None:
        """Ends with weights within the band, or says by how much it is missed."""
        if self._settled:
            return
        self._settled = True
        self.spent = self._measured()
        side = self._snapshots.side(self.spent)
        finite = all(np.all(np.isfinite(w)) for w in self.model.get_weights())
        free = 0.0 < self.spent <= self._snapshots.low and (
            self._largest <= NEGLIGIBLE * self._unit
        )
        if not free and side != "within":
            found = self._snapshots.settle(self.model, self._measured)
            self.spent = self.spent if found is None else found
            finite = finite or found is not None
        # lambda 0 at the end tells a network that never needed any.
        self._set(0.0 if free else self._last)
        self.within = finite and 0.0 < self.spent <= self.target.value
        low = self._snapshots.low
        self.reached = self.within and (free or self.spent >= low)
        if not self.reached:
            warnings.warn(self._missed(finite), stacklevel=2)

    def _measured(self) -> float:
        return self.target.spent(self.measure())

    def _missed(self, finite: bool) -> str:
        text, target = self.target.text, self.target.value
        spent = self.spent or 0.0
        ends = f"Training ended at {text(spent)}, budget {text(target)}"
        if not finite:
            return (
                f"{ends}, with weights that are not finite: the network is worth "
                "nothing. Remedy: a lower learning rate."
            )
        if spent == 0.0:
            return f"{ends}: the network is silent. Remedy: a larger budget."
        by = abs(spent / target - 1.0)
        if spent > target:
            return (
                f"{ends}: {100 * by:.1f} % above it. Remedy: more epochs, a larger "
                "learning rate, or a larger budget."
            )
        return (
            f"{ends}: {100 * by:.1f} % below it, {100 * self.tolerance:g} % allowed. "
            "Remedy: more epochs or more `checks`, so that lambda follows."
        )

    # --- resumed trainings ------------------------------------------------------

    def _state(self) -> tuple[Config, dict[str, Array]]:
        kept, arrays = self._snapshots.get_state()
        controller = self._controller
        return {
            "lambda": [self._lambda, self._largest, self._last],
            "unit": self._unit,
            "first": self._first,
            "scale": self._scale,
            "spent": self.spent,
            "controller": None if controller is None else vars(controller),
            "guard": None if self.guard is None else self.guard.get_state(),
            "kept": kept,
        }, arrays

    def _load(self, epoch: int) -> bool:
        found = None if self.folder is None else self.folder.read(epoch)
        if found is None:
            return False
        state, arrays = found
        self._unit, self._scale = state["unit"], state["scale"]
        self._first, self.spent = state["first"], state["spent"]
        controller = state["controller"]
        self._controller = None if controller is None else Controller(**controller)
        self._snapshots.set_state(state["kept"], arrays)
        weight, self._largest, self._last = state["lambda"]
        self._set(weight)
        if self.guard is not None and state["guard"] is not None:
            self.guard.set_state(state["guard"])
            self.guard.apply()
        return True
