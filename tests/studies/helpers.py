"""A small study and rows as it makes them."""

from keras_ssp.studies.grid import Study
from keras_ssp.studies.results import COLUMNS, Result

BASE = {"train_samples": 128, "width": 0.25, "time_steps": 2, "epochs": 1}
GRID = {
    "penalties": ["none", "synaptic", "synops_target", "converted"],
    "seeds": [0],
    "weights": [0.1],
    "target_shares": [0.5],
    "conversion_steps": [2, 4],
}


def study(**grid):
    return Study.from_dict({"train": BASE, "grid": {**GRID, **grid}})


def row(series, weight, seed, accuracy, energy, **more):
    """A result, in which what does not matter is 0."""
    values = dict.fromkeys(COLUMNS, 0.0)
    values |= {"key": f"{series}{weight}{seed}", "series": series, "target": None}
    values |= {"penalty": series, "weight": weight, "seed": seed, "time_steps": 4}
    values |= {"surrogate": "triangle", "test_accuracy": accuracy}
    values |= {"synaptic_energy_pj": energy, "synops": energy / 0.9, **more}
    return Result(**values)
