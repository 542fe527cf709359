"""Draws docs/images/surrogates.png: the derivative of every surrogate."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # from a clone, not installed
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib

matplotlib.use("Agg")

import keras
import matplotlib.pyplot as plt
import numpy as np

from keras_ssp import surrogates

TARGET = Path(__file__).parent / "images" / "surrogates.png"
ORDER = (
    "triangle",
    "rectangle",
    "sigmoid",
    "fast_sigmoid",
    "arctan",
    "piecewise_exponential",
    "gaussian",
    "multi_gaussian",
    "straight_through",
    "s2nn",
)


def main() -> None:
    x = np.linspace(-2.5, 2.5, 2001, dtype="float32")
    figure, axes = plt.subplots(
        2, 5, figsize=(12, 5), sharex=True, sharey=True, layout="constrained"
    )
    for name, axis in zip(ORDER, axes.flat, strict=True):
        surrogate = surrogates.get(name)
        y = keras.ops.convert_to_numpy(surrogate.derivative(keras.ops.array(x)))
        axis.axvline(0, color="0.8", linewidth=1)
        axis.axhline(0, color="0.8", linewidth=1)
        axis.fill_between(x, y, color="tab:blue", alpha=0.15, linewidth=0)
        axis.plot(x, y, color="tab:blue", linewidth=1.8)
        arguments = ", ".join(f"{k} {v:g}" for k, v in surrogate.get_config().items())
        axis.set_title(name, fontsize=11, loc="left", pad=18)
        axis.text(
            0, 1.04, arguments, transform=axis.transAxes, fontsize=8.5, color="0.35"
        )
        axis.spines[["top", "right"]].set_visible(False)
        axis.set(xlim=(-2.5, 2.5), ylim=(-0.1, 1.15), xticks=range(-2, 3))
        axis.set_yticks((0, 0.5, 1))
    figure.supxlabel("v − threshold", fontsize=11)
    figure.supylabel("surrogate derivative", fontsize=11)
    figure.get_layout_engine().set(h_pad=0.1, hspace=0.06)
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET, dpi=150)
    print(f"wrote {TARGET.name}")


if __name__ == "__main__":
    main()
