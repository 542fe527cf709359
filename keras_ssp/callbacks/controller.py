"""The controller of `EnergyBudget`: guides log energy to the target; plain numbers."""

from __future__ import annotations

import dataclasses
import math

# Where on the clock the network is to arrive, and the least time left that is reckoned
# with: from then on the target is held.
ARRIVAL = 0.97
LEAST_TIME = 0.05
# 1 would be an even pace; a little more arrives softly, not in full swing.
EAGER = 1.25
# Time constant of log lambda: a part of the training, but not less than the network
# takes to answer (momentum, moving averages), in steps.
PART, ANSWER = 24, 12
# Largest relative error of the pace that counts, and most of the time constant that one
# measurement may stand for.
LARGEST_ERROR, LARGEST_STRIDE = 0.8, 0.6
# Added to the two paces, or noise would decide where hardly anything moves.
SLOWEST = 0.33
# The pace is that of the last so many measurements; a short time is made longer by
# this, as the energy is only known to a percent or so.
WINDOW = 3
BLUR = 0.035
# Bounds of log(lambda / first lambda).
LOWEST, HIGHEST = -8.0, 9.0
# Where log(energy / target) is below this, nothing is asked of the network.
FREE = -0.1


@dataclasses.dataclass
class Controller:
    """Moves log lambda so that the log of the energy arrives at the target in time.

        wanted = -1.25 x / time left,      err = (pace - wanted) / (|wanted| + 0.33)
        log(lambda) += err * (steps since the last time) / (time constant)

    with x = log(spent / target) and pace = dx / d(clock), that of the last
    measurements. What is wanted is nearly the even pace that leads to the target just
    in time: a fixed lambda lowers the energy like that, too. It is asked anew each
    time, so nothing that went wrong before is carried along. Well below the target
    lambda is 0.

    Args:
        past: The last measurements, pairs (clock, x).
        steps: Steps of the whole training.
        exponent: log(lambda / first lambda).
    """

    past: list[tuple[float, float]]
    steps: int
    exponent: float = 0.0

    def update(self, clock: float, x: float, elapsed: int) -> float:
        """Takes a measurement; returns lambda over the first lambda.

        Args:
            clock: The clock, from 0 to 1.
            x: log(spent / target).
            elapsed: Steps since the last measurement.
        """
        then, was = self.past[0]
        pace = (x - was) / (clock - then + BLUR)
        soon = x + 2.0 * (x - was) / len(self.past)
        self.past = [*self.past, (clock, x)][-WINDOW:]
        wanted = -EAGER * x / max(ARRIVAL - clock, LEAST_TIME)
        error = (pace - wanted) / (abs(wanted) + SLOWEST)
        error = max(-LARGEST_ERROR, min(LARGEST_ERROR, error))
        stride = elapsed / max(self.steps / PART, ANSWER)
        self.exponent += min(stride, LARGEST_STRIDE) * error
        self.exponent = max(LOWEST, min(HIGHEST, self.exponent))
        return 0.0 if soon < FREE else math.exp(self.exponent)


def first_weight(reduction: float, unit: float) -> float:
    """A lambda to begin with, from the scales of the task loss and of Omega.

    lambda * Omega is a share of the loss that grows with the reduction asked for, as
    it did in trainings of small networks on digits.

    Args:
        reduction: First energy over target.
        unit: Task loss over Omega, both at the beginning.
    """
    return unit * 0.09 * (max(reduction, 1.005) ** 0.36 - 1.0)
