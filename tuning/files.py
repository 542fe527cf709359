"""The files that a search ends with."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

from keras_ssp import figures
from keras_ssp.training.folder import write_json
from keras_ssp.tuner.records import FAILED
from keras_ssp.tuner.results import FRONT, TRIALS, SearchResults
from tuning.metrics import metric, points, worst_shown
from tuning.page import write_page
from tuning.plan import plan_of
from tuning.spaces import SearchSpace

PICTURES, PAGE = ("frontier.png", "frontier.svg"), "index.html"


def write_files(results: SearchResults, folder: pathlib.Path) -> list[str]:
    """Writes `trials.csv` and `front.json`; pictures and page, where they can be.

    Args:
        results: The search.
        folder: Where to write.

    Returns:
        What was written, and what was not and why, a line each.
    """
    (folder / TRIALS).write_text(results.csv(), encoding="utf-8")
    write_json(folder / FRONT, results.to_dict())
    plan = None if results.folder is None else plan_of(results.folder)
    command = plan.command if plan else None
    if plan is not None:  # pictures are looked at without the name of a folder
        results = dataclasses.replace(results, name=_described(plan.space))
    return [
        f"written to {folder}: {TRIALS}, {FRONT}",
        _optional("picture", PICTURES, lambda: write_pictures(results, folder)),
        _optional(
            "page",
            (PAGE,),
            lambda: write_page(results, folder / PAGE, command=command),
        ),
    ]


def _described(space: SearchSpace) -> str:
    """The network and its data, after the name where that is another one."""
    config = space.config
    what = f"{config.model} on {config.data}"
    return what if space.name in what.split() else f"{space.name}, {what}"


def _optional(what: str, names: tuple[str, ...], write: Callable[[], None]) -> str:
    try:
        write()
    except ImportError as error:
        return f"no {what}: {error}"
    return f"{what}: {', '.join(names)}"


def write_pictures(results: SearchResults, folder: pathlib.Path) -> None:
    """Writes the frontier as PNG and SVG.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    cost, quality = metric(results.cost.name), metric(results.quality.name)
    count = len(results.completed)
    for name in PICTURES:
        figures.frontier(
            points(results),
            folder / name,
            directions=(results.cost.direction, results.quality.direction),
            worst=worst_shown(results),
            failed=results.counts[FAILED],
            title=f"{results.name}: {count} trials",
            xlabel=cost.axis,
            ylabel=quality.axis,
            format_cost=cost.write,
            log=results.cost.scale == "log",
        )
