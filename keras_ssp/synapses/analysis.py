"""Which synapses the spikes of one model drive: the graph walk behind psi.

`analyze` walks from each synapse back along the routes (see `keras_ssp.synapses`) to
the sources: spiking layers, whose events cost accumulates, or analogue values,
which cost multiply-accumulates. The penalty and the energy report both read its
result.
"""

from __future__ import annotations

import weakref

import keras

from keras_ssp.graph import Graph, functional, require_model, trace
from keras_ssp.synapses.registry import RULES
from keras_ssp.synapses.sites import Synapses
from keras_ssp.synapses.walk import Walk

Fingerprint = tuple[object, ...]


def analyze(model: keras.Model) -> Synapses:
    """Counts the synapses of a built Sequential or Functional model.

    The result is kept as long as the model lives, and counted again when the model's
    graph, a given `fan_out` or a registered rule has changed.

    Args:
        model: The model; nested models are opened up.

    Returns:
        A `Synapses`: for each spiking layer its taps, for each weighted layer its
        dense operations and those driven by analogue values.

    Raises:
        ValueError: If a layer has no rule, a size is unknown, layers disagree on
            time steps, or a spiking layer's output goes nowhere.

    Example:

    >>> x = keras.Input((8,))
    >>> model = keras.Model(x, keras.layers.Dense(3)(LIF(name="a")(x)))
    >>> site, = analyze(model).spiking
    >>> site.name, site.size, site.taps[0].total  # 8 neurons with 3 synapses each
    ('a', (8,), 24.0)
    """
    graph = trace(require_model(model))
    inner, seen = functional(model), _fingerprint(graph)
    kept = _analyses.get(inner)
    if kept is None or kept[0] != seen:
        kept = _analyses[inner] = seen, Walk(graph).run()
    return kept[1]


# What a model's graph is and what was counted in it. No result depends on it being
# here, so threads may share it.
_analyses: weakref.WeakKeyDictionary[keras.Model, tuple[Fingerprint, Synapses]]
_analyses = weakref.WeakKeyDictionary()


def _fingerprint(graph: Graph) -> Fingerprint:
    """Equal for two graphs of the same layers, connected alike and counted alike."""
    numbers = {edge: k for k, edge in enumerate(graph.inputs)}
    # By identity: the layers live as long as what was counted, which refers to them.
    calls = []
    for call in graph.calls:
        read = tuple(numbers[edge] for edge in call.inputs)
        for edge in call.outputs:
            numbers[edge] = len(numbers)
        given = getattr(call.layer, "fan_out", None)
        calls.append(
            (
                *(id(call.layer), type(call.layer), call.name, read),
                tuple(edge.shape for edge in call.outputs),
                *(repr(call.args), repr(call.kwargs)),
                getattr(call.layer, "time_steps", None),
                None if given is None else (given.shape, given.tobytes()),
            )
        )
    ends = tuple(numbers[edge] for edge in graph.outputs)
    sizes = tuple(edge.shape for edge in graph.inputs)
    return (RULES.version, sizes, ends, *calls)
