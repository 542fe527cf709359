"""The searched frontier of Fashion-MNIST against the study's grid of lambda.

    python -m tuning search fashion_mnist --trials 11 --seed 0 --out runs/fashion_s0
    python docs/results/frontier_against_grid.py runs/fashion_s0

Both have eleven trainings of the same network with the same data, epochs and seed: the
grid is no penalty, and five lambda for p = 1 and for p = 2 each. Every network is
measured on the 10 000 test images, which chose nothing.
"""

from __future__ import annotations

import math
import pathlib
import sys

from keras_ssp import pareto
from keras_ssp.datasets import load
from keras_ssp.studies.equal_accuracy import crossing
from keras_ssp.studies.results import read_results
from keras_ssp.tables import Column, Table
from keras_ssp.training import evaluate
from keras_ssp.tuner import read_search
from keras_ssp.tuner.trial import load_trial

STUDY = pathlib.Path(__file__).with_name("fashion_mnist_study.csv")
SERIES = ("none", "synaptic p=1", "synaptic p=2")
ACCURACIES = (0.87, 0.86, 0.85, 0.83)
# The worst that counts, as in tuning/spaces.py: 75 %, 800 nJ.
REFERENCE = (0.75, 800e3)


def searched(folder: str) -> tuple[int, list[pareto.Point]]:
    """Seed of a search, and what its networks do on the test images."""
    results = read_search(folder)
    data = load("fashion_mnist").limited(10_000)
    found = [evaluate(load_trial(trial.folder), data) for trial in results.completed]
    return results.seed, [(f.report.synaptic_energy_pj, f.test_accuracy) for f in found]


def of_the_grid(seed: int) -> list[pareto.Point]:
    """The same of the study's networks."""
    return [
        (row.synaptic_energy_pj, row.test_accuracy)
        for row in read_results(STUDY)
        if row.series in SERIES and row.seed == seed
    ]


def volume(points: list[pareto.Point]) -> float:
    """Hypervolume: accuracy times decades of energy."""
    losses = [(math.log10(max(e, 1.0)), -a) for e, a in points]
    return pareto.hypervolume(losses, [math.log10(REFERENCE[1]), -REFERENCE[0]])


def main(folders: list[str]) -> None:
    rows = []
    for folder in folders:
        seed, found = searched(folder)
        for name, points in (("grid", of_the_grid(seed)), ("search", found)):
            front = pareto.envelope([p for p in points if p[0] > 0])
            useful = [p for p in front if p[1] >= REFERENCE[0]]
            energies = [crossing(useful, a).energy / 1e3 for a in ACCURACIES]
            rows.append(
                [seed, name, len(points), len(useful), f"{volume(points):.4f}"]
                + [f"{useful[0][0] / 1e3:.1f} to {useful[-1][0] / 1e3:.1f}"]
                + [f"{100 * useful[-1][1]:.2f}"]
                + [f"{e:.1f}" if math.isfinite(e) else "not reached" for e in energies]
            )
    names = ["seed", "networks", "trainings", "on the frontier", "hypervolume"]
    names += ["frontier (nJ)", "best (%)"]
    names += [f"nJ at {100 * a:.0f} %" for a in ACCURACIES]
    columns = [Column(header=name, left=name == "networks") for name in names]
    print(Table(columns, rows).markdown())


if __name__ == "__main__":
    main(sys.argv[1:])
