"""Measures ANN-to-SNN conversion: accuracy and energy against time steps.

    python docs/results/conversion_study.py --output docs/results/conversion.md

Trains one small network three times per seed (ReLU with average and with max pooling,
QCFS), converts each with several methods and T, and writes the table. Mean over seeds;
every accuracy is on the test part, which chose nothing.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # from a clone, not installed
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

from keras_ssp import energy_report
from keras_ssp.conversion import convert
from keras_ssp.datasets import load
from keras_ssp.layers import QCFS

BATCH = 100
CALIBRATION = 1000

# Row name, which network it starts from, arguments of `convert`.
ROWS = (
    ("max", "relu", {"method": "max"}),
    ("percentile 99.9", "relu", {"method": "percentile"}),
    (
        "percentile 99.9, start at 0",
        "relu",
        {"method": "percentile", "initial_potential": 0.0},
    ),
    ("percentile 99.9, max pooling", "relu, max pooling", {"method": "percentile"}),
    ("qcfs", "qcfs", {"method": "qcfs"}),
)


def network(kind, shape, classes, levels):
    """The network to train, of ReLU or QCFS, with average or max pooling."""
    pool = layers.MaxPooling2D if "max" in kind else layers.AveragePooling2D

    def activation():
        return QCFS(levels) if kind == "qcfs" else layers.ReLU()

    parts = [keras.Input(shape)]
    for filters in (16, 32):
        parts.append(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        parts += [layers.BatchNormalization(momentum=0.9), activation(), pool(2)]
    parts += [layers.Flatten(), layers.Dense(64, use_bias=False)]
    parts += [layers.BatchNormalization(momentum=0.9), activation()]
    return keras.Sequential([*parts, layers.Dense(classes)], name="small_cnn")


def train(kind, data, options, seed):
    """A trained network of one kind."""
    keras.utils.set_random_seed(seed)
    model = network(kind, data.sample_shape, data.classes, options.levels)
    steps = options.epochs * -(-len(data.train) // BATCH)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    x = data.normalized(data.train.x)
    model.fit(x, data.train.y, batch_size=BATCH, epochs=options.epochs, verbose=0)
    return model


def accuracy(model, x, y):
    """Share of right answers."""
    scores = model.predict(x, batch_size=BATCH, verbose=0)
    return float(np.mean(scores.argmax(-1) == y))


def study(options):
    """`{row: {T: [(accuracy, SynOps, pJ, ANN accuracy, ANN pJ), one per seed]}}`."""
    data = load(options.data).limited(options.train_samples)
    x = data.normalized(data.test.x[: options.test_samples])
    y = data.test.y[: options.test_samples]
    calibration = data.normalized(data.train.x[:CALIBRATION])
    found = {name: {t: [] for t in options.time_steps} for name, _, _ in ROWS}
    for seed in range(options.seeds):
        kinds = dict.fromkeys(kind for _, kind, _ in ROWS)
        models = {kind: train(kind, data, options, seed) for kind in kinds}
        trained = {kind: accuracy(model, x, y) for kind, model in models.items()}
        for name, kind, arguments in ROWS:
            for t in options.time_steps:
                snn = convert(models[kind], calibration, time_steps=t, **arguments)
                report = energy_report(snn, x[: options.energy_samples], batch_size=50)
                row = (
                    accuracy(snn, x, y),
                    report.synops,
                    report.energy_pj,
                    trained[kind],
                    report.dense_ann_pj,
                )
                found[name][t].append(row)
                print(f"seed {seed}, {name}, T={t}: {row[0]:.4f}", flush=True)
                keras.utils.clear_session()
    return found


def page(found, options):
    """The results as Markdown."""
    command = "python docs/results/conversion_study.py " + " ".join(sys.argv[1:])
    steps = options.time_steps
    first = next(iter(found.values()))[steps[0]]
    ann = np.mean([row[4] for row in first])
    lines = [
        "# Conversion: accuracy and energy against time steps",
        "",
        "How the methods of [conversion](../conversion.md) compare on a small network. "
        "These are our own numbers, for our own network; none is a paper's.",
        "",
        f"- data: {options.data}, {options.train_samples or 'all'} training images "
        f"(a tenth is held out), "
        f"{options.test_samples or 'all'} test images; energy on "
        f"{options.energy_samples} of them, thresholds from {CALIBRATION} training "
        "images",
        "- network: conv 16 - pool - conv 32 - pool - dense 64 - dense, batch norm "
        "after all but the last; average pooling where nothing else is said",
        f"- training: {options.epochs} epochs, Adam 3e-3 with cosine decay, batch "
        f"{BATCH}, {options.seeds} seeds; QCFS with L = {options.levels}",
        f"- machine: {options.machine}, {keras.backend.backend()}",
        f"- command: `{command}`",
        "- energy: 45 nm, accumulate 0.9 pJ, multiply-accumulate 4.6 pJ; an estimate "
        f"from operation counts. The ReLU network itself takes {ann / 1e3:.0f} nJ.",
        "",
        "Accuracy in %, mean over seeds, and (lowest - highest) seed:",
        "",
        "| method | trained network | " + " | ".join(f"T = {t}" for t in steps) + " |",
        "|---|---:|" + "---:|" * len(steps),
    ]
    for name, by_steps in found.items():
        trained = [row[3] for row in by_steps[steps[0]]]
        cells = [_spread(trained)]
        cells += [_spread([row[0] for row in by_steps[t]]) for t in steps]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Energy per image in nJ (SynOps in thousands), mean over seeds:",
        "",
        "| method | " + " | ".join(f"T = {t}" for t in steps) + " |",
        "|---|" + "---:|" * len(steps),
    ]
    for name, by_steps in found.items():
        cells = [
            f"{np.mean([row[2] for row in by_steps[t]]) / 1e3:.0f} "
            f"({np.mean([row[1] for row in by_steps[t]]) / 1e3:.0f})"
            for t in steps
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _spread(values):
    mean, low, high = (100 * f(values) for f in (np.mean, np.min, np.max))
    return f"{mean:.1f} ({low:.1f} - {high:.1f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--time-steps", type=int, nargs="+", default=[2, 4, 8, 16, 32])
    parser.add_argument("--levels", type=int, default=8, help="L of QCFS")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train-samples", type=int, help="default: all")
    parser.add_argument("--test-samples", type=int, help="default: all")
    parser.add_argument("--energy-samples", type=int, default=1000)
    parser.add_argument("--machine", default="2 CPU cores")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    text = page(study(options), options)
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
