"""Gates: products, maxima and minima of spikes, which make events of their own.

`q * k` of two tensors of spikes is 1 where both fire (AND), their maximum where one
does (OR), `(1 - q) * k` where the second fires and the first does not (IAND, as in
SEW-ResNet). Which events leave a gate is not known of each of its inputs alone, so a
gate is a place of its own at which events are counted: those that leave it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import keras
import numpy as np

from keras_ssp.graph import Call, Edge, Graph, run
from keras_ssp.synapses.registry import Rule
from keras_ssp.types import Tensor

#: Identity of a layer, and which of its calls it is.
Key = tuple[int, int]


@dataclasses.dataclass(frozen=True, eq=False)
class Gate:
    """What lies between the sources of a gate and its output.

    Args:
        calls: The calls in the order in which they run, the gate last.
        sources: The edges where the spikes come from, and the calls that make them.
    """

    calls: tuple[Call, ...]
    sources: Mapping[Edge, Key]

    def events(self, made: Mapping[Key, Tensor]) -> Tensor:
        """The events that leave the gate, `(batch * T, ...)`.

        Args:
            made: The spikes of each source, and of others.
        """
        values = {edge: made[key] for edge, key in self.sources.items()}
        for call in self.calls:
            outputs = run(call, [values[edge] for edge in call.inputs])
            values.update(zip(call.outputs, outputs, strict=True))
        return values[self.calls[-1].outputs[0]]


class GateReader:
    """Reads the gates of a graph.

    Args:
        graph: The graph.
        events: Whether each edge carries events.
        rules: The rule of each call that has one.
    """

    def __init__(
        self, graph: Graph, events: Mapping[Edge, bool], rules: Mapping[Call, Rule]
    ) -> None:
        self.events = events
        self.rules = rules
        self._producers = graph.producers()
        self._places = {call: k for k, call in enumerate(graph.calls)}

    def read(self, call: Call) -> Gate:
        """What lies before a gate, up to where its spikes are made.

        Raises:
            ValueError: If what arrives is not spikes that are 0 or 1.
        """
        calls: dict[Call, None] = {}
        sources: dict[Edge, Key] = {}
        if all(self._inverted(edge) for edge in call.inputs):
            raise ValueError(
                f"Layer '{call.name}' joins inverted spikes alone, which fire where "
                "nothing does. Remedy: gate them by spikes as they are, as in "
                "`(1 - q) * k`."
            )
        for edge in call.inputs:
            self._walk(call, edge, calls, sources)
        ordered = sorted(calls, key=self._places.__getitem__)
        return Gate((*ordered, call), sources)

    def _walk(
        self,
        gate: Call,
        edge: Edge,
        calls: dict[Call, None],
        sources: dict[Edge, Key],
    ) -> None:
        call, _ = self._producers.get(edge, (None, 0))
        if call is not None and getattr(call.layer, "emits_events", False):
            sources[edge] = (id(call.layer), call.index)
            return
        if call is None or not self.events[edge]:
            raise ValueError(
                f"Layer '{gate.name}' multiplies or compares spikes with analogue "
                "values, which makes them analogue. Remedy: let the analogue branch "
                "pass through a spiking layer, or join the two after the synapse."
            )
        rule = self.rules[call]
        inverting = inverts(call) and type(gate.layer).__name__ == "Multiply"
        if not (rule.binary or rule.gate or inverting):
            raise ValueError(
                f"Layer '{gate.name}' joins spikes that '{call.name}' has made other "
                "than 0 or 1, so the events that leave it cannot be told. Remedy: put "
                f"'{call.name}' after it."
            )
        calls[call] = None
        for each in call.inputs:
            self._walk(call if is_gate(call, rule) else gate, each, calls, sources)

    def _inverted(self, edge: Edge) -> bool:
        call, _ = self._producers.get(edge, (None, 0))
        return call is not None and inverts(call)


def inverts(call: Call) -> bool:
    """Whether a call is `1 - x`."""
    if type(call.layer).__name__ != "Subtract" or len(call.inputs) != 1:
        return False
    first = constant(call, 0)
    return first is not None and bool(np.all(first == 1.0))


def constant(call: Call, place: int) -> np.ndarray | None:
    """An argument of an operation as an array, `None` if the graph computes it."""
    given = [*call.args, *call.kwargs.values()]
    if place >= len(given) or isinstance(given[place], keras.KerasTensor):
        return None
    return np.asarray(keras.ops.convert_to_numpy(given[place]))


def is_gate(call: Call, rule: Rule) -> bool:
    """Whether a call makes events of several tensors of spikes."""
    return rule.gate and len(call.inputs) > 1
