"""psi of every neuron of a model, as arrays to look at."""

from __future__ import annotations

import dataclasses

import keras

from keras_ssp.synapses.analysis import analyze
from keras_ssp.synapses.sites import Site
from keras_ssp.synapses.taps import Tap, full
from keras_ssp.types import Array, Sizes


@dataclasses.dataclass(frozen=True, eq=False)
class FanOutMap:
    """Synapses that each event drives, at one place where events are counted.

    Args:
        array: psi, one number per element, float64.
        after: Names of the max pooling (and the layers between it and the neurons)
            that decide which events there are; empty where events are the spikes
            themselves.
    """

    array: Array
    after: tuple[str, ...] = ()

    @property
    def shape(self) -> Sizes:
        """Shape of the array: the features, without batch and time."""
        return tuple(self.array.shape)

    @property
    def min(self) -> float:
        """Fewest synapses of an element."""
        return float(self.array.min())

    @property
    def mean(self) -> float:
        """Mean number of synapses of an element."""
        return float(self.array.mean())

    @property
    def max(self) -> float:
        """Most synapses of an element."""
        return float(self.array.max())


@dataclasses.dataclass(frozen=True, eq=False)
class FanOut:
    """psi of one spiking layer (or of an encoding layer that emits spikes).

    Args:
        name: Name of the layer, as in the energy report.
        size: Its neurons, features without batch and time.
        maps: One map for each place where its events are counted. Most layers have
            one, over the neurons. After a max pooling events are those that leave the
            pool, so a layer that feeds a max pooling has a map over the pool's output.
    """

    name: str
    size: Sizes
    maps: tuple[FanOutMap, ...]

    def _only(self) -> FanOutMap:
        if len(self.maps) != 1:
            raise ValueError(
                f"Layer '{self.name}' must be read map by map, `.maps`: its events are "
                f"counted in {len(self.maps)} places."
            )
        return self.maps[0]

    @property
    def array(self) -> Array:
        """psi of every element, of shape `shape`."""
        return self._only().array

    @property
    def shape(self) -> Sizes:
        """Shape of `array`."""
        return self._only().shape

    @property
    def min(self) -> float:
        """Fewest synapses of an element."""
        return self._only().min

    @property
    def mean(self) -> float:
        """Mean number of synapses of an element."""
        return self._only().mean

    @property
    def max(self) -> float:
        """Most synapses of an element."""
        return self._only().max

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{m.shape}: {m.min:g} to {m.max:g}, mean {m.mean:.4g}"
            + (f", after {' - '.join(m.after)}" if m.after else "")
            for m in self.maps
        )
        return f"FanOut({self.name!r}, {shown or 'drives no synapse'})"


def fan_out(model: keras.Model) -> dict[str, FanOut]:
    """Synapses that leave each neuron of a model: the exact psi, layer by layer.

    psi_{l,i} is the number of accumulates that one spike of neuron i of layer l
    triggers. The penalty and the energy report use these numbers.

    Args:
        model: Built Sequential or Functional model; nested models are opened up.

    Returns:
        Name of each layer that emits spikes to its `FanOut`, with `array` (one number
        per neuron), `shape`, `min`, `mean` and `max`; in the order of the calls. A
        shared layer is found under `name`, `name:1`, ...

    Raises:
        ValueError: If the model has no graph, or its synapses cannot be counted.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4, 4, 1)), LIF(name="lif"),
    ...     keras.layers.Conv2D(2, 3, padding="same"), keras.layers.Flatten(),
    ...     keras.layers.Dense(3)])
    >>> psi = fan_out(model)["lif"]
    >>> psi.array[0, :, 0].tolist(), psi.max, psi.mean
    ([8.0, 12.0, 12.0, 8.0], 18.0, 12.5)

    Reference: Suetake et al., arXiv 2302.01500, psi of the spiking synaptic penalty.
    """
    return {site.name: _of(site) for site in analyze(model).sites}


def _of(site: Site) -> FanOut:
    return FanOut(site.name, site.size, tuple(map(_map, site.taps)))


def _map(tap: Tap) -> FanOutMap:
    array = full(tap.weight, tap.size).copy()
    return FanOutMap(array, tuple(str(layer.name) for layer in tap.path))
