"""What a search found, in sentences and tables."""

from __future__ import annotations

from collections.abc import Sequence

from keras_ssp.tables import Column, Table
from keras_ssp.tuner.records import FAILED, RUNNING, TrialRecord
from keras_ssp.tuner.results import SearchResults
from tuning.metrics import (
    knee_of,
    metric,
    plain,
    reference_of,
    values_text,
    with_spread,
    worth_counting,
)


def summary(results: SearchResults) -> str:
    """What a search found, in two sentences.

    How many trials, what the front spans, the knee, the hypervolume.
    """
    count = len(results.completed)
    said = [f"{count} trial{'' if count == 1 else 's'} measured"]
    for status in (FAILED, RUNNING):
        some = results.counts[status]
        said += [f"{some} {status}"] if some else []
    minutes = results.elapsed / 60
    first = f"{', '.join(said)}, in {minutes:.3g} minutes"
    if results.sampler:
        first += f", proposed by {results.sampler}"
    return " ".join([f"{first}.", *_found(results)])


def _found(results: SearchResults) -> list[str]:
    front = results.front
    if not front:
        return ["There is no frontier yet."]
    quality, cost = metric(results.quality.name), metric(results.cost.name)
    text = f"The frontier has {len(front)} network{'' if len(front) == 1 else 's'}"
    counted = worth_counting(results)
    if 0 < len(counted) < len(front):
        worst = metric(results.quality.name).write(reference_of(results) or 0.0)
        text += f"; {len(counted)} of them above {worst} {quality.name}"
    costs = [trial.metrics[results.cost.name] for trial in counted or front]
    values = [trial.metrics[results.quality.name] for trial in counted or front]
    above = [c for c in costs if c > 0]
    found = [
        f"{text}, from {cost.write(min(costs))} to {cost.write(max(costs))} of "
        f"{cost.name}"
        f"{f' (a factor of {max(above) / min(above):.3g})' if above else ''} and from "
        f"{quality.write(min(values))} to {quality.write(max(values))} {quality.name}."
    ]
    knee = knee_of(results)
    if knee is not None:
        found.append(
            f"Its knee is trial {knee.trial}: "
            f"{quality.write(knee.metrics[results.quality.name])} at "
            f"{cost.write(knee.metrics[results.cost.name])}."
        )
    history = results.hypervolume_history
    if history:
        found.append(f"Hypervolume: {history[-1]:.4g}{_hypervolume_unit(results)}.")
    return found


def _hypervolume_unit(results: SearchResults) -> str:
    scales = sorted(
        "decades of " + metric(o.name).name if o.scale == "log" else metric(o.name).name
        for o in results.objectives
    )
    return f" ({' times '.join(scales)})"


def front_table(results: SearchResults, *, brief: bool = False) -> Table:
    """The frontier as a table, by rising energy.

    Args:
        results: The search.
        brief: Whether to leave out what is no objective and no hyperparameter, as for
            a terminal. Defaults to `False`.
    """
    front = results.front
    knee = knee_of(results)
    names = list(dict.fromkeys(name for trial in front for name in trial.values))
    shown = [objective.name for objective in results.objectives]
    shown += [
        name
        for name in ("val_synops", "val_spike_rate")
        if not brief and name not in shown and any(name in t.metrics for t in front)
    ]
    return Table(
        [
            _left("trial"),
            *(metric(name).name for name in shown),
            *names,
            _left("remark"),
        ],
        [
            [
                trial.trial,
                *(with_spread(trial, name) for name in shown),
                *(plain(trial.values.get(name, "")) for name in names),
                _remark(trial, knee),
            ]
            for trial in front
        ],
    )


def _remark(trial: TrialRecord, knee: TrialRecord | None) -> str:
    is_knee = knee is not None and trial.trial == knee.trial
    return "; ".join([*(["knee"] if is_knee else []), *trial.notes])


def failed_table(failed: Sequence[TrialRecord]) -> Table:
    """Trials that failed, with the last line of their errors."""
    return Table(
        ["trial", _left("hyperparameters"), _left("error")],
        [[t.trial, values_text(t.values), t.error or "unknown"] for t in failed],
    )


def _left(header: str) -> Column:
    return Column(header=header, left=True)
