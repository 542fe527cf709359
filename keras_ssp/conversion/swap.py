"""A Keras network with spiking neurons in place of its ReLUs, to be trained."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import keras
from keras import layers

from keras_ssp import graph as graph_lib
from keras_ssp._checks import positive_int
from keras_ssp.conversion.canonical import (
    apply_activation,
    is_activation,
    is_at_the_end,
    is_relu,
)
from keras_ssp.conversion.linear import LINEAR
from keras_ssp.graph import Call, Graph, timeline
from keras_ssp.graph.keras_private import require_model
from keras_ssp.graph.rebuild import (
    UniqueNames,
    copy_layer,
    copy_weights,
    make_inputs,
    pack_model,
    run_through,
)
from keras_ssp.layers import (
    BatchNormalization,
    DirectEncoding,
    RateReadout,
    SpikingLayer,
    get_neuron,
)
from keras_ssp.types import Operation, Tensor

_PLAIN = (keras.activations.linear, None)


def spiking(
    model: keras.Model,
    time_steps: int = 4,
    *,
    neuron: str = "lif",
    name: str | None = None,
    **arguments: Any,
) -> keras.Model:
    """Makes a spiking network of a Keras model: neurons in place of every ReLU.

    `ReLU` layers, `activation="relu"` in any layer, `keras.activations.relu` and
    `keras.ops.relu` (and relu6) become spiking neurons. What comes before the first of
    them, the stem, runs once per image: `DirectEncoding` repeats its result over the
    time steps, and `RateReadout` takes the mean over them at each output, before a
    softmax or another last activation. Weights are taken over. Nested models are
    opened up; a layer that is called twice stays one layer. Keras' batch norms become
    `keras_ssp.BatchNormalization`, which computes the same in less time.

    It is a network to be trained, or trained further: a spike is not a ReLU, and the
    weights of one are only a start for the other. To keep the accuracy of a trained
    ReLU network without training, use `keras_ssp.convert`.

    Args:
        model: Built Sequential or Functional model with ReLUs. Left as it is.
        time_steps: Positive integer T. With 1 there is neither encoding nor readout.
            Defaults to 4.
        neuron: Name of a neuron, registered by `keras_ssp.layers.register_neuron`.
            Defaults to `"lif"`.
        name: Name of the new model. Defaults to `model.name` with `_snn` after it.
        **arguments: Arguments of the neurons, such as `beta=0.9`.

    Returns:
        A Functional `keras.Model`.

    Warns:
        UserWarning: Of activations after the first neurons that are not ReLUs, by
            layer. They stay, and hand analogue values on.

    Raises:
        ValueError: If the model has no ReLU, has spiking layers already, or an argument
            is not as above.

    Example:

    >>> model = keras.Sequential([keras.Input((8, 8, 1)),
    ...     keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
    ...     keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
    >>> snn = spiking(model, time_steps=4, beta=0.9)
    >>> [type(layer).__name__ for layer in snn.layers[1:]]
    ['Conv2D', 'DirectEncoding', 'LIF', 'Flatten', 'Dense', 'RateReadout', 'Activation']
    """
    if timeline.spiking_layers(require_model(model)):
        raise ValueError(
            "`model` must be a network without spiking layers. Received: "
            f"model={model.name!r}, which has some."
        )
    positive_int("time_steps", time_steps)
    make = get_neuron(neuron)
    make(**arguments)  # what is wrong with them is said before the model is read
    graph, names = graph_lib.trace(model), UniqueNames()
    swap = _Swap(graph, names, time_steps, make, arguments)
    inputs = [_Value(x) for x in make_inputs(model, names)]
    outputs = [swap.read(value) for value in run_through(graph, inputs, swap.visit)]
    if not swap.swapped:
        raise ValueError(
            "`model` must have at least one ReLU, as a layer, as an `activation=` or "
            "as a function: there is nothing to spike. Received: "
            f"model={model.name!r}."
        )
    if swap.left:
        left = ", ".join(f"'{call}' ({what})" for call, what in swap.left.items())
        warnings.warn(
            f"Not ReLUs, and so left as they are: {left}. What they hand on is "
            "analogue, and so are the synapses after them. Remedy: ReLU in their "
            "place, before the training.",
            stacklevel=2,
        )
    return pack_model(
        model,
        inputs=[v.tensor for v in inputs],
        outputs=outputs,
        name=name or f"{model.name}_snn",
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Value:
    """A tensor of the new network, and whether time is folded into its batch."""

    tensor: Tensor
    folded: bool = False


class _Swap:
    """Builds the new network; `visit` takes one call of the old one."""

    def __init__(
        self,
        graph: Graph,
        names: UniqueNames,
        time_steps: int,
        make: type[SpikingLayer],
        arguments: dict[str, Any],
    ) -> None:
        self.graph, self.names, self.time_steps = graph, names, time_steps
        self.make, self.arguments = make, arguments
        self.swapped = 0
        self.left: dict[str, str] = {}
        self._copies: dict[int, Operation] = {}
        self._encoded: dict[int, _Value] = {}

    def visit(self, call: Call, inputs: list[_Value]) -> list[_Value]:
        """The values of a call's outputs, from those of its inputs."""
        if is_relu(call.layer):
            return [self._neuron(inputs[0], call, call.name)]
        activation = getattr(call.layer, "activation", None)
        last = is_at_the_end(call, self.graph)
        function = activation not in _PLAIN
        elementwise = type(call.layer) in _ELEMENTWISE
        if elementwise or (is_activation(call.layer) and function):
            return self._left_or_last(call, inputs, last)
        if not (function and isinstance(call.layer, _WITH_ACTIVATION)):
            return self._copied(call, inputs)
        inside = is_relu(activation)
        if not (inside or last):
            self._note(call, inputs)
            return self._copied(call, inputs)
        (value,) = self._copied(call, inputs, activation=None)
        if inside:
            return [self._neuron(value, call, f"{call.name}_{self.make.kind}")]
        y = apply_activation(activation, self.read(value), call.layer, self.names)
        return [_Value(y)]

    def read(self, value: _Value) -> Tensor:
        """The tensor without time: the mean over the steps."""
        if not value.folded:
            return value.tensor
        return RateReadout(name=self.names("readout"))(value.tensor)

    def _neuron(self, value: _Value, call: Call, name: str) -> _Value:
        value = self._encode(value)
        neuron = self.make(
            **self.arguments,
            name=self.names(name),
            dtype=getattr(call.layer, "dtype_policy", None),
        )
        self.swapped += 1
        return dataclasses.replace(value, tensor=neuron(value.tensor))

    def _encode(self, value: _Value) -> _Value:
        """Repeats a tensor over time, as late as possible: only what must spike."""
        if value.folded or self.time_steps == 1:
            return value
        if id(value) not in self._encoded:  # what two layers read is encoded once
            encoding = DirectEncoding(self.time_steps, name=self.names("encoding"))
            self._encoded[id(value)] = _Value(encoding(value.tensor), folded=True)
        return self._encoded[id(value)]

    def _left_or_last(
        self, call: Call, inputs: list[_Value], last: bool
    ) -> list[_Value]:
        """An activation that is no ReLU: after the readout if it is the last thing."""
        if last:
            return self._copied(call, [_Value(self.read(v)) for v in inputs])
        self._note(call, inputs)
        return self._copied(call, inputs)

    def _note(self, call: Call, inputs: list[_Value]) -> None:
        if any(value.folded for value in inputs):
            function = getattr(call.layer, "activation", None) or call.layer
            self.left[call.name] = getattr(
                function, "__name__", type(function).__name__
            )

    def _copied(
        self, call: Call, inputs: list[_Value], **changes: object
    ) -> list[_Value]:
        folded = any(value.folded for value in inputs)
        values = [self._encode(value) for value in inputs] if folded else inputs
        key = id(call.layer)
        if key not in self._copies:
            # The same norm in fewer passes.
            norm = type(call.layer) is layers.BatchNormalization
            kind = BatchNormalization if norm else None
            name = self.names(call.name)
            self._copies[key] = copy_layer(call, name, kind, **changes)
        layer = self._copies[key]
        outputs = graph_lib.run(call, [value.tensor for value in values], layer)
        if not call.index:
            copy_weights(call.layer, layer)
        return [_Value(y, folded) for y in outputs]


_ELEMENTWISE = (layers.LeakyReLU, layers.ELU, layers.PReLU, layers.Softmax)
# Their `activation=` is the last thing that they do; a recurrent layer's is not.
_WITH_ACTIVATION = (*LINEAR, layers.EinsumDense)
