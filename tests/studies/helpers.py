"""A small study and rows as it makes them."""

from keras_ssp.studies.grid import Study
from keras_ssp.studies.runner import COLUMNS

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
    values = dict.fromkeys(COLUMNS, 0.0)
    values |= {"key": f"{series}{weight}{seed}", "series": series, "target": ""}
    values |= {"penalty": series, "weight": weight, "seed": seed, "time_steps": 4}
    values |= {"surrogate": "triangle", "test_accuracy": accuracy}
    return values | {"synaptic_energy_pj": energy, "synops": energy / 0.9, **more}
