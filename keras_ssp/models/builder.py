"""What the networks share: checks, conv - batch norm - neuron units, pooling, head."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import layers

from keras_ssp._checks import one_of, positive_int, real
from keras_ssp.layers import LIF, QCFS, DirectEncoding, EventFrames, RateReadout

ACTIVATIONS = ("lif", "relu", "qcfs")
POOLINGS = ("average", "max")
POOL = "pool"  # an entry of a layer table

# A batch norm starts from a guess of the variance that it will find. With Keras' own
# guess of 1 it would, in evaluation mode, hand spikes' small sums on as they are: each
# layer is then quieter than the one before, and the tenth is silent. Kernels start
# with variance 1 / fan-in, so that the variance behind them is the mean square of
# what comes in. The guess costs nothing: training mode does not use it, whereas
# larger kernels, which would keep neurons firing too, learn more slowly: behind them
# stands a batch norm, so only the direction of a kernel counts, and a step of given
# length turns a long kernel less.
#
# Measured mean squares: 0.1 for spikes at the rate of a fresh LIF layer (0.15 to 0.25)
# after average pooling; 1/2 is E[max(z, 0)^2] of a standard normal z.
MEAN_SQUARE = {"lif": 0.1, "relu": 0.5, "qcfs": 0.5}
# Images in [0, 1] have 0.1 (MNIST) to 0.3 (CIFAR-10): the smaller one, since a layer
# that fires too much at first does less harm than a silent one.
IMAGE_MEAN_SQUARE = 0.1

# Keras' own 0.99 takes some 500 steps to forget that guess: after a short training, a
# network would be evaluated with statistics that are half made up.
NORM_MOMENTUM = 0.9

# A norm beside a shortcut without weights starts as a constant (gamma = 0) that lifts
# the shortcut's spike, 1, to this much above the threshold, so that a fresh block hands
# spikes on. At the threshold itself (margin 0 for the default of 1) the first update
# would undo that for half of the neurons; below it nothing would fire. On digits (width
# 0.25, T = 2, Adam) the training loss after two epochs is 0.5; without the margin 1.7,
# with gamma = 1 2.3. The gamma = 0 is that of Goyal et al., arXiv 1706.02677.
IDENTITY_MARGIN = 0.25

_POOLS = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}
_GLOBAL_POOLS = {
    "average": layers.GlobalAveragePooling2D,
    "max": layers.GlobalMaxPooling2D,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """The choices that hold for a whole network, and the units made from them.

    Layers are named after their kind and a number, `conv1`, `norm1`, `lif1`, behind
    an optional prefix; the names of layers with weights do not depend on the
    activation, so that weights can be copied by name.

    Args:
        width: Multiplier of all filter counts.
        time_steps: T.
        activation: `"lif"`, `"relu"` or `"qcfs"`.
        pooling: `"average"` or `"max"`.
        lif: Arguments of all `LIF` layers.

    Raises:
        ValueError: If an argument breaks its rule.
    """

    width: float
    time_steps: int
    activation: str
    pooling: str
    lif: Mapping[str, Any]

    def __post_init__(self) -> None:
        real("width", self.width, above=0.0)
        positive_int("time_steps", self.time_steps)
        one_of("activation", self.activation, ACTIVATIONS)
        one_of("pooling", self.pooling, POOLINGS)
        for name, value in self.lif.items():
            if not self.spiking:
                raise ValueError(
                    f"`{name}` is an argument of the LIF neurons and must only be "
                    f"given with activation='lif'. Received: {name}={value!r}, "
                    f"activation={self.activation!r}."
                )
        if self.lif.get("return_potential"):
            raise ValueError(
                "`return_potential` must be False: only spikes pass from layer to "
                "layer. Received: return_potential=True."
            )

    @property
    def spiking(self) -> bool:
        """Whether the neurons spike, so that there are time steps."""
        return self.activation == "lif"

    def scaled(self, filters: int) -> int:
        """`filters` times the width, rounded half up, at least 1."""
        return max(1, math.floor(filters * self.width + 0.5))

    def conv(
        self,
        y: Any,
        filters: int,
        number: int | str,
        *,
        prefix: str = "",
        size: int = 3,
        strides: int = 1,
        mean_square: float | None = None,
        identity: bool = False,
    ) -> Any:
        """Convolution and batch norm.

        Args:
            y: Input.
            filters: Filters at width 1.
            number: End of the layers' names.
            prefix: Start of the layers' names.
            size: Of the kernel.
            strides: Of the convolution.
            mean_square: Expected mean square of the input. Defaults to that of the
                activation's outputs.
            identity: Whether a shortcut without weights is added to the result.
        """
        inside = _inside(y.shape[1], size, strides) * _inside(y.shape[2], size, strides)
        y = layers.Conv2D(
            self.scaled(filters),
            size,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer="lecun_normal",
            name=f"{prefix}conv{number}",
        )(y)
        if mean_square is None:
            mean_square = MEAN_SQUARE[self.activation]
        name = f"{prefix}norm{number}"
        return self._norm(y, name, inside * mean_square, identity=identity)

    def dense(self, y: Any, units: int, number: int) -> Any:
        """Dense layer and batch norm."""
        y = layers.Dense(
            self.scaled(units),
            use_bias=False,
            kernel_initializer="lecun_normal",
            name=f"dense{number}",
        )(y)
        return self._norm(y, f"norm{number}", MEAN_SQUARE[self.activation])

    def _norm(
        self, y: Any, name: str, variance: float, *, identity: bool = False
    ) -> Any:
        shift = 0.0
        if identity and self.spiking:
            shift = self.lif.get("threshold", 1.0) - 1.0 + IDENTITY_MARGIN
        constant = keras.initializers.Constant
        return layers.BatchNormalization(
            momentum=NORM_MOMENTUM,
            beta_initializer=constant(shift),
            gamma_initializer=constant(0.0 if identity else 1.0),
            moving_variance_initializer=constant(variance),
            name=name,
        )(y)

    def neurons(self, y: Any, number: int, *, prefix: str = "") -> Any:
        """The activation, named after its kind: `lif1`, `relu1`, `qcfs1`."""
        name = f"{prefix}{self.activation}{number}"
        if self.activation == "lif":
            return LIF(name=name, **self.lif)(y)
        if self.activation == "relu":
            return layers.ReLU(name=name)(y)
        return QCFS(self.time_steps, name=name)(y)

    def stem(self, x: Any, filters: int) -> Any:
        """The first unit; its convolution and batch norm run once per image.

        Event data have a time axis of their own: it is folded in front of the
        convolution, which then is driven by events, at every step.
        """
        if len(x.shape) == 5:
            if not self.spiking:
                raise ValueError(
                    "`input_shape` must be (height, width, channels) in a network "
                    "without time steps. Received: input_shape="
                    f"{tuple(x.shape[1:])}, activation={self.activation!r}."
                )
            x = EventFrames(self.time_steps, name="encoding")(x)
            return self.neurons(self.conv(x, filters, 1), 1)
        y = self.conv(x, filters, 1, mean_square=IMAGE_MEAN_SQUARE)
        if self.spiking:
            y = DirectEncoding(self.time_steps, name="encoding")(y)
        return self.neurons(y, 1)

    def pool(self, y: Any, number: int) -> Any:
        """Halves height and width, rounded up.

        Of an odd size, "valid" padding would leave the last row and column out: their
        neurons would fire for nothing.
        """
        pool = _POOLS[self.pooling]
        return pool(2, padding="same", name=f"pool{number}")(y)

    def global_pool(self, y: Any) -> Any:
        """Reduces height and width to one."""
        return _GLOBAL_POOLS[self.pooling](name="pool")(y)

    def head(self, y: Any, classes: int, name: str) -> Any:
        """Logits, averaged over time."""
        y = layers.Dense(classes, name=name)(y)
        return RateReadout(name="readout")(y) if self.spiking else y

    def chain(
        self,
        input_shape: Sequence[int],
        classes: int,
        features: Sequence[int | str],
        hidden: Sequence[int],
        name: str,
    ) -> keras.Model:
        """A network without branches; its layers are numbered by weight layer.

        Args:
            input_shape: `(height, width, channels)`, or with T in front.
            classes: Number of classes.
            features: Filters of 3x3 convolutions, and `POOL`, in order.
            hidden: Units of the dense layers in front of the last one.
            name: Name of the model.

        Returns:
            A `keras.Model`.

        Raises:
            ValueError: If an argument breaks its rule.
        """
        x = image_input(name, input_shape, halvings=list(features).count(POOL))
        classes = positive_int("classes", classes)
        y, number = x, 0
        for entry in features:
            if isinstance(entry, str):
                y = self.pool(y, number)
                continue
            number += 1
            if number == 1:
                y = self.stem(y, entry)
            else:
                y = self.neurons(self.conv(y, entry, number), number)
        y = layers.Flatten(name="flatten")(y)
        for units in hidden:
            number += 1
            y = self.neurons(self.dense(y, units, number), number)
        return keras.Model(x, self.head(y, classes, f"dense{number + 1}"), name=name)


def image_input(network: str, shape: Any, *, halvings: int) -> Any:
    """The input, after a check that each halving has two pixels to halve."""
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else ()
    try:
        sizes = tuple(positive_int("input_shape", n) for n in sizes)
    except ValueError:
        sizes = ()
    if len(sizes) not in (3, 4):
        raise ValueError(
            "`input_shape` must be (height, width, channels), three positive integers, "
            "or (T, height, width, channels) for event data. "
            f"Received: input_shape={shape!r}."
        )
    least = 2 ** (halvings - 1) + 1  # halved halvings - 1 times, rounded up: 2
    if min(sizes[-3:-1]) < least:
        raise ValueError(
            f"`input_shape` must have a height and width of at least {least}: "
            f"'{network}' halves them {halvings} times. "
            f"Received: input_shape={shape!r}."
        )
    return keras.Input(sizes, name="image")


def _inside(size: int, kernel: int, strides: int) -> float:
    """Share of a kernel's taps, along one axis, that meet a pixel, not the padding.

    4/9 of a 3x3 kernel on a 2x2 map, for both axes: too much to leave out of a guess.
    """
    outputs = -(-size // strides)
    before = max((outputs - 1) * strides + kernel - size, 0) // 2
    starts = [k * strides - before for k in range(outputs)]
    met = sum(min(start + kernel, size) - max(start, 0) for start in starts)
    return met / (outputs * kernel)
