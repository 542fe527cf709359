"""Draws docs/images/energy_report.png: where the energy of a small network goes.

Trains one small network on scikit-learn's digits for several weights of the synaptic
penalty, one seed each, and prints accuracy and SynOps; the picture and the printed
report are of `SHOWN`. The numbers of docs/energy.md and docs/penalties.md are its
output.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # from a clone, not installed
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from keras_ssp import SynapticPenalty, energy_report, penalize
from keras_ssp.layers import LIF, DirectEncoding, RateReadout

TARGET = Path(__file__).parent / "images" / "energy_report.png"
WEIGHTS = (0.0, 0.1, 0.3, 1.0, 3.0)
SHOWN = 1.0
EPOCHS = 30


def data():
    digits = load_digits()
    x = (digits.images[..., None] / 16.0).astype("float32")
    return train_test_split(
        x, digits.target, test_size=360, random_state=0, stratify=digits.target
    )


def network():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem"),
            layers.BatchNormalization(),
            DirectEncoding(time_steps=4),
            LIF(name="lif1"),
            layers.AveragePooling2D(2),
            layers.Conv2D(32, 3, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(),
            LIF(name="lif2"),
            layers.Flatten(),
            layers.Dense(64, use_bias=False, name="dense"),
            layers.BatchNormalization(),
            LIF(name="lif3"),
            layers.Dense(10, name="scores"),
            RateReadout(),
        ],
        name="digits",
    )


def train(weight, x, y):
    keras.utils.set_random_seed(0)
    model = network()
    if weight:
        penalize(model, SynapticPenalty(weight, normalize=True))
    steps = EPOCHS * -(-len(x) // 64)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, y, batch_size=64, epochs=EPOCHS, verbose=0)
    return model


def main() -> None:
    x, x_test, y, y_test = data()
    print("| lambda | test accuracy | SynOps | spiking layers | spike rate |")
    print("|---:|---:|---:|---:|---:|")
    shown = None
    for weight in WEIGHTS:
        model = train(weight, x, y)
        accuracy = model.evaluate(x_test, y_test, verbose=0, return_dict=True)[
            "accuracy"
        ]
        report = energy_report(model, x_test)
        print(
            f"| {weight:g} | {100 * accuracy:.1f} % | {report.synops:.0f} | "
            f"{report.synaptic_energy_pj / 1000:.1f} nJ | {100 * report.rate:.1f} % |"
        )
        if weight == SHOWN:
            shown = report
    print(f"\n{shown}")
    TARGET.parent.mkdir(exist_ok=True)
    shown.plot(TARGET)
    print(f"\nwrote {TARGET.name}")


if __name__ == "__main__":
    main()
