"""Trains each network for a few hundred steps on real images and checks the theorem.

    TFDS_DATA_DIR=... python docs/results/networks.py --out runs/networks

For each: train, save, load, and on the loaded model p * E_AC * Omega_l against the
report's E_l, layer by layer. Prints a Markdown table.
"""

import argparse
import pathlib

import keras

from keras_ssp import SynapticPenalty, energy_report, penalize, penalty_values
from keras_ssp.datasets import load
from keras_ssp.training import EVALUATION_BATCH, TrainConfig, train

NETWORKS = (
    ("cnn7", "fashion_mnist"),
    ("vgg11", "cifar10"),
    ("resnet18", "cifar10"),
)
HEADER = (
    *("network", "data", "steps", "loss, first epoch", "last epoch"),
    *("test accuracy (%)", "spike rate (%)", "energy (nJ)", "layers"),
    "largest relative error of p * E_AC * Omega_l = E_l",
)


def worst_error(model: keras.Model, x: object, p: float) -> tuple[int, float]:
    """Layers that drive synapses, and how far the theorem is from exact on them."""
    penalize(model, SynapticPenalty(1e-9, p=p))
    omega = penalty_values(model, x, batch_size=EVALUATION_BATCH)
    report = energy_report(model, x, batch_size=EVALUATION_BATCH)
    rows = [r for r in report.layers if r.is_neuron and r.energy_pj]
    errors = [abs(p * 0.9 * omega[r.name] / r.energy_pj - 1) for r in rows]
    return len(rows), max(errors)


def main() -> None:
    """Runs all three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--images", type=int, default=3200)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1000)
    arguments = parser.parse_args()
    rows = [HEADER, ("---", "---", *["---:"] * (len(HEADER) - 2))]
    for name, data_name in NETWORKS:
        config = TrainConfig(
            data=data_name,
            model=name,
            width=arguments.width,
            train_samples=arguments.images,
            epochs=arguments.epochs,
            batch_size=32,
            weight=0.1,
        )
        data = load(data_name)
        run = train(config, arguments.out / name, data=data, resume=True, verbose=2)
        model = keras.saving.load_model(arguments.out / name / "model.keras")
        x = data.inputs("test").take(arguments.samples).x
        found = [worst_error(model, x, p) for p in (1.0, 1.5, 2.0, 3.0)]
        loss = run.history["loss"]
        rows.append(
            (
                *(name, data_name, arguments.images // 32 * arguments.epochs),
                *(f"{loss[0]:.3f}", f"{loss[-1]:.3f}"),
                f"{100 * run.test_accuracy:.1f}",
                f"{100 * run.report.rate:.1f}",
                f"{run.report.energy_pj / 1e3:.0f}",
                found[0][0],
                f"{max(error for _, error in found):.1e}",
            )
        )
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    main()
