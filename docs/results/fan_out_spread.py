"""Penalties on two networks whose layers have unlike fan-outs.

    python docs/results/fan_out_spread.py separable_cnn --out runs/separable_cnn
    python docs/results/fan_out_spread.py squeeze_cnn --out runs/squeeze_cnn

In both, most spikes are in layers that spend little of the energy, so counting spikes
presses elsewhere than the energy does. `separable_cnn` (MobileNet's blocks, on
scikit-learn's digits) alternates neurons that feed a depthwise convolution with neurons
that feed a pointwise one; `squeeze_cnn` (SqueezeNet's blocks without their 1 x 1
branch, on Fashion-MNIST) has few neurons that feed many filters of 3 x 3 and many
neurons that feed few filters of 1 x 1. Writes what `keras-ssp compare` writes.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # from a clone, not installed
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_ssp import models
from keras_ssp.studies import report as comparison
from keras_ssp.studies.grid import Study
from keras_ssp.studies.runner import compare
from keras_ssp.training import TrainConfig

STEM = 16
SEPARABLE = (128, 128)
SQUEEZE, EXPAND = (4, 8), (32, 64)  # SqueezeNet's ratio, 1 to 8
# All norms start at the variance that spikes at a usual rate give.
VARIANCE = 0.1

BUDGETS = {
    "separable_cnn": {"data": "digits", "epochs": 20, "learning_rate": 5e-3},
    "squeeze_cnn": {
        "data": "fashion_mnist",
        "train_samples": 10000,
        "epochs": 5,
        "learning_rate": 8e-3,
    },
}
WEIGHTS = {
    "separable_cnn": (1.0, 3.0, 10.0, 30.0),
    "squeeze_cnn": (0.1, 0.3, 1.0, 3.0, 10.0),
}
DROPS = (0.01, 0.02, 0.05)


@models.network("separable_cnn", activations=("lif",))
def separable_cnn(net, x):
    """Stem, two depthwise-separable blocks, a dense head."""
    y = net.stem(x, STEM, variance=VARIANCE, name="stem")
    for number, filters in enumerate(SEPARABLE, 1):
        y = net.depthwise(y, variance=VARIANCE)
        y = net.neurons(y, name=f"depthwise{number}")
        y = net.conv(y, filters, size=1, variance=VARIANCE)
        y = net.pool(net.neurons(y, name=f"pointwise{number}"), padding="valid")
    return net.head(net.flatten(y))


@models.network("squeeze_cnn", activations=("lif",))
def squeeze_cnn(net, x):
    """Stem, two blocks that squeeze (1 x 1) and expand (3 x 3), a dense head."""
    y = net.stem(x, STEM, variance=VARIANCE, name="stem")
    y = net.pool(y, padding="valid")
    for number, (few, many) in enumerate(zip(SQUEEZE, EXPAND, strict=True), 1):
        y = net.conv(y, few, size=1, variance=VARIANCE)
        y = net.neurons(y, name=f"squeeze{number}")
        y = net.conv(y, many, variance=VARIANCE)
        y = net.pool(net.neurons(y, name=f"expand{number}"), padding="valid")
    return net.head(net.flatten(y))


def study(network, seeds):
    return Study(
        base=TrainConfig(
            model=network, penalty="none", batch_size=64, **BUDGETS[network]
        ),
        penalties=("none", "synaptic", "spike_count", "balanced"),
        weights=WEIGHTS[network],
        seeds=tuple(range(seeds)),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=sorted(BUDGETS))
    parser.add_argument("--out", type=Path, required=True, help="folder for results")
    parser.add_argument("--seeds", type=int, default=5, help="default: 5")
    arguments = parser.parse_args()
    rows = compare(study(arguments.network, arguments.seeds), arguments.out)
    title = arguments.network
    print(comparison.write(rows, arguments.out, drops=DROPS, title=title))


if __name__ == "__main__":
    main()
