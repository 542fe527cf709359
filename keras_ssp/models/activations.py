"""The activations of a network: spiking neurons, found by name, ReLU and QCFS."""

from __future__ import annotations

from keras import layers

from keras_ssp.layers import QCFS, get_neuron, neuron_arguments, neuron_names
from keras_ssp.types import Config

# Mean square of what an activation returns, for the norm that reads it: 1/2 is
# E[max(z, 0)^2] of a standard normal z. Spiking neurons have theirs as an attribute,
# 0.1: measured at the rate of a fresh LIF layer (0.15 to 0.25) after average pooling.
ANALOGUE_MEAN_SQUARE = 0.5

# A norm beside a shortcut without weights starts as a constant (gamma = 0) that lifts
# the shortcut's spike, 1, to this much above the threshold, so that a fresh block hands
# spikes on. At the threshold itself (margin 0 for the default of 1) the first update
# would undo that for half of the neurons; below it nothing would fire. On digits (width
# 0.25, T = 2, Adam) the training loss after two epochs is 0.5; without the margin 1.7,
# with gamma = 1 2.3. The gamma = 0 is that of Goyal et al., arXiv 1706.02677.
IDENTITY_MARGIN = 0.25

_ANALOGUE = ("relu", "qcfs")


def activation_names() -> tuple[str, ...]:
    """Names that `activation` may have: all spiking neurons, `"relu"` and `"qcfs"`.

    Example:

    >>> activation_names()
    ('lif', 'relu', 'qcfs')
    """
    return (*neuron_names(), *_ANALOGUE)


def is_spiking(activation: str) -> bool:
    """Whether `activation` names spiking neurons."""
    return activation in neuron_names()


def mean_square(activation: str) -> float:
    """Expected mean square of what the activation returns."""
    if not is_spiking(activation):
        return ANALOGUE_MEAN_SQUARE
    return get_neuron(activation).mean_square


def identity_beta(activation: str, arguments: Config) -> float:
    """What a constant adds to a shortcut's spike so that the next neuron fires."""
    if not is_spiking(activation):
        return 0.0
    # The name keeps Keras from counting this layer, which no model will hold.
    neuron = get_neuron(activation)(name="unused", **arguments)
    return float(getattr(neuron, "threshold", 1.0)) - 1.0 + IDENTITY_MARGIN


def check_arguments(activation: str, arguments: Config) -> Config:
    """The neurons' arguments; an ANN takes none, and only spikes may be returned.

    The surrogate of `LIF` is the narrow triangle unless it is given: the initialisers
    let neurons fire, and all results of this project were made with it.
    """
    if activation == "lif":
        arguments = {"surrogate": "triangle", **arguments}
    if arguments and not is_spiking(activation):
        name, value = next(iter(arguments.items()))
        raise ValueError(
            f"`{name}` is an argument of {_takers(name)}. "
            f"Received: {name}={value!r}, activation={activation!r}."
        )
    if arguments.get("return_potential"):
        raise ValueError(
            "`return_potential` must be False: only spikes pass from layer to "
            "layer. Received: return_potential=True."
        )
    return arguments


def make_layer(
    activation: str, name: str, arguments: Config, levels: int
) -> layers.Layer:
    """The layer of an activation.

    Args:
        activation: One of `activation_names()`.
        name: Name of the layer.
        arguments: Of spiking neurons.
        levels: Of QCFS.
    """
    if is_spiking(activation):
        return get_neuron(activation)(name=name, **arguments)
    return layers.ReLU(name=name) if activation == "relu" else QCFS(levels, name=name)


def _takers(argument: str) -> str:
    """Which neurons take an argument, and how an error says that they are missing."""
    names = neuron_names()
    takers = [n for n in names if argument in neuron_arguments(get_neuron(n))] or names
    classes = ", ".join(get_neuron(name).__name__ for name in takers)
    wanted = " or ".join(f"activation={name!r}" for name in takers)
    return f"the {classes} neurons and must only be given with {wanted}"
