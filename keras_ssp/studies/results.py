"""The results of a study: one row per network, and the CSV file that holds them."""

from __future__ import annotations

import csv
import dataclasses
import io
import pathlib
from collections.abc import Callable, Mapping, Sequence

from keras_ssp._files import write_text
from keras_ssp.training import TrainConfig
from keras_ssp.training.folder import read_text
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
            field.name: _read(field.name, str(field.type), row[field.name])
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


def _read(name: str, kind: str, text: str | None) -> object:
    try:
        if text is None or "\0" in text:
            raise ValueError
        return _READERS[kind](text)
    except ValueError:
        raise ValueError(f"{name}={text!r} is no {kind}") from None


def add_results(path: pathlib.Path, results: Sequence[Result]) -> list[Result]:
    """Adds rows to a file, whole or not at all; returns all that it then holds.

    A network stands there once: a row takes the place of one of the same key and T.
    """
    found = {(row.key, row.time_steps): row for row in read_results(path)}
    found |= {(row.key, row.time_steps): row for row in results}
    write_text(path, _written(list(found.values())))
    return list(found.values())


def read_results(path: pathlib.Path) -> list[Result]:
    """The results of a file, each network once; a torn last line is left out.

    Raises:
        ValueError: If a line is damaged; the file and the line are named.
    """
    if not path.is_file():
        return []
    text = read_text(path)
    whole = text[: text.rfind("\n") + 1]
    found: dict[tuple[str, int], Result] = {}
    for k, row in enumerate(csv.DictReader(io.StringIO(whole, newline=""))):
        try:
            result = Result.from_row(row)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"Line {k + 2} of {path} is damaged ({error}). Remedy: delete that "
                "line; its training is then done again."
            ) from error
        found.setdefault((result.key, result.time_steps), result)
    return list(found.values())


def _written(results: Sequence[Result]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(result) for result in results)
    return text.getvalue()
