"""Everything that a search is called with, written into its folder."""

from __future__ import annotations

import dataclasses
import json
import pathlib

from keras_ssp.training.folder import write_json
from keras_ssp.tuner import ParetoTuner
from keras_ssp.types import Config
from tuning.spaces import SearchSpace

PLAN = "plan.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a search is called with; the same in each of its processes.

    Args:
        space: What is searched.
        folder: The folder of the search.
        sampler: Name of a sampler.
        max_trials: As for `ParetoTuner`.
        max_hours: As for it.
        patience: As for it.
        seed: As for it.
        seeds: As for it.
        repeat: As for it.
        lease: As for it.
        data_dir: As for `keras_ssp.datasets.load`.
        imports: Modules that a process must import first.
        command: The command line, for the page.
    """

    space: SearchSpace
    folder: pathlib.Path
    sampler: str = "ehvi"
    max_trials: int | None = 24
    max_hours: float | None = None
    patience: int | None = None
    seed: int = 0
    seeds: int = 1
    repeat: str = "average"
    lease: float = 60.0
    data_dir: str | None = None
    imports: tuple[str, ...] = ()
    command: str = ""

    def tuner(self) -> ParetoTuner:
        """The tuner, which goes on with what is in the folder.

        In a process with Keras Tuner's environment variables it is the chief, or a
        worker.
        """
        return ParetoTuner(
            self.space.hypermodel(self.data_dir),
            objectives=self.space.objectives,
            sampler=self.sampler,
            max_trials=self.max_trials,
            max_hours=self.max_hours,
            patience=self.patience,
            seed=self.seed,
            seeds=self.seeds,
            repeat=self.repeat,
            lease=self.lease,
            energy_model=self.space.config.energy_model,
            directory=self.folder.parent,
            project_name=self.folder.name,
        )

    def write(self) -> None:
        """Writes the plan into the folder.

        Raises:
            ValueError: If the search there has another space; a larger budget or
                another sampler is no other search.
        """
        before = plan_of(self.folder)
        if before is not None:
            found, ours = before._decides(), self._decides()
            for name, value in found.items():
                if value != ours[name]:
                    raise ValueError(
                        f"`{name}` must be that of the search to go on with in "
                        f"{self.folder}, {value}. Received: {name}={ours[name]}. "
                        "Remedy: another folder (--out), or throw the search away "
                        "(--overwrite)."
                    )
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / PLAN, self.to_dict())

    def _decides(self) -> Config:
        """What makes trials comparable, as it is read from a file."""
        names = ("train", "search", "objectives")
        space = self.space.to_dict()
        found = {name: space[name] for name in names}
        found |= {"seed": self.seed, "seeds": self.seeds, "repeat": self.repeat}
        plain: Config = json.loads(json.dumps(found))
        return plain

    def to_dict(self) -> Config:
        """The plan as plain values, without its folder."""
        found = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }
        del found["folder"]
        return {**found, "space": self.space.to_dict(), "imports": [*self.imports]}


def read_plan(folder: pathlib.Path) -> Plan:
    """The plan in the folder of a search.

    Raises:
        FileNotFoundError: If there is none: the search was not made by this program.
    """
    file = folder / PLAN
    if not file.is_file():
        raise FileNotFoundError(
            f"`folder` must be that of a search by `python -m tuning`, with a {PLAN}. "
            f"Received: folder={folder}."
        )
    values = json.loads(file.read_text(encoding="utf-8"))
    values["space"] = SearchSpace.from_dict(values["space"])
    values["imports"] = tuple(values["imports"])
    return Plan(**{**values, "folder": folder})


def plan_of(folder: pathlib.Path) -> Plan | None:
    """The plan in a folder, `None` for a search that has none."""
    return read_plan(folder) if (folder / PLAN).is_file() else None
