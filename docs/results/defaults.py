"""Does `LIF()` learn where `ReLU()` does? Plain Keras networks, default arguments.

    python docs/results/defaults.py

Networks of `depth` layers (Conv2D of 16 filters, or Dense of 64 units) with Keras' own
initialisers, without batch normalisation and with it (momentum 0.9, and 0.99, Keras'
default), are trained with Adam at its defaults, once with `ReLU()` and once with
`LIF()` in its place (behind `DirectEncoding` for T > 1), some of them also after
`calibrate(model, x)`. Nothing is tuned. Accuracies are of the validation part, and
`warned` says whether `fit` or `EnergyMonitor` warned of the network. Writes
defaults.csv, prints the tables of defaults.md.
"""

import argparse
import csv
import itertools
import os
import pathlib
import warnings

for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

from keras_ssp import EnergyMonitor, calibrate, datasets  # noqa: E402
from keras_ssp.layers import LIF, DirectEncoding, RateReadout  # noqa: E402

OUT = pathlib.Path(__file__).with_suffix(".csv")
FIELDS = ("data", "kind", "depth", "norm", "neuron", "T", "seed", "accuracy", "warned")
NORMS = (None, 0.9, 0.99)
WAYS = (
    *(("relu", None), ("lif", 1), ("lif", 4)),
    *(("calibrated", 1), ("calibrated", 4), ("lif", 10)),
)
HEADS = {
    "relu": "`ReLU()`",
    "lif": "`LIF()`, T = {}",
    "calibrated": "calibrated, T = {}",
}
EPOCHS = {"digits": 10, "fashion_mnist": 3}


def network(shape, kind, depth, norm, steps):
    """A plain network; `steps=None` has `ReLU`."""
    stack = [keras.Input(shape)]
    if kind == "dense":
        stack.append(layers.Flatten())
    for k in range(depth):
        conv = layers.Conv2D(16, 3, padding="same")
        stack.append(conv if kind == "conv" else layers.Dense(64))
        if norm is not None:
            stack.append(layers.BatchNormalization(momentum=norm))
        if k == 0 and steps is not None and steps > 1:
            stack.append(DirectEncoding(steps))
        stack.append(layers.ReLU() if steps is None else LIF())
        if kind == "conv" and k in (1, 3) and shape[0] > 8:
            stack.append(layers.AveragePooling2D(2))
    stack += [layers.Flatten(), layers.Dense(10)]
    if steps is not None and steps > 1:
        stack.append(RateReadout())
    return keras.Sequential(stack)


def accuracy(data, kind, depth, norm, neuron, steps, seed):
    """Validation accuracy, and whether there was a warning of the network."""
    keras.utils.set_random_seed(seed)
    train, validation = data.inputs("train"), data.inputs("validation")
    model = network(data.sample_shape, kind, depth, norm, steps)
    if neuron == "calibrated":
        calibrate(model, train.x)
    model.compile(
        "adam",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    monitor = [] if steps is None else [EnergyMonitor(validation.x[:64])]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(
            train.x,
            data.train.y,
            epochs=EPOCHS[data.name],
            callbacks=monitor,
            verbose=0,
        )
    said = [str(w.message) for w in caught]
    warned = any("Remedy" in text for text in said)
    _, found = model.evaluate(validation.x, data.validation.y, verbose=0)
    keras.utils.clear_session()
    return found, warned


def settings():
    """All trainings, those that say most first."""
    for seed, depth in itertools.product((0, 1, 2), (4, 12, 1)):
        for kind, norm in itertools.product(("conv", "dense"), NORMS):
            for neuron, steps in WAYS:
                if neuron != "calibrated" or (norm is None and depth > 1):
                    yield "digits", kind, depth, norm, neuron, steps, seed
    for seed, depth, norm in itertools.product((0, 1, 2), (4, 12), (None, 0.99)):
        for neuron, steps in WAYS[:3]:
            yield "fashion_mnist", "conv", depth, norm, neuron, steps, seed


def tables(rows):
    """Mean accuracies side by side, as Markdown."""
    points, warned = {}, set()
    for row in rows:
        place = tuple(row[k] for k in ("data", "kind", "depth", "norm"))
        way = (row["neuron"], row["T"])
        points.setdefault(place, {}).setdefault(way, []).append(
            100 * float(row["accuracy"])
        )
        if row["warned"] == "True":
            warned.add((place, way))
    heads = ["network", "seeds"]
    heads += [HEADS[neuron].format(steps) for neuron, steps in WAYS]
    lines = [f"| {' | '.join(heads)} |", "|---|---:|" + "---:|" * len(WAYS)]
    for place, found in points.items():
        data, kind, depth, norm = place
        cells = []
        for neuron, steps in WAYS:
            way = (neuron, str(steps or ""))
            mark = " (!)" if (place, way) in warned else ""
            cells.append(f"{np.mean(found[way]):.1f}{mark}" if way in found else "-")
        with_norm = f", batch norm {norm}" if norm else ""
        seeds = max(map(len, found.values()))
        name = f"{data}, {depth} x {kind}{with_norm}"
        lines.append(f"| {name} | {seeds} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    """Does what is not in the file yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", action="store_true", help="train nothing")
    parser.add_argument("--kind", help="train 'conv' or 'dense' alone (two at a time)")
    parser.add_argument("--seed", type=int, help="train with this seed alone")
    arguments = parser.parse_args()
    rows = list(csv.DictReader(OUT.open())) if OUT.exists() else []
    done = {tuple(row[k] for k in FIELDS[:7]) for row in rows}
    if not arguments.tables:
        new = not OUT.exists()
        loaded = {}
        with OUT.open("a", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            if new:
                writer.writeheader()
            for name, kind, depth, norm, neuron, steps, seed in settings():
                key = (name, kind, depth, norm or "", neuron, steps or "", seed)
                other = arguments.kind not in (None, kind)
                other = other or arguments.seed not in (None, seed)
                if other or tuple(map(str, key)) in done:
                    continue
                if name not in loaded:
                    small = 4000 if name == "fashion_mnist" else None
                    loaded[name] = datasets.load(name).limited(small)
                network_key = (kind, depth, norm, neuron, steps, seed)
                found, warned = accuracy(loaded[name], *network_key)
                row = dict(zip(FIELDS, (*key, f"{found:.4f}", warned), strict=True))
                writer.writerow(row)
                file.flush()
                rows.append({k: str(v) for k, v in row.items()})
    print(tables(rows))


if __name__ == "__main__":
    main()
