"""Where the synaptic penalty wins: a network whose layers have unlike fan-outs.

    python docs/results/fan_out_spread.py --out runs/fan_out_spread

Depthwise-separable blocks alternate between neurons that feed a depthwise convolution
(9 synapses each) and neurons that feed a pointwise one (as many synapses as it has
filters). Counting spikes presses on both alike; energy is spent by the latter. Data are
scikit-learn's digits. Writes what `keras-ssp compare` writes.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # from a clone, not installed
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras import layers

from keras_ssp import comparison, models
from keras_ssp.compare import compare
from keras_ssp.config import TrainConfig
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from keras_ssp.study import Study

STEM, WIDE = 16, (128, 128)


@models.register("separable_cnn")
def separable_cnn(
    input_shape, classes, *, width, time_steps, activation, pooling, **lif
):
    """Stem, two depthwise-separable blocks, a dense head."""
    if activation != "lif" or pooling != "average":
        raise ValueError(
            "`activation` must be 'lif' and `pooling` 'average' in separable_cnn. "
            f"Received: activation={activation!r}, pooling={pooling!r}."
        )

    def norm(variance):
        # The variance that spikes at a usual rate give (keras_ssp/models/_blocks.py).
        start = keras.initializers.Constant(variance)
        return layers.BatchNormalization(
            momentum=0.9, moving_variance_initializer=start
        )

    def options():
        return {"use_bias": False, "kernel_initializer": "lecun_normal"}

    parts = [
        keras.Input(input_shape),
        layers.Conv2D(round(STEM * width), 3, padding="same", **options()),
        norm(0.1),
        DirectEncoding(time_steps),
        LIF(name="stem", **lif),
    ]
    for number, filters in enumerate(WIDE, 1):
        parts += [
            layers.DepthwiseConv2D(
                3,
                padding="same",
                use_bias=False,
                depthwise_initializer=keras.initializers.RandomNormal(stddev=1 / 3),
            ),
            norm(0.1),
            LIF(name=f"depthwise{number}", **lif),
            layers.Conv2D(round(filters * width), 1, **options()),
            norm(0.1),
            LIF(name=f"pointwise{number}", **lif),
            layers.AveragePooling2D(2),
        ]
    parts += [layers.Flatten(), layers.Dense(classes), RateReadout()]
    return keras.Sequential(parts, name="separable_cnn")


def study(seeds):
    return Study(
        base=TrainConfig(
            model="separable_cnn",
            penalty="none",
            epochs=20,
            batch_size=64,
            learning_rate=5e-3,
        ),
        penalties=("none", "synaptic", "spike_count", "balanced"),
        weights=(1.0, 3.0, 10.0, 30.0),
        seeds=tuple(range(seeds)),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for results")
    parser.add_argument("--seeds", type=int, default=5, help="default: 5")
    arguments = parser.parse_args()
    rows = compare(study(arguments.seeds), arguments.out)
    drops = (0.01, 0.02, 0.05)
    print(comparison.write(rows, arguments.out, drops=drops, title="separable_cnn"))


if __name__ == "__main__":
    main()
