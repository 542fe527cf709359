"""`graph.trace_to`, `has_history` and `inner_layers`."""

import sys

import keras
import pytest
from keras import layers

from keras_ssp import graph
from keras_ssp.layers import LIF
from tests.graph.reading import Subclassed, links, names

pytestmark = pytest.mark.every_backend


def test_trace_to_reads_what_stands_above_one_tensor():
    x, z = keras.Input((2,)), keras.Input((2,))
    shared = layers.Dense(2, name="shared")
    a = shared(x)
    b = shared(a)
    shared(z)
    layers.Dense(1, name="elsewhere")(a)
    y = layers.Add(name="sum")([a, b])
    found = graph.trace_to(y)
    assert links(found) == {
        "shared:0": ["input 0"],
        "shared:1": ["shared"],
        "sum:0": ["shared", "shared"],
    }
    assert found.outputs == found.calls[-1].outputs
    assert names(graph.trace_to(a)) == ["shared"]


def test_trace_to_opens_nested_models():
    inner = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="a")], name="in")
    assert names(graph.trace_to(inner(inner(keras.Input((2,)))))) == ["in/a", "in/a"]


def test_trace_to_an_input():
    found = graph.trace_to(keras.Input((2,)))
    assert found.calls == ()
    assert found.inputs == found.outputs


def test_trace_to_from_a_tensor_without_a_layer_behind_it():
    x = keras.KerasTensor((None, 2))
    assert not graph.has_history(x)
    y = layers.Dense(1, name="a")(x)
    assert graph.has_history(y)
    assert not graph.has_history(x)
    assert links(graph.trace_to(y)) == {"a:0": ["input 0"]}


def test_trace_to_the_second_output_of_a_layer():
    _, potential = LIF(return_potential=True, name="lif")(keras.Input((2,)))
    found = graph.trace_to(potential)
    assert found.outputs[0] is found.calls[0].outputs[1]


def test_trace_to_in_a_deep_model():
    y = keras.Input((2,))
    depth = sys.getrecursionlimit() + 100
    identity = layers.Identity()
    for _ in range(depth):
        y = identity(y)
    assert len(graph.trace_to(y).calls) == depth


def test_inner_layers_are_found_at_any_depth():
    lif = LIF()
    dense = layers.Dense(2, activation=lif)
    inner = keras.Sequential([keras.Input((2,)), dense])
    model = Subclassed(inner)
    found = graph.inner_layers(model)
    assert model not in found
    assert {inner, dense, lif} <= set(found)
    assert len(found) == len(set(found))
    assert graph.inner_layers(lif) == []
    shared = layers.Dense(2)
    x = keras.Input((2,))
    assert graph.inner_layers(keras.Model(x, shared(shared(x)))).count(shared) == 1
