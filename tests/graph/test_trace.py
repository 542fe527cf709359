"""`graph.trace`: reading a model, for every topology."""

import keras
import pytest
from keras import layers, ops

from keras_ssp import graph
from keras_ssp.layers import LIF
from tests.graph.reading import Subclassed, X, Y, links, names

pytestmark = pytest.mark.every_backend


def test_functional_model():
    x = keras.Input((2,))
    y = layers.Dense(3, name="b")(layers.Dense(4, name="a")(x))
    found = graph.trace(keras.Model(x, y, name="net"))
    assert found.name == "net"
    assert links(found) == {"a:0": ["input 0"], "b:0": ["a"]}
    assert [edge.shape for edge in found.inputs] == [(None, 2)]
    assert [edge.shape for edge in found.outputs] == [(None, 3)]
    assert found.calls[0].outputs[0].features == (4,)
    assert found.outputs == found.calls[-1].outputs


def test_sequential_model():
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, name="a"), layers.Dense(3, name="b")]
    )
    assert graph.is_graph_model(model)
    assert links(graph.trace(model)) == {"a:0": ["input 0"], "b:0": ["a"]}
    model.add(layers.Dense(1, name="c"))
    assert names(graph.trace(model)) == ["a", "b", "c"]
    model.pop()
    assert names(graph.trace(model)) == ["a", "b"]


@pytest.mark.parametrize("how", ["call", "build", "fit"])
def test_sequential_model_without_input_is_read_once_built(how):
    model = keras.Sequential([layers.Dense(4, name="a"), layers.Dense(1, name="b")])
    assert not graph.is_graph_model(model)
    with pytest.raises(ValueError, match="`model` must be a built Sequential"):
        graph.trace(model)
    if how == "call":
        model(X)
    elif how == "build":
        model.build((None, 2))
    else:
        model.compile("sgd", "mse")
        model.fit(X, Y, verbose=0)
    assert graph.is_graph_model(model)
    found = graph.trace(model)
    assert links(found) == {"a:0": ["input 0"], "b:0": ["a"]}
    assert found.inputs[0].features == (2,)


@pytest.mark.parametrize("called", [False, True])
def test_subclassed_model_is_an_error(called):
    model = Subclassed()
    if called:
        model(X)
    assert not graph.is_graph_model(model)
    with pytest.raises(ValueError, match="'mine' of type Subclassed"):
        graph.trace(model)


@pytest.mark.parametrize("thing", [layers.Dense(2), None, 3])
def test_what_is_no_model_is_an_error(thing):
    assert not graph.is_graph_model(thing)
    with pytest.raises(ValueError, match="`model` must be a built"):
        graph.trace(thing)


def test_subclass_built_from_inputs_and_outputs_is_read():
    class Net(keras.Model):
        def __init__(self):
            x = keras.Input((2,))
            super().__init__(inputs=x, outputs=layers.Dense(1, name="a")(x))

    assert names(graph.trace(Net())) == ["a"]


def test_subclassed_model_inside_a_functional_one_is_one_call():
    x = keras.Input((2,))
    found = graph.trace(keras.Model(x, Subclassed()(x)))
    assert names(found) == ["mine"]


def test_nested_models_are_opened_up():
    inner = keras.Sequential(
        [keras.Input((2,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")],
        name="inner",
    )
    x = keras.Input((2,))
    middle = keras.Model(x, layers.Dense(2, name="c")(inner(x)), name="middle")
    z = keras.Input((2,))
    outer = keras.Model(z, layers.Dense(1, name="d")(middle(z)), name="outer")
    assert links(graph.trace(outer)) == {
        "middle/inner/a:0": ["input 0"],
        "middle/inner/b:0": ["middle/inner/a"],
        "middle/c:0": ["middle/inner/b"],
        "d:0": ["middle/c"],
    }
    # Seen from inside, the inner models are what they were.
    assert links(graph.trace(middle))["c:0"] == ["inner/b"]
    assert names(graph.trace(inner)) == ["a", "b"]


def test_nested_model_with_several_inputs_and_outputs():
    a, b = keras.Input((2,)), keras.Input((3,))
    p, q = layers.Dense(4, name="p")(a), layers.Dense(4, name="q")(b)
    inner = keras.Model([a, b], [q, p], name="inner")
    x, z = keras.Input((3,)), keras.Input((2,))
    first, second = inner([z, x])
    y = layers.Concatenate(name="join")([second, first])
    found = graph.trace(keras.Model([x, z], y))
    assert links(found) == {
        "inner/p:0": ["input 1"],
        "inner/q:0": ["input 0"],
        "join:0": ["inner/p", "inner/q"],
    }


def test_nested_model_with_dict_inputs():
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    y = layers.Concatenate(name="join")([b, a])
    inner = keras.Model({"b": b, "a": a}, {"y": y}, name="inner")
    x, z = keras.Input((2,)), keras.Input((3,))
    found = graph.trace(keras.Model([x, z], inner({"a": x, "b": z})["y"]))
    assert links(found) == {"inner/join:0": ["input 1", "input 0"]}


def test_nested_model_that_returns_its_input():
    a = keras.Input((2,))
    inner = keras.Model(a, [a, layers.Dense(1, name="p")(a)], name="inner")
    x = keras.Input((2,))
    same, _ = inner(x)
    found = graph.trace(keras.Model(x, layers.Dense(1, name="q")(same)))
    assert links(found)["q:0"] == ["input 0"]


def test_shared_layer_is_one_call_each_time():
    x = keras.Input((2,))
    dense = layers.Dense(2, name="shared")
    found = graph.trace(keras.Model(x, dense(dense(dense(x)))))
    assert links(found) == {
        "shared:0": ["input 0"],
        "shared:1": ["shared"],
        "shared:2": ["shared"],
    }
    assert [c.index for c in found.calls] == [0, 1, 2]
    assert found.calls[1].inputs == found.calls[0].outputs
    assert {c.layer for c in found.calls} == {dense}


def test_shared_nested_model_counts_the_calls_of_its_layers():
    inner = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="a")], name="in")
    x = keras.Input((2,))
    found = graph.trace(keras.Model(x, inner(inner(x))))
    assert [(c.name, c.index) for c in found.calls] == [("in/a", 0), ("in/a", 1)]
    assert found.calls[1].inputs == found.calls[0].outputs


def test_layer_used_in_two_models_belongs_to_each_on_its_own():
    dense = layers.Dense(2, name="a")
    models = []
    for _ in range(2):
        x = keras.Input((2,))
        models.append(keras.Model(x, dense(x)))
    for model in models:
        assert [(c.name, c.index) for c in graph.trace(model).calls] == [("a", 0)]


def test_layers_that_lead_nowhere_are_left_out():
    x = keras.Input((2,))
    used = layers.Dense(3, name="used")(x)
    layers.Dense(3, name="unused")(used)
    assert names(graph.trace(keras.Model(x, used))) == ["used"]


def test_model_that_starts_in_the_middle_of_another():
    x = keras.Input((2,))
    middle = layers.Dense(3, name="before")(x)
    model = keras.Model(middle, layers.Dense(1, name="after")(middle))
    found = graph.trace(model)
    assert links(found) == {"after:0": ["input 0"]}
    assert found.inputs[0].features == (3,)


def test_several_outputs():
    x = keras.Input((2,))
    a = layers.Dense(3, name="a")(x)
    b = layers.Dense(4, name="b")(a)
    found = graph.trace(keras.Model(x, {"two": b, "one": a}))
    made = {edge: call.name for edge, (call, _) in found.producers().items()}
    assert sorted(made[edge] for edge in found.outputs) == ["a", "b"]


def test_layers_with_several_outputs():
    x = keras.Input((4,))
    spikes, potential = LIF(return_potential=True, name="lif")(x)
    left, right = ops.split(spikes, 2, axis=-1)
    y = layers.Concatenate(name="join")([right, left, potential])
    found = graph.trace(keras.Model(x, y))
    split = next(name for name in names(found) if "split" in name)
    assert links(found)[f"{split}:0"] == ["lif"]
    assert links(found)["join:0"] == [f"{split}[1]", split, "lif[1]"]


def test_layers_with_several_inputs():
    a, b = keras.Input((1, 2)), keras.Input((1, 2))
    y = layers.Add(name="sum")([a, b, a])
    y = layers.MultiHeadAttention(1, 2, name="attend")(y, b, use_causal_mask=True)
    found = graph.trace(keras.Model([a, b], y))
    assert links(found) == {
        "sum:0": ["input 0", "input 1", "input 0"],
        "attend:0": ["sum", "input 1"],
    }
    attend = found.calls[1]
    assert attend.kwargs == {"use_causal_mask": True}
    assert len(attend.args) == 2
    assert found.consumers()[found.inputs[0]] == [found.calls[0]]  # not twice


def test_bare_operations():
    x = keras.Input((4,))
    y = ops.concatenate([x * 2.0, x[:, :2]], axis=-1) + 1.0
    found = graph.trace(keras.Model(x, y))
    kinds = [type(call.layer).__name__ for call in found.calls]
    assert sorted(kinds[:2]) == ["GetItem", "Multiply"]
    assert kinds[2:] == ["Concatenate", "Add"]
    by_kind = dict(zip(kinds, found.calls, strict=True))
    assert by_kind["Concatenate"].layer.axis == -1
    assert len(by_kind["Concatenate"].inputs) == 2
    assert len(by_kind["Multiply"].inputs) == 1  # the constant is an argument
    assert by_kind["Multiply"].args[1] == 2.0
    assert by_kind["GetItem"].outputs[0].features == (2,)


def test_loaded_and_cloned_models_have_the_same_graph(tmp_path):
    inner = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="a")], name="in")
    x = keras.Input((2,))
    y = layers.Add(name="sum")([inner(x), inner(inner(x))])
    model = keras.Model(x, y)
    model.save(tmp_path / "model.keras")
    expected = links(graph.trace(model))
    for copy in (
        keras.saving.load_model(tmp_path / "model.keras"),
        keras.models.clone_model(model),
    ):
        assert links(graph.trace(copy)) == expected


def test_tracing_leaves_no_trace():
    x = keras.Input((2,))
    dense = layers.Dense(1)
    model = keras.Model(x, dense(x))
    graph.trace(model)
    graph.trace_to(model.output)
    assert len(dense._inbound_nodes) == 1
    assert len(model._inbound_nodes) == 0


class Note(layers.Layer):
    """Notes the features of its input each time it runs."""

    def __init__(self, note, **kwargs):
        super().__init__(**kwargs)
        self.note = note

    def call(self, x):
        self.note(int(x.shape[-1]))
        return x


def branches(note):
    # The call made first here stands on the deeper branch's last step.
    x = keras.Input((2,))
    short = note(layers.Dense(3)(x))
    deep = note(layers.Dense(5)(layers.Dense(4)(x)))
    deep = note(layers.Dense(6)(deep))
    late = note(layers.Dense(7)(layers.Dense(8)(layers.Dense(9)(deep))))
    return x, layers.Concatenate()([late, short, deep])


def inside_nested(note):
    x = keras.Input((2,))
    inner = keras.Model(*branches(note), name="inner")
    return x, layers.Concatenate()([note(layers.Dense(10)(x)), inner(x)])


@pytest.mark.parametrize("make", [branches, inside_nested])
def test_calls_stand_in_the_order_in_which_they_run(make):
    seen = []
    x, y = make(Note(seen.append))
    model = keras.Model(x, y)
    notes = [c for c in graph.trace(model).calls if isinstance(c.layer, Note)]
    expected = [call.inputs[0].features[0] for call in notes]
    assert len(expected) >= 4
    for run in (model, lambda x: model.predict(x, verbose=0)):
        seen.clear()
        run(X)
        assert seen == expected
    assert [call.index for call in notes] == list(range(len(notes)))
