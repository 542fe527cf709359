"""How well energy budgets are kept, and what that costs in accuracy.

    python docs/results/energy_budget.py digits
    python docs/results/energy_budget.py fashion_mnist
    python docs/results/energy_budget.py table

The first two train, append a row each to docs/results/energy_budget.csv and leave out
what is there already; the third writes docs/results/energy_budget.md from the rows.
Each budget is one training. The frontier that it is compared with is made of trainings
with a fixed lambda, of the same length and seed: for digits they are run here, for
Fashion-MNIST they are those of docs/results/fashion_mnist_study.csv.
"""

import argparse
import csv
import dataclasses
import math
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # from a clone, not installed
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from keras_ssp.datasets import load
from keras_ssp.pareto import envelope
from keras_ssp.studies import Study, demo
from keras_ssp.tables import Table
from keras_ssp.training import read_config, train

HERE = Path(__file__).parent
CSV = HERE / "energy_budget.csv"
STUDY = HERE / "fashion_mnist_study"
SEEDS = (0, 1, 2)
# nJ; log-spaced. Without penalty digits spend 202 nJ, Fashion-MNIST 731.
TARGETS = {
    "digits": (2, 3, 4.6, 7, 11, 16, 25, 38, 57, 87, 132, 200),
    "fashion_mnist": (30, 60, 120, 240, 480),
}
WEIGHTS = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 200.0, 300.0)
INTRODUCTION = """\
# Energy budgets: how well they are kept

[`EnergyBudget`](../budget.md), one training each, against trainings with a fixed lambda
of the same length and seed. Written by `python docs/results/energy_budget.py table`
from [energy_budget.csv](energy_budget.csv), whose rows are from

```
python docs/results/energy_budget.py digits
python docs/results/energy_budget.py fashion_mnist
```

on 2 CPU cores, TensorFlow. Digits: `small_cnn`, 20 epochs, the recipe of `make demo`.
Fashion-MNIST: 10 000 images, `small_cnn` at width 0.5, 5 epochs, as in
[the study](fashion_mnist_study.md). Budgets are of synaptic energy (45 nm, 32-bit
float) and steered on the validation part (126 images of digits, 1112 of
Fashion-MNIST); the test part spends a little more or less.

"Against the frontier": test accuracy less that of the frontier of fixed lambdas of the
same seed, at the energy that was spent on the test part (linear in its logarithm), mean
over seeds. The frontier is the best of its trainings on that same test part, which
flatters it; "no frontier" where no fixed lambda gave so cheap a network (the next
larger one silences it). One digit is 0.19 points of accuracy.
"""
COLUMNS = (
    *("data", "seed", "weight", "target_nj", "validation_nj", "test_nj"),
    *("validation_accuracy", "test_accuracy", "reached", "seconds"),
)


def base(data):
    """The config that budgets are added to."""
    if data == "digits":
        return demo.BASE
    study = Study.from_dict(read_config(STUDY.with_suffix(".toml")))
    return dataclasses.replace(study.base, penalty="synaptic")


def tasks(data, targets, seeds):
    """The configs of all trainings, each with its key: weight, target and seed."""
    for seed in seeds:
        start = dataclasses.replace(base(data), seed=seed)
        for target in targets:
            budget = dataclasses.replace(start, budget=f"{target:g} nJ")
            yield ("", f"{target:g}", str(seed)), budget
        for weight in WEIGHTS if data == "digits" else ():
            penalty = "synaptic" if weight else "none"
            fixed = dataclasses.replace(start, penalty=penalty, weight=weight)
            yield (f"{weight:g}", "", str(seed)), fixed


def rows():
    """All rows so far."""
    if not CSV.is_file():
        return []
    with open(CSV, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def measure(data, targets, seeds, data_dir):
    """Runs what is not in the file yet."""
    images = load(base(data).data, data_dir=data_dir)
    for key, config in tasks(data, targets, seeds):
        if (data, *key) in found(rows()):
            continue
        started = time.perf_counter()
        run = train(config, data=images, verbose=0)
        summary = run.summary()
        spent = summary.get("budget_spent_pj")
        row = {
            "data": data,
            "seed": config.seed,
            "weight": key[0],
            "target_nj": key[1],
            "validation_nj": "" if spent is None else f"{spent / 1e3:.6g}",
            "test_nj": f"{summary['synaptic_energy_pj'] / 1e3:.6g}",
            "validation_accuracy": f"{run.validation_accuracy:.6g}",
            "test_accuracy": f"{run.test_accuracy:.6g}",
            "reached": summary.get("budget_reached", ""),
            "seconds": f"{time.perf_counter() - started:.1f}",
        }
        append(row)
        print(row, flush=True)


def found(present):
    """The keys of rows, the data first."""
    return {(r["data"], r["weight"], r["target_nj"], r["seed"]) for r in present}


def append(row):
    """Adds a row, and the header to a new file."""
    new = not CSV.exists()
    with open(CSV, "a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def frontier(data, seed):
    """(log energy, accuracy) of the fixed lambdas that no other one beats."""
    if data == "digits":
        points = [
            (float(r["test_nj"]), float(r["test_accuracy"]))
            for r in rows()
            if r["data"] == data and r["weight"] and r["seed"] == seed
        ]
        points = [point for point in points if point[0] > 0]  # others are silent
    else:
        with open(STUDY.with_suffix(".csv"), encoding="utf-8", newline="") as file:
            points = [
                (float(r["synaptic_energy_pj"]) / 1e3, float(r["test_accuracy"]))
                for r in csv.DictReader(file)
                if r["series"] in ("none", "synaptic p=1") and r["seed"] == seed
            ]
    front = envelope(points)
    return [math.log(energy) for energy, _ in front], [
        accuracy for _, accuracy in front
    ]


def at(energy, seed, data):
    """Accuracy of the frontier at an energy, NaN below its cheapest network."""
    energies, accuracies = frontier(data, seed)
    return float(np.interp(math.log(energy), energies, accuracies, left=math.nan))


def compared(data):
    """For each target the mean over seeds of what the table shows."""
    for target in TARGETS[data]:
        of_target = [
            r for r in rows() if r["data"] == data and r["target_nj"] == f"{target:g}"
        ]
        if not of_target:
            continue
        ratios = [float(r["validation_nj"]) / target for r in of_target]
        tests = [float(r["test_nj"]) / target for r in of_target]
        accuracy = [100 * float(r["test_accuracy"]) for r in of_target]
        gaps = [
            100 * (float(r["test_accuracy"]) - at(float(r["test_nj"]), r["seed"], data))
            for r in of_target
        ]
        yield {
            "target": target,
            "seeds": len(of_target),
            "ratios": ratios,
            "tests": tests,
            "accuracy": accuracy,
            "gap": float(np.mean(gaps)),
            "reached": [r["reached"] == "True" for r in of_target],
        }


def table(data):
    """The table of one data set."""
    return Table(
        [
            "budget",
            "spent / budget, validation",
            "spent / budget, test",
            "reached",
            "test accuracy (%)",
            "against the frontier (points)",
        ],
        [
            (
                f"{row['target']:g} nJ",
                " ".join(f"{ratio:.3f}" for ratio in row["ratios"]),
                " ".join(f"{ratio:.3f}" for ratio in row["tests"]),
                f"{sum(row['reached'])} of {row['seeds']}",
                f"{np.mean(row['accuracy']):.2f}",
                "no frontier" if math.isnan(row["gap"]) else f"{row['gap']:+.2f}",
            )
            for row in compared(data)
        ],
    )


def page():
    """The whole page, as text."""
    text = INTRODUCTION
    for data, title in (("digits", "Digits"), ("fashion_mnist", "Fashion-MNIST")):
        results = list(compared(data))
        if not results:
            continue
        spent = [ratio for row in results for ratio in row["ratios"]]
        gaps = [row["gap"] for row in results if not math.isnan(row["gap"])]
        text += (
            f"\n## {title}\n\n{table(data).markdown()}\n"
            f"{sum(0.97 <= r <= 1.0 for r in spent)} of {len(spent)} trainings end "
            f"within 3 % below their budget and {sum(r > 1.0 for r in spent)} above it "
            f"(smallest {min(spent):.3f}, largest {max(spent):.3f} of it). Accuracy "
            f"against the frontier: mean {np.mean(gaps):+.2f} points, worst budget "
            f"{min(gaps):+.2f}.\n"
        )
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=(*TARGETS, "table"))
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--targets", type=float, nargs="+", help="nJ (default: all)")
    parser.add_argument("--data-dir", default=os.environ.get("TFDS_DATA_DIR"))
    arguments = parser.parse_args()
    if arguments.what == "table":
        (HERE / "energy_budget.md").write_text(page(), encoding="utf-8")
    else:
        targets = arguments.targets or TARGETS[arguments.what]
        measure(arguments.what, targets, arguments.seeds, arguments.data_dir)


if __name__ == "__main__":
    main()
