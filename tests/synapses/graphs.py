"""Random networks of all that may carry spikes, and a count of their events by hand.

The package draws synapses back to the neurons. Here it is done the other way round: the
spikes of a real run are carried forward, as arrays that say how many events there are
at each element, through NumPy's own version of each operation; a synapse costs as many
accumulates as the events that reach it times the weights they meet, which are counted
by one-hot inputs and kernels of ones (`stacks.touched`).
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

from keras_ssp.layers import LIF, RateReadout
from tests.synapses.fronts import MaskedFrames, random_front
from tests.synapses.stacks import touched


@dataclasses.dataclass
class Spikes:
    """A symbolic tensor that carries spikes, and how its events are counted by hand.

    Args:
        tensor: The tensor.
        events: From the spikes of each neuron layer, by name, the events at each
            element, `(rows, ...)`.
        binary: Whether it is 0 or 1 everywhere.
    """

    tensor: object
    events: Callable[[dict], np.ndarray]
    binary: bool = True

    @property
    def size(self):
        return tuple(self.tensor.shape[1:])


class RandomNetwork:
    """One random network and its count; see `model`, `synops`."""

    def __init__(self, seed, steps=None):
        self.rng = np.random.default_rng(seed)
        self.steps = steps or int(self.rng.integers(1, 4))
        self.synapses = []  # (layer, size, Spikes)
        self.neurons = []  # names
        self.kinds = set()  # what is in it
        self.front = random_front(self.rng, self.steps)
        self.kinds.add(type(self.front).__name__)
        self.inputs = self.front.inputs
        at = self.first(self.front.tensor)
        for _ in range(int(self.rng.integers(2, 6))):
            at.append(self.step(at))
        ends = [at[-1]] + [s for s in at[:-1] if self.rng.random() < 0.2]
        masked = isinstance(self.front, MaskedFrames)
        if masked and all(at[1] is not each for each in ends):
            ends.append(at[1])  # what is left may have no neurons else
        outputs = [self.head(s) for s in ends]
        self.model = keras.Model(self.inputs, outputs)
        self.keep(self.model)

    def keep(self, model):
        """Forgets the synapses that a model does not run."""
        run = {id(layer) for layer in model._flatten_layers()}
        self.synapses = [s for s in self.synapses if id(s[0]) in run]

    # --- building ---------------------------------------------------------------

    def first(self, x):
        """The first spikes: of neurons, or of the data and then of neurons."""
        if not isinstance(self.front, MaskedFrames):
            return [self.fire(x)]
        events = Spikes(x, lambda spikes: spikes["frames"], binary=False)
        return [events, self.weighted(events, [])]

    def fire(self, x):
        name = f"lif{len(self.neurons)}"
        self.neurons.append(name)
        tensor = LIF(threshold=0.15, name=name)(x)
        return Spikes(tensor, lambda spikes: spikes[name])

    def synapse(self, layer, source):
        self.synapses.append((layer, source.size, source))
        return layer(source.tensor)

    def head(self, source):
        y = layers.Flatten()(source.tensor)
        flat = Spikes(y, lambda s: _rows(source.events(s)), source.binary)
        return RateReadout()(self.synapse(layers.Dense(3), flat))

    def step(self, at):
        choices = [self.weighted, self.weighted, self.moved, self.moved, self.summed]
        choices += [self.pooled, self.joined, self.gated, self.scaled, self.nested]
        source = at[int(self.rng.integers(len(at)))]
        while True:
            choice = choices[int(self.rng.integers(len(choices)))]
            found = choice(source, at)
            if found is not None:
                self.kinds.add(choice.__name__)
                return found

    def weighted(self, source, at):
        if len(source.size) == 3 and self.rng.random() < 0.7:
            layer = layers.Conv2D(2, int(self.rng.integers(1, 4)), padding="same")
        else:
            layer = layers.Dense(int(self.rng.integers(2, 4)))
        return self.fire(self.synapse(layer, source))

    def nested(self, source, at):
        """The synapse and the neurons of a model inside the model."""
        name = f"lif{len(self.neurons)}"
        self.neurons.append(name)
        x, dense = keras.Input(source.size), layers.Dense(2)
        steps = self.steps if self.steps > 1 else None  # 1 is what it learns by itself
        y = LIF(threshold=0.15, name=name, time_steps=steps)(dense(x))
        inner = keras.Model(x, y)
        self.synapses.append((dense, source.size, source))
        return Spikes(inner(source.tensor), lambda spikes: spikes[name])

    def moved(self, source, at):
        """Rows stay, elements move: in Keras and in NumPy."""
        rng, rank = self.rng, len(source.size)
        axis = int(rng.integers(1, rank + 1))
        n = source.size[axis - 1]
        order = (0, *(int(a) for a in rng.permutation(rank) + 1))
        pads = [(0, 0)] * (rank + 1)
        pads[axis] = (int(rng.integers(0, 2)), int(rng.integers(0, 3)))
        mask = rng.integers(0, 2, source.size).astype(bool)
        cut = [slice(None)] * (rank + 1)
        cut[axis] = slice(int(rng.integers(0, n)), None, int(rng.integers(1, 3)))
        cut = tuple(cut)
        choices = [
            (lambda x: ops.transpose(x, order), lambda e: e.transpose(order)),
            (lambda x: ops.pad(x, pads), lambda e: np.pad(e, pads)),
            (lambda x: ops.flip(x, axis=axis), lambda e: np.flip(e, axis)),
            (lambda x: x[cut], lambda e: e[cut]),
            (lambda x: ops.roll(x, 1, axis=axis), lambda e: np.roll(e, 1, axis)),
            (lambda x: ops.repeat(x, 2, axis=axis), lambda e: np.repeat(e, 2, axis)),
            (lambda x: ops.stack([x, x], axis=axis), lambda e: np.stack([e, e], axis)),
            (lambda x: ops.expand_dims(x, axis), lambda e: np.expand_dims(e, axis)),
            (lambda x: ops.where(mask, x, 0.0), lambda e: np.where(mask, e, 0)),
            (lambda x: layers.Dropout(0.5)(x), lambda e: e),
            (lambda x: layers.GaussianNoise(0.5)(x), lambda e: e),
        ]
        if n % 2 == 0:
            choices.append(
                (lambda x: ops.split(x, 2, axis)[1], lambda e: np.split(e, 2, axis)[1])
            )
        move, by_hand = choices[int(rng.integers(len(choices)))]
        if rank > 3:
            return None
        return Spikes(
            move(source.tensor), lambda s: by_hand(source.events(s)), source.binary
        )

    def summed(self, source, at):
        rank = len(source.size)
        if rank < 2:
            return None
        axis = int(self.rng.integers(1, rank + 1))
        keep = bool(self.rng.integers(2))
        reduce = [ops.sum, ops.mean][int(self.rng.integers(2))]
        return Spikes(
            reduce(source.tensor, axis=axis, keepdims=keep),
            lambda s: source.events(s).sum(axis, keepdims=keep),
            binary=False,
        )

    def pooled(self, source, at):
        if len(source.size) != 3 or min(source.size[:2]) < 2:
            return None
        largest = bool(self.rng.integers(2))
        if largest and not source.binary:
            return None
        as_layer = bool(self.rng.integers(2))
        layer = (layers.MaxPooling2D if largest else layers.AveragePooling2D)(2)
        operation = ops.max_pool if largest else ops.average_pool
        tensor = layer(source.tensor) if as_layer else operation(source.tensor, 2, 2)

        def by_hand(spikes):
            e = source.events(spikes)
            rows, h, w, c = e.shape
            cells = e[:, : h // 2 * 2, : w // 2 * 2]
            cells = cells.reshape(rows, h // 2, 2, w // 2, 2, c)
            return cells.max((2, 4)) if largest else cells.sum((2, 4))

        return Spikes(tensor, by_hand, binary=largest)

    def joined(self, source, at):
        """A sum, or a concatenation, with another tensor of that size."""
        others = [s for s in at if s.size == source.size]
        other = others[int(self.rng.integers(len(others)))]
        if self.rng.random() < 0.5:
            tensor = layers.Concatenate()([source.tensor, other.tensor])
            return Spikes(
                tensor,
                lambda s: np.concatenate([source.events(s), other.events(s)], -1),
                source.binary and other.binary,
            )
        tensor = layers.Add()([source.tensor, other.tensor])
        by_hand = lambda s: source.events(s) + other.events(s)  # noqa: E731
        return Spikes(tensor, by_hand, binary=False)

    def gated(self, source, at):
        others = [s for s in at if s.size == source.size and s.binary]
        if not source.binary or not others:
            return None
        other = others[int(self.rng.integers(len(others)))]
        a, b = source.tensor, other.tensor
        tensor, by_hand = [
            (lambda: a * b, lambda x, y: x * y),
            (lambda: layers.Multiply()([a, b]), lambda x, y: x * y),
            (lambda: (1 - a) * b, lambda x, y: (1 - x) * y),
            (lambda: ops.maximum(a, b), np.maximum),
            (lambda: layers.Minimum()([a, b]), np.minimum),
        ][int(self.rng.integers(5))]
        return Spikes(tensor(), lambda s: by_hand(source.events(s), other.events(s)))

    def scaled(self, source, at):
        """A constant that may broadcast the spikes up, and be 0 somewhere."""
        rank = len(source.size)
        shape = [int(self.rng.choice([1, n])) for n in source.size]
        wide = [k for k in range(rank) if source.size[k] == 1]
        if wide:
            shape[wide[0]] = 3
        constant = self.rng.integers(0, 3, (1, *shape)).astype("float32")
        factor = ops.convert_to_tensor(constant)
        if self.rng.random() < 0.3:
            factor, constant = 0.5, np.full((1,) * (rank + 1), 0.5)
        return Spikes(
            source.tensor * factor,
            lambda s: source.events(s) * (constant != 0),
            binary=False,
        )

    # --- counting ---------------------------------------------------------------

    def synops(self, spikes, samples):
        """SynOps per sample, by hand."""
        total = 0.0
        for layer, size, source in self.synapses:
            events = source.events(spikes)
            total += float((events * touched_without_training(layer, size)).sum())
        return total / samples


def touched_without_training(layer, size):
    """Weights that each input element meets; the layer's own weights are left alone."""
    copy = type(layer).from_config(layer.get_config())
    return touched(copy, size)


def _rows(array):
    return array.reshape(len(array), -1)
