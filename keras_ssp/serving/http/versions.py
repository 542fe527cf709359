"""One version of a model: its files, its state, and what it may spend."""

from __future__ import annotations

import json
import logging
import pathlib
import time
from typing import Any

from keras_ssp.serving.exported import ExportedModel
from keras_ssp.serving.front import FRONT
from keras_ssp.serving.http.errors import ServingError
from keras_ssp.serving.http.targets import Target
from keras_ssp.serving.writers import meta_graph

LOADING, AVAILABLE, UNLOADING, END = "LOADING", "AVAILABLE", "UNLOADING", "END"
_DRAIN = 60.0  # seconds that a version is waited for before it is dropped anyway

_log = logging.getLogger("keras_ssp.serving")


class Version:
    """One version of a model.

    Args:
        number: Its number.
        path: Its folder.
    """

    def __init__(self, number: int, path: pathlib.Path) -> None:
        self.number = number
        self.path = path
        self.identity = identity(path)
        self.state = LOADING
        self.error_code = "OK"
        self.error_message = ""
        self.model: ExportedModel | None = None
        #: Requests that are being answered.
        self.in_flight = 0

    def load(self) -> None:
        """Loads the model; a failure is kept, to be told."""
        try:
            model = ExportedModel(self.path)
            if model.card is not None:  # of others, who knows what they do
                model.warm_up(rows=1)
            self.model = model
            self.state = AVAILABLE
        except Exception as error:  # whatever is wrong with a folder
            self.state, self.error_code = END, "UNKNOWN"
            first = str(error).strip().splitlines() or [""]
            self.error_message = f"{type(error).__name__}: {first[0][:500]}"

    @property
    def energy_nj(self) -> float | None:
        """Energy per sample as it was measured, in nJ, if the card says so."""
        card = None if self.model is None else self.model.card
        joules = None if card is None else card["energy"]["energy_joules"]
        return None if joules is None else joules * 1e9

    @property
    def accuracy(self) -> float | None:
        """Accuracy as it was measured, if the card says so."""
        card = None if self.model is None else self.model.card
        evaluation = None if card is None else card["evaluation"]
        return None if evaluation is None else evaluation["accuracy"]

    def signature_defs(self) -> dict[str, Any]:
        """The signatures as TensorFlow Serving tells them."""
        found = dict(meta_graph(self.path).signature_def)
        return {name: d for name, d in found.items() if not name.startswith("__")}


def identity(path: pathlib.Path) -> tuple[int, ...]:
    """Changes when a version is replaced by another one of its number."""
    try:
        stat = (path / "saved_model.pb").stat()
    except OSError:
        return ()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def within_budget(versions: list[Version], target: Target) -> Version:
    """The most accurate version that spends no more than a budget per sample.

    Raises:
        ServingError: If there is none; the cheapest one is named.
    """
    budget = target.budget_nj or 0.0
    priced = [v for v in versions if v.energy_nj is not None]
    if not priced:
        raise ServingError(
            "FAILED_PRECONDITION",
            f"No version of model {target.name} has a measured energy, so none can be "
            "chosen by an energy budget. Remedy: export it with data.",
        )
    # Joules become nJ in floating point: a budget of 90 takes what spends 90.
    kept = [v for v in priced if (v.energy_nj or 0.0) <= budget * (1 + 1e-9)]
    if not kept:
        cheapest = min(priced, key=lambda v: v.energy_nj or 0.0)
        raise ServingError(
            "FAILED_PRECONDITION",
            f"No version of model {target.name} spends at most {budget:g} nJ per "
            f"sample: the cheapest, version {cheapest.number}, spends "
            f"{cheapest.energy_nj:.4g} nJ.",
        )
    return max(kept, key=lambda v: (v.accuracy or 0.0, -(v.energy_nj or 0.0)))


def read_labels(folder: pathlib.Path) -> tuple[dict[str, int], list[int]] | None:
    """The labels of a frontier's versions and their numbers, `None` for no frontier."""
    try:
        front = json.loads((folder / FRONT).read_text(encoding="utf-8"))
        labels = {str(k): int(v) for k, v in front["labels"].items()}
        numbers = [int(each["version"]) for each in front["versions"]]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.error("%s is no frontier: %r", folder / FRONT, error)
        return None
    return labels, numbers


def drain(version: Version) -> None:
    """Waits until nobody is answered by a version any more, then lets go of it."""
    deadline = time.monotonic() + _DRAIN
    while version.in_flight and time.monotonic() < deadline:
        time.sleep(0.02)
    version.state = END
    version.model = None
