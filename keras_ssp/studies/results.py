"""The results of a study: one row per network, and the CSV file that holds them."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

from keras_ssp.training import TrainConfig
from keras_ssp.types import Config

CONVERTED = "converted"
#: The file of a study's folder that holds its results.
RESULTS = "results.csv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """One finished network: what it was, how accurate it is and what it costs.

    The fields are the columns of `results.csv`, in this order. A field is filled from
    the summary of the evaluation or from the config, whichever has its name; one that
    is added needs a default, so that older files can still be read.

    Args:
        key: Name of its run folder, which its config decides.
        series: Name of the curve that it is a point of.
        penalty, weight, p, target, surrogate, seed: As in its config.
        time_steps: T; of a converted network, the one that it was run for.
        validation_accuracy, test_accuracy: Shares, in [0, 1].
        synops: SynOps per image.
        synaptic_energy_pj, energy_pj: Without and with analogue operations, per image.
        spike_rate: Spikes per neuron and step.
        seconds: How long its training took.
    """

    key: str
    series: str
    penalty: str
    weight: float
    p: float
    target: float | None
    surrogate: str
    seed: int
    time_steps: int
    validation_accuracy: float
    test_accuracy: float
    synops: float
    synaptic_energy_pj: float
    energy_pj: float
    spike_rate: float
    seconds: float

    @property
    def is_baseline(self) -> bool:
        """Whether the network is spiking and was trained without penalty."""
        # A converted network has no penalty either.
        return self.penalty == "none" and self.series != CONVERTED

    @classmethod
    def of(
        cls, config: TrainConfig, *, key: str, series: str, **values: float
    ) -> Result:
        """The result of a training.

        Args:
            config: Its config.
            key: See above.
            series: See above.
            **values: The summary of its evaluation; what goes before the config.
        """
        chosen = {**vars(config), **values, "key": key, "series": series}
        return cls(**{name: chosen[name] for name in COLUMNS if name in chosen})

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> Result:
        """Reads a row of a file; columns that this version does not know are left."""
        values: Config = {
            field.name: _READERS[str(field.type)](row[field.name])
            for field in dataclasses.fields(cls)
            if field.name in row
        }
        return cls(**values)


COLUMNS = tuple(field.name for field in dataclasses.fields(Result))
_READERS: dict[str, Callable[[str], object]] = {
    "str": str,
    "int": int,
    "float": float,
    "float | None": lambda text: None if text == "" else float(text),
}


def append_results(path: pathlib.Path, results: Sequence[Result]) -> None:
    """Appends rows in one write, so that a kill leaves at most one torn line."""
    text = _written(results, header=not path.exists())
    with open(path, "a", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_results(path: pathlib.Path) -> list[Result]:
    """The results of a file; a torn last line is cut off, file included.

    A file of an earlier version with fewer columns is written again with all of them,
    so that rows can be appended to it.
    """
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    reader = csv.DictReader(io.StringIO(whole))
    found = [Result.from_row(row) for row in reader]
    if set(COLUMNS) - set(reader.fieldnames or ()):
        whole = _written(found, header=True)
    if whole != text:
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text(whole, encoding="utf-8", newline="")
        os.replace(partial, path)
    return found


def _written(results: Sequence[Result], *, header: bool) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(dataclasses.asdict(result) for result in results)
    return text.getvalue()
