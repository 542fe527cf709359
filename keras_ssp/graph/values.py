"""Values of a batch inside of a model, asked for one by one."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from keras_ssp.graph.calls import Call, Edge, Graph, run
from keras_ssp.types import Array, Tensor


class Values:
    """The tensors of one batch in a graph, each made when it is asked for.

    Layers run as in evaluation mode, outside of any model.

    Args:
        graph: The graph.
        inputs: The tensors of `graph.inputs`.
    """

    def __init__(self, graph: Graph, inputs: list[Tensor]) -> None:
        self._producers = graph.producers()
        self._graph = graph
        self._known: dict[Edge, Tensor] = dict(zip(graph.inputs, inputs, strict=True))

    def tensor(self, edge: Edge) -> Tensor:
        """The tensor of an edge."""
        self._make(edge)
        return self._known[edge]

    def of(self, edge: Edge) -> Array:
        """The value of an edge, in float64."""
        known = ops.cast(self.tensor(edge), "float32")
        return np.asarray(ops.convert_to_numpy(known), "float64")

    def forget(self, edge: Edge) -> None:
        """Has an edge, and what is made of it, made again."""
        stale = {edge}
        for call in self._graph.calls:
            if stale.intersection(call.inputs):
                stale.update(call.outputs)
        for old in stale:
            self._known.pop(old, None)

    def _make(self, wanted: Edge) -> None:
        # Not recursively: a network may be deeper than Python's stack.
        waiting = [wanted]
        while waiting:
            edge = waiting[-1]
            missing = [] if edge in self._known else self._missing(edge)
            waiting.extend(missing)
            if not missing:
                waiting.pop()
                if edge not in self._known:
                    self._run(self._producers[edge][0])

    def _missing(self, edge: Edge) -> list[Edge]:
        call = self._producers[edge][0]
        return [e for e in call.inputs if e not in self._known]

    def _run(self, call: Call) -> None:
        # No loss is recorded, and no state (of random numbers, of batches) moves on.
        with keras.StatelessScope():
            outputs = run(call, [self._known[e] for e in call.inputs], call.layer)
        self._known.update(zip(call.outputs, outputs, strict=True))
