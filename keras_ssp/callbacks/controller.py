"""The controller of `EnergyBudget`: guides log energy to the target; plain numbers."""

from __future__ import annotations

import dataclasses
import math

# Where on the clock the network is to arrive, and the least time left that is reckoned
# with: from then on the target is held.
ARRIVAL = 0.97
LEAST_TIME = 0.1
# x falls like (time left)^EAGER. 1 would be an even pace; a fixed lambda is faster at
# first and slower at the end, like this or more so. Who comes late has to hurry: at an
# even pace lambda grew to 80 times its first value, and layers died of it.
EAGER = 2.5
# Time constant of log lambda: a part of the training, but not less than the network
# takes to answer (momentum, moving averages), in steps.
PART, ANSWER = 24, 12
# Largest relative error of the pace that counts, and most of the time constant that one
# measurement may stand for.
LARGEST_ERROR, LARGEST_STRIDE = 0.8, 0.6
# Added to the two paces, or noise would decide where hardly anything moves.
SLOWEST = 0.66
# The pace is that of the last so many measurements; a short time is made longer by
# this, as the energy is only known to a percent or so.
WINDOW = 3
BLUR = 0.035
# Bounds of log(lambda / first lambda).
LOWEST, HIGHEST = -8.0, 9.0
# Below the target log lambda is less by this times log(target / energy). Not 0 at once:
# without lambda the energy of very cheap networks jumps up again, in a few steps.
LET_GO = 8.0
# Where log(energy / target) is below this, nothing is asked of the network.
FREE = -0.5


@dataclasses.dataclass
class Controller:
    """Moves log lambda so that the log of the energy arrives at the target in time.

        wanted = -2.5 x / time left,     err = (pace - wanted) / (|wanted| + 0.66)
        log(lambda) += err * (steps since the last time) / (time constant)

    with x = log(spent / target) and pace = dx / d(clock), that of the last
    measurements. What is wanted leads to the target in time, most of the way early, as
    a fixed lambda does, so that the network can learn at what it may spend. It is asked
    anew each time, so nothing that went wrong before is carried along. Where x is below
    0, or is soon at this pace, lambda is less: by exp(8 x), of the x that is expected;
    far below it is 0.

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
        if soon < FREE:
            return 0.0
        return math.exp(self.exponent + LET_GO * min(soon, 0.0))


def first_weight(reduction: float, unit: float) -> float:
    """A lambda to begin with, from the scales of the task loss and of Omega.

    On the target the penalty, lambda * Omega, is 3 % of the first task loss: about
    what it was in trainings with a fixed lambda that ended there, on digits and on
    Fashion-MNIST, unless the network had to become very cheap. It is less where the
    reduction is one that comes by itself: untrained, networks fire half as much again.

    Args:
        reduction: First energy over target.
        unit: Task loss over Omega, both at the beginning.
    """
    return 0.03 * unit * max(min(reduction - 1.0, 2.0 * reduction - 3.0), 0.005)
