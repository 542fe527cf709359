"""ReLU network in, network of integrate-and-fire neurons out."""

from __future__ import annotations

import keras

from keras_ssp import graph as graph_lib
from keras_ssp._checks import one_of, positive_int, real
from keras_ssp.conversion.canonical import MAX_POOLS, canonicalize, is_neuron
from keras_ssp.conversion.converter import ScaledTensor, SpikingConverter
from keras_ssp.conversion.thresholds import (
    METHODS,
    measure_thresholds,
    read_thresholds,
)
from keras_ssp.graph import Edge, Graph, require_model
from keras_ssp.graph.rebuild import UniqueNames, make_inputs, pack_model, run_through
from keras_ssp.types import Data

POOLINGS = ("spikes", "error")


def convert(
    model: keras.Model,
    data: Data = None,
    *,
    time_steps: int,
    method: str = "percentile",
    percentile: float = 99.9,
    initial_potential: float = 0.5,
    max_pooling: str = "spikes",
    batch_size: int = 128,
    name: str | None = None,
) -> keras.Model:
    """Converts a trained ReLU network into a spiking one of the same function.

    Each activation becomes integrate-and-fire neurons, `LIF(beta=1, reset="soft")`,
    whose spike rate over T steps represents the activation `a`:

        rate = clip(floor(T * a / lam + v0) / T, 0, 1),   a ~ lam * rate

    for constant input, with the layer's threshold `lam` and the initial potential
    `v0 * lam`. Thresholds are folded into the weights, so that every neuron has
    threshold 1 and every spike size 1. Time starts (`DirectEncoding`) at the first
    neurons, and outputs are means over time. The model is left as it is.

    Args:
        model: Built Sequential or Functional model of dense layers, convolutions,
            batch normalisation after them, ReLU or `QCFS`, pooling, residual sums
            and layers that only move values. An activation at the very end, such as
            a softmax, is kept and follows the mean over time.
        data: Inputs like those of the training, as for `keras_ssp.energy_report`.
            Not used by `method="qcfs"`.
        time_steps: Positive integer T.
        method: `"max"`, `lam` is the largest activation of the layer on `data`;
            `"percentile"`, a percentile of its positive activations, which outliers
            do not move; or `"qcfs"`, what the `QCFS` layers have learned. Defaults to
            `"percentile"`.
        percentile: Float in (0, 100], for `method="percentile"`. Defaults to 99.9.
        initial_potential: Float in [0, 1], `v0`. With 0 each rate is rounded down,
            on average by half a spike; 0.5 rounds to the nearest, which has no bias
            and is what `QCFS` trains for. Defaults to 0.5.
        max_pooling: `"spikes"`, the largest spike of the window at each step, whose
            rate is at least the largest rate and usually more; or `"error"`, to
            refuse max pooling after an activation. Defaults to `"spikes"`.
        batch_size: Positive integer, rows per batch where `data` are arrays. Defaults
            to 128.
        name: Name of the new model. Defaults to that of `model` and `_snn`.

    Returns:
        A Functional `keras.Model` to train on, save, or give to `energy_report`.

    Raises:
        ValueError: If a layer cannot be converted, or an activation is 0 on all of
            `data`.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3)])
    >>> x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    >>> snn = convert(model, x, time_steps=64, method="max")
    >>> bool(np.abs(snn(x) - model(x)).max() < 0.1)
    True

    Reference: Diehl et al., IJCNN 2015 (threshold balancing); Rueckauer et al.,
    Frontiers in Neuroscience 11:682 (2017) (percentile, reset by subtraction, batch
    normalisation); Bu et al., ICLR 2022 (QCFS, half a threshold to start from).
    """
    require_model(model)
    positive_int("time_steps", time_steps)
    one_of("method", method, METHODS)
    real("percentile", percentile, above=0.0, high=100.0)
    real("initial_potential", initial_potential, low=0.0, high=1.0)
    one_of("max_pooling", max_pooling, POOLINGS)
    positive_int("batch_size", batch_size)

    plain = canonicalize(model)
    graph, names = graph_lib.trace(plain), UniqueNames()
    if max_pooling == "error":
        _check_max_pooling(graph)
    converter = SpikingConverter(
        graph,
        names,
        _thresholds(plain, graph, data, method, percentile, batch_size),
        time_steps,
        float(initial_potential),
    )
    inputs = make_inputs(plain, names)
    values = run_through(
        graph, [ScaledTensor.plain(x) for x in inputs], converter.visit
    )
    outputs = [converter.read(value).tensor for value in values]
    return pack_model(plain, inputs, outputs, name or f"{model.name}_snn")


def _thresholds(
    plain: keras.Model,
    graph: Graph,
    data: Data,
    method: str,
    percentile: float,
    batch_size: int,
) -> dict[str, float]:
    neurons = [call for call in graph.calls if is_neuron(call.layer)]
    if not neurons:
        raise ValueError(
            "`model` must have at least one ReLU or QCFS activation: there is nothing "
            f"to spike. Received: model={plain.name!r}."
        )
    if method == "qcfs":
        return read_thresholds(neurons)
    return measure_thresholds(
        plain,
        neurons,
        data,
        percentile=100.0 if method == "max" else percentile,
        batch_size=batch_size,
    )


def _check_max_pooling(graph: Graph) -> None:
    # Before the first neurons a tensor is the same at every step, and its maximum is
    # the maximum of the rates.
    changing: set[Edge] = set()  # what differs from step to step
    for call in graph.calls:
        carried = any(edge in changing for edge in call.inputs)
        if type(call.layer) in MAX_POOLS and carried:
            raise ValueError(
                f"Layer '{call.name}' of type {type(call.layer).__name__} stands "
                "behind an activation: the largest value at each step is not the "
                'largest rate, and max_pooling="error" was given. Remedy: use average '
                "pooling."
            )
        if carried or is_neuron(call.layer):
            changing.update(call.outputs)
