"""From the recordings of N-MNIST to energy reports, with and without the penalty.

    python docs/results/nmnist.py FOLDER

FOLDER is N-MNIST as it is published, `Train/<digit>/<number>.bin` and `Test/...`, or a
part of it. Counts events in 10 frames of 34 x 34, trains small_cnn for 20 epochs with
three seeds, and prints the table of docs/events.md.
"""

import pathlib
import sys

import numpy as np

from keras_ssp import datasets, events
from keras_ssp.tables import format_energy
from keras_ssp.training import TrainConfig, train

STEPS, WEIGHTS, SEEDS = 10, (0.0, 0.3, 1.0), (0, 1, 2)


def part(folder):
    """Frames and digits of `folder/<digit>/<number>.bin`."""
    files = sorted(folder.glob("*/*.bin"))
    frames = events.to_frames(
        [events.read(file) for file in files], shape=(34, 34), time_steps=STEPS
    )
    return frames, np.array([int(file.parent.name) for file in files])


def main(folder):
    """Trains, and prints a row for each lambda."""
    x, y = part(folder / "Train")
    data = datasets.from_arrays(x, y, test=part(folder / "Test"), name="nmnist")
    print(f"{len(data.train)} + {len(data.validation)} + {len(data.test)} recordings")
    print("| lambda | accuracy (%) | spiking layers | input events | total |")
    print("|---:|---:|---:|---:|---:|")
    for weight in WEIGHTS:
        accuracies, reports = [], []
        for seed in SEEDS:
            config = TrainConfig(
                time_steps=STEPS, weight=weight, seed=seed, batch_size=16, width=0.5
            )
            run = train(config, data=data, verbose=0)
            accuracies.append(100 * run.test_accuracy)
            reports.append(run.report)
        energies = [
            format_energy(float(np.mean([getattr(r, name) for r in reports])))
            for name in ("synaptic_energy_pj", "input_energy_pj", "energy_pj")
        ]
        accuracy = f"{np.mean(accuracies):.1f} ± {np.std(accuracies, ddof=1):.1f}"
        print(f"| {weight:g} | {accuracy} | {' | '.join(energies)} |")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
