"""One network out of many, by a rule in words: the knee, the best, within a budget."""

from __future__ import annotations

from collections.abc import Sequence

from keras_ssp import pareto
from keras_ssp._checks import real
from keras_ssp._units import picojoules

#: The rules, as they are told to people.
RULES = "'knee', 'best', 'within=POINTS' or 'budget=ENERGY'"


def pick(
    which: str,
    points: Sequence[pareto.Point],
    energies: Sequence[pareto.Point] | None = None,
) -> int | None:
    """The place of the network that a rule chooses, `None` if it is no rule.

    Args:
        which: `"knee"`, after which more cost buys little; `"best"`, of the most
            accurate the cheapest; `"within=1.0"`, the cheapest that is at most so many
            points of accuracy below the best; `"budget=50nJ"`, the most accurate that
            spends no more.
        points: Pairs (cost, accuracy).
        energies: Pairs (energy in pJ, accuracy), where the cost is none. Defaults to
            `points`.

    Raises:
        ValueError: If there is no such network.

    Example:

    >>> points = [(1e3, 0.90), (2e3, 0.97), (9e3, 0.98)]
    >>> [pick(rule, points) for rule in ("knee", "best", "within=1", "budget=5nJ")]
    [1, 2, 1, 1]
    """
    rule, _, value = which.partition("=")
    if which == "knee":
        return pareto.knee(points)
    if which == "best":
        return pareto.cheapest_within(points, 0.0)
    if rule == "within" and value:
        drop = real("within", _number(value), low=0.0) / 100
        return pareto.cheapest_within(points, drop)
    if rule == "budget" and value:
        return _within_budget(value, points if energies is None else energies)
    return None


def _within_budget(energy: str, points: Sequence[pareto.Point]) -> int:
    budget = picojoules("budget", energy)
    try:
        return pareto.most_accurate_within(points, budget)
    except ValueError as error:
        cheapest = min(points)[0]
        raise ValueError(
            "`budget` must be at least what the cheapest network spends, "
            f"{cheapest / 1e3:g} nJ. Received: budget={energy!r}."
        ) from error


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")  # which the check of the argument refuses
