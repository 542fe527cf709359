"""What networks are built from: named layers, with starts that suit spikes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from keras_ssp._checks import one_of, positive_int, real
from keras_ssp.layers import DirectEncoding, EventFrames, RateReadout
from keras_ssp.models.activations import (
    activation_names,
    check_arguments,
    identity_beta,
    is_spiking,
    make_layer,
    mean_square,
)
from keras_ssp.models.norms import IMAGE_MEAN_SQUARE, batch_norm
from keras_ssp.models.shapes import image_shape, share_inside
from keras_ssp.types import Sizes, Tensor

POOLINGS = ("average", "max")

_POOLS = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}
_GLOBAL_POOLS = {
    "average": layers.GlobalAveragePooling2D,
    "max": layers.GlobalMaxPooling2D,
}


class NetworkBuilder:
    """Builds a network layer by layer; `keras_ssp.models.network` hands one over.

    Each method takes a symbolic tensor and returns the next one. Layers with weights
    are counted and named after their kind and number, `conv1`, `norm1`, `lif1`; the
    norm, neurons and pool that follow have the number of the layer before them. The
    names of layers with weights do not depend on the activation, so that weights can
    be copied by name. Between the methods any Keras layer may be called.

    Args:
        input_shape: `(height, width, channels)` of the images, or `(T, height, width,
            channels)` of event counts.
        classes: Positive integer, number of classes.
        width: Positive float that multiplies all filter counts (rounded half up, at
            least 1). Defaults to 1.0.
        time_steps: Positive integer T; with `"qcfs"` the number of levels. `"relu"`
            has none. Defaults to 4.
        activation: Name of a spiking neuron, `"lif"` or one that you registered;
            `"relu"` or `"qcfs"` make the ANN of the same shape, whose layers with
            weights have the same names. Defaults to `"lif"`.
        pooling: `"average"` or `"max"`. Defaults to `"average"`.
        name: Name of the model.
        **neuron: Arguments of all spiking neurons, e.g. `beta=0.9`. An ANN has none.

    Attributes:
        image: The input of the network, a symbolic tensor.

    Example:

    >>> net = NetworkBuilder((8, 8, 1), 10, width=0.5, beta=0.9)
    >>> y = net.pool(net.stem(net.image, 16))
    >>> y = net.neurons(net.conv(y, 32))
    >>> model = net.model(net.head(net.flatten(y)))
    >>> [layer.name for layer in model.layers][4:]
    ['lif1', 'pool1', 'conv2', 'norm2', 'lif2', 'flatten', 'dense3', 'readout']
    """

    def __init__(
        self,
        input_shape: Sizes,
        classes: int,
        *,
        width: float = 1.0,
        time_steps: int = 4,
        activation: str = "lif",
        pooling: str = "average",
        name: str = "network",
        **neuron: Any,
    ) -> None:
        self.width = real("width", width, above=0.0)
        self.time_steps = positive_int("time_steps", time_steps)
        self.activation = one_of("activation", activation, activation_names())
        self.pooling = one_of("pooling", pooling, POOLINGS)
        self.neuron = check_arguments(self.activation, neuron)
        self.image = keras.Input(image_shape(input_shape), name="image")
        self.classes = positive_int("classes", classes)
        self.name = name
        self._counts: dict[str, int] = {}  # layers with weights, by prefix

    @property
    def spiking(self) -> bool:
        """Whether the neurons spike, so that there are time steps."""
        return is_spiking(self.activation)

    def scaled(self, filters: int) -> int:
        """`filters` times the width, rounded half up, at least 1."""
        return max(1, math.floor(filters * self.width + 0.5))

    def conv(
        self,
        y: Tensor,
        filters: int,
        number: int | str | None = None,
        *,
        prefix: str = "",
        size: int = 3,
        strides: int = 1,
        kernel_initializer: str | keras.initializers.Initializer = "lecun_normal",
        variance: float | None = None,
        identity: bool = False,
    ) -> Tensor:
        """Convolution, padded ("same"), without bias, and batch norm.

        Args:
            y: Input, `(batch, height, width, channels)`.
            filters: Filters at width 1.
            number: End of the layers' names. Defaults to the next number.
            prefix: Start of the layers' names; each prefix has numbers of its own.
            size: Height and width of the kernel. Defaults to 3.
            strides: Of the convolution. Defaults to 1.
            kernel_initializer: Of the kernel. Defaults to variance 1 / fan-in.
            variance: Where the norm's moving variance starts. Defaults to the one
                that the activations' outputs cause, less at padded borders.
            identity: Whether a shortcut without weights is added to the result: a
                fresh block then hands on what the shortcut holds.
        """
        name = self._next(prefix, number)
        if variance is None:
            variance = mean_square(self.activation) * share_inside(y, size, strides)
        y = layers.Conv2D(
            self.scaled(filters),
            size,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer=kernel_initializer,
            name=name("conv"),
        )(y)
        if not identity:
            return batch_norm(y, name("norm"), variance)
        beta = identity_beta(self.activation, self.neuron)
        return batch_norm(y, name("norm"), variance, gamma=0.0, beta=beta)

    def depthwise(
        self,
        y: Tensor,
        number: int | str | None = None,
        *,
        prefix: str = "",
        size: int = 3,
        strides: int = 1,
        depthwise_initializer: keras.initializers.Initializer | None = None,
        variance: float | None = None,
    ) -> Tensor:
        """Depthwise convolution, padded ("same"), without bias, and batch norm.

        The layer is named `depthwise_conv` and its number.

        Args:
            y: Input, `(batch, height, width, channels)`.
            number: As for `conv`.
            prefix: As for `conv`.
            size: Height and width of the kernel. Defaults to 3.
            strides: Of the convolution. Defaults to 1.
            depthwise_initializer: Of the kernel. Defaults to variance 1 / size ** 2.
            variance: As for `conv`.
        """
        name = self._next(prefix, number)
        if variance is None:
            variance = mean_square(self.activation) * share_inside(y, size, strides)
        if depthwise_initializer is None:
            # Each filter reads one channel: what Keras takes for the fan-in of such a
            # kernel counts all of them.
            depthwise_initializer = keras.initializers.RandomNormal(stddev=1 / size)
        y = layers.DepthwiseConv2D(
            size,
            strides=strides,
            padding="same",
            use_bias=False,
            depthwise_initializer=depthwise_initializer,
            name=name("depthwise_conv"),
        )(y)
        return batch_norm(y, name("norm"), variance)

    def dense(
        self,
        y: Tensor,
        units: int,
        number: int | str | None = None,
        *,
        prefix: str = "",
    ) -> Tensor:
        """Dense layer without bias, and batch norm.

        Args:
            y: Input, `(batch, features)`.
            units: Units at width 1.
            number: As for `conv`.
            prefix: As for `conv`.
        """
        name = self._next(prefix, number)
        y = layers.Dense(
            self.scaled(units),
            use_bias=False,
            kernel_initializer="lecun_normal",
            name=name("dense"),
        )(y)
        return batch_norm(y, name("norm"), mean_square(self.activation))

    def neurons(
        self, y: Tensor, *, prefix: str = "", name: str | None = None
    ) -> Tensor:
        """The activation.

        Args:
            y: Input.
            prefix: Start of the layer's name.
            name: Name of the layer. Defaults to its kind and the number of the layer
                with weights before it: `lif1`, `relu1`, `qcfs1`.
        """
        name = name or f"{prefix}{self.activation}{self._counts.get(prefix, 0)}"
        return make_layer(self.activation, name, self.neuron, self.time_steps)(y)

    def stem(
        self,
        x: Tensor,
        filters: int,
        *,
        variance: float | None = None,
        name: str | None = None,
    ) -> Tensor:
        """The first unit; its convolution and batch norm run once per image.

        Event data have a time axis: it is folded before the convolution, which then is
        driven by events, at every step.

        Args:
            x: The network's input.
            filters: Filters at width 1.
            variance: As for `conv`. Defaults to one that suits images in [0, 1].
            name: Name of the neurons. Defaults to `lif1`.
        """
        if len(x.shape) == 5:
            y = self.conv(self.encode(x), filters, variance=variance)
        else:
            if variance is None:
                variance = IMAGE_MEAN_SQUARE * share_inside(x, 3, 1)
            y = self.encode(self.conv(x, filters, variance=variance))
        return self.neurons(y, name=name)

    def encode(self, y: Tensor) -> Tensor:
        """Starts time: repeats `y` T times, or folds the time axis of event data.

        An ANN has no time steps: there `y` is returned.
        """
        if len(y.shape) == 5:
            if not self.spiking:
                raise ValueError(
                    "`input_shape` must be (height, width, channels) in a network "
                    "without time steps. Received: input_shape="
                    f"{tuple(y.shape[1:])}, activation={self.activation!r}."
                )
            return EventFrames(self.time_steps, name="encoding")(y)
        return (
            DirectEncoding(self.time_steps, name="encoding")(y) if self.spiking else y
        )

    def pool(self, y: Tensor, *, padding: str = "same") -> Tensor:
        """Halves height and width.

        Args:
            y: Input, `(batch, height, width, channels)`.
            padding: `"same"` rounds an odd size up. `"valid"` leaves its last row and
                column out: their neurons then fire for nothing. Defaults to `"same"`.
        """
        name = f"pool{self._counts.get('', 0)}"
        return _POOLS[self.pooling](2, padding=padding, name=name)(y)

    def global_pool(self, y: Tensor) -> Tensor:
        """Reduces height and width to one: `(batch, channels)`."""
        return _GLOBAL_POOLS[self.pooling](name="pool")(y)

    def flatten(self, y: Tensor) -> Tensor:
        """All features on one axis, for dense layers."""
        return layers.Flatten(name="flatten")(y)

    def head(self, y: Tensor, *, name: str | None = None) -> Tensor:
        """A dense layer with one output per class, averaged over time: the logits.

        Args:
            y: Input, `(batch, features)`.
            name: Name of the dense layer. Defaults to `dense` and the next number.
        """
        y = layers.Dense(self.classes, name=name or self._next("", None)("dense"))(y)
        return RateReadout(name="readout")(y) if self.spiking else y

    def model(self, logits: Tensor) -> keras.Model:
        """The finished network, from `image` to `logits`."""
        return keras.Model(self.image, logits, name=self.name)

    def _next(self, prefix: str, number: int | str | None) -> Callable[[str], str]:
        """What names the layers of the next unit by their kind."""
        if number is None:
            self._counts[prefix] = number = self._counts.get(prefix, 0) + 1
        return lambda kind: f"{prefix}{kind}{number}"
