"""The contract of `keras_ssp/graph.py` with what Keras keeps private.

The first part names each private attribute: where Keras renames or drops one, the test
of that name fails. The second part holds what the module promises, for every topology.
"""

import inspect
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssp import SynapticPenalty, graph, penalize, synapses
from keras_ssp.layers import LIF

pytestmark = pytest.mark.every_backend
JAX = keras.backend.backend() == "jax"
X, Y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")


def names(found):
    return [call.name for call in found.calls]


def links(found):
    """Each call's name with the names of the calls that it reads from."""
    producers = found.producers()
    source = {edge: f"input {k}" for k, edge in enumerate(found.inputs)}
    source |= {edge: f"{c.name}[{k}]" for edge, (c, k) in producers.items()}
    return {
        f"{c.name}:{c.index}": [source[edge].removesuffix("[0]") for edge in c.inputs]
        for c in found.calls
    }


# --- what Keras keeps private, one test per attribute ---------------------------------


def test_keras_tensors_have_a_keras_history():
    x = keras.Input((2,))
    dense = layers.Dense(3)
    history = dense(x)._keras_history
    assert history.operation is dense
    assert (history.node_index, history.tensor_index) == (0, 0)
    assert dense(x)._keras_history.node_index == 1
    assert isinstance(x._keras_history.operation, layers.InputLayer)


def test_operations_have_inbound_nodes():
    x = keras.Input((2,))
    dense = layers.Dense(3)
    outputs = [dense(x), dense(x)]
    assert [node.output_tensors[0] for node in dense._inbound_nodes] == outputs


def test_nodes_know_operation_tensors_and_arguments():
    a, b = keras.Input((2,)), keras.Input((2,))
    layer = layers.MultiHeadAttention(1, 2)
    sequence = [layers.Reshape((1, 2))(t) for t in (a, b)]
    output = layer(*sequence, use_causal_mask=True)
    (node,) = layer._inbound_nodes
    assert node.operation is layer
    assert list(map(id, node.input_tensors)) == list(map(id, sequence))
    assert list(map(id, node.output_tensors)) == [id(output)]
    assert list(map(id, node.arguments.args)) == list(map(id, sequence))
    assert node.arguments.kwargs == {"use_causal_mask": True}


def test_nodes_know_whether_they_are_an_input():
    x = keras.Input((2,))
    dense = layers.Dense(3)
    dense(x)
    assert x._keras_history.operation._inbound_nodes[0].is_input
    assert not dense._inbound_nodes[0].is_input


def test_functional_models_have_nodes_by_depth():
    x = keras.Input((2,))
    first, second = layers.Dense(3), layers.Dense(1)
    model = keras.Model(x, second(first(x)))
    by_depth = model._nodes_by_depth
    ordered = [n.operation for d in sorted(by_depth, reverse=True) for n in by_depth[d]]
    assert ordered[1:] == [first, second]
    assert isinstance(ordered[0], layers.InputLayer)


def test_functional_models_have_flat_inputs_and_outputs():
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    y = layers.Dense(1)(a)
    model = keras.Model({"a": a, "b": b}, {"y": y, "b": b})
    assert {id(t) for t in model._inputs} == {id(a), id(b)}
    assert {id(t) for t in model._outputs} == {id(y), id(b)}
    assert isinstance(model._inputs, list) and isinstance(model._outputs, list)


def test_sequential_models_have_a_functional_inside():
    model = keras.Sequential([layers.Dense(3)])
    assert model._functional is None
    model.build((None, 2))
    assert hasattr(model._functional, "_nodes_by_depth")


def test_subclassed_models_have_no_nodes_by_depth():
    assert not hasattr(Subclassed(), "_nodes_by_depth")


def test_layers_flatten_the_layers_inside():
    parameters = inspect.signature(layers.Layer._flatten_layers).parameters
    assert "include_self" in parameters


def test_current_call_context_knows_its_entry_layer():
    seen = []

    class Look(layers.Layer):
        def call(self, x):
            context = graph._call_context()
            seen.append(context.entry_layer)
            vars(context)["_keras_ssp_test"] = 1  # attributes may be added
            return x

    layer = Look()
    assert graph._call_context() is None
    layer(X)
    assert seen == [layer]
    assert graph._call_context() is None


def test_stateless_scope_can_be_found():
    assert graph._stateless_scope() is None
    with keras.StatelessScope() as scope:
        assert graph._stateless_scope() is scope
        assert not scope.state_mapping
        vars(scope)["_keras_ssp_test"] = 1
    weight = keras.Variable(1.0)
    with keras.StatelessScope([(weight, ops.ones(()))]) as scope:
        assert graph._stateless_scope().state_mapping


def test_models_keep_their_compiled_functions_under_these_names():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    assert model.train_function is not None
    assert model.test_function is not None
    assert model.predict_function is not None


def test_operation_classes_of_keras_ops_are_called_as_the_rules_say():
    found = {
        name
        for module in list(sys.modules)
        if module.startswith("keras.src.ops.")
        for name, value in vars(sys.modules[module]).items()
        if isinstance(value, type) and value.__module__ == module
    }
    wanted = [key[4:] for key in synapses._rules if isinstance(key, str)]
    assert set(wanted) <= found


# --- trace: topologies ----------------------------------------------------------------


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


class Subclassed(keras.Model):
    def __init__(self, inner=None):
        super().__init__(name="mine")
        self.inner = layers.Dense(1) if inner is None else inner

    def call(self, x):
        return self.inner(x)


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


# --- trace_to, has_history, inner_layers ----------------------------------------------


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


# --- the outermost call under way -----------------------------------------------------


class Spy(layers.Layer):
    """Notes what the graph module says while it runs."""

    def __init__(self, note, **kwargs):
        super().__init__(**kwargs)
        self.note = note

    def call(self, x):
        store = graph.call_store()
        store["count"] = store.get("count", 0) + 1
        self.note((graph.outermost_call(), store["count"]))
        return x


class Two(keras.Model):
    def __init__(self, spy):
        super().__init__()
        self.spy, self.inner = spy, nested(spy)

    def call(self, x):
        return self.inner(self.spy(x))


def nested(spy):
    return keras.Sequential([keras.Input((2,)), spy, layers.Dense(1)])


def functional(spy):
    x = keras.Input((2,))
    return keras.Model(x, nested(spy)(spy(x)))


def sequential(spy):
    return keras.Sequential([keras.Input((2,)), spy, nested(spy)])


MODES = {
    "eager": lambda model: model(X),
    "fit": lambda model: model.fit(X, Y, batch_size=4, verbose=0),
    "evaluate": lambda model: model.evaluate(X, Y, batch_size=4, verbose=0),
    "predict": lambda model: model.predict(X, batch_size=4, verbose=0),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("make", [functional, sequential, Two])
def test_outermost_call_and_its_store(make, mode):
    seen = []
    model = make(Spy(seen.append))
    model.compile("sgd", "mse")
    model(X)
    seen.clear()
    MODES[mode](model)
    outermost, counts = zip(*seen, strict=True)
    # One store for both calls of the layer, a new one for each run of the model.
    assert counts == (1, 2) * (len(counts) // 2)
    if mode == "eager" or not JAX:
        assert set(outermost) == {model}
    else:
        # The JAX trainer runs a model's `call`, so what is nested in the model must
        # not be taken for the whole; before that, Keras may run it symbolically.
        assert set(outermost[:-2]) <= {model}
        assert outermost[-2:] == (None, None)
    assert graph.outermost_call() is None


def test_without_a_call_under_way_nothing_is_kept():
    assert graph.outermost_call() is None
    graph.call_store()["count"] = 1
    assert graph.call_store() == {}


def test_a_failed_call_leaves_no_context():
    class Fails(layers.Layer):
        def call(self, x):
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        Fails()(X)
    assert graph.outermost_call() is None
    assert graph.call_store() == {}


@pytest.mark.parametrize("mode", ["eager", "evaluate"])
def test_losses_are_cleared_just_where_the_context_changes(mode):
    seen = []

    class Adds(layers.Layer):
        def call(self, x):
            seen.append(graph.losses_context())
            self.add_loss(ops.mean(x) * 0.0 + 1.0)
            return x

    layer = Adds()
    x = keras.Input((2,))
    model = keras.Model(x, layers.Dense(1, kernel_initializer="zeros")(layer(layer(x))))
    model.compile("sgd", "mse")
    if mode == "eager":
        model(X)
        loss = float(sum(map(ops.convert_to_numpy, model.losses)))
    else:
        loss = model.evaluate(X, Y, verbose=0)
    # The sum holds the losses of both calls, or that of the last one alone.
    first, second = seen[-2:]
    assert loss == (2.0 if first is second else 1.0)
    assert (first is not second) == (JAX and mode == "evaluate")


def test_penalty_of_a_nested_model_that_is_called_twice():
    inner = keras.Sequential(
        [
            keras.Input((2,)),
            LIF(beta=0.0, name="lif"),
            layers.Dense(2, kernel_initializer="ones"),
        ],
        name="inner",
    )
    x = keras.Input((2,))
    model = keras.Model(x, layers.Dense(1, kernel_initializer="zeros")(inner(inner(x))))
    penalize(model, SynapticPenalty(1.0))
    model.compile("sgd", "mse")
    # Both neurons fire in both calls, and psi is 2.
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(8.0)


# --- forget_compiled ------------------------------------------------------------------


def test_forget_compiled_makes_every_function_be_traced_anew():
    class Constant(layers.Layer):
        value = 1.0

        def call(self, x):
            return x * 0.0 + self.value

    layer = Constant()
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile("sgd", "mse")
    x, y = np.ones((2, 1), "float32"), np.zeros((2, 1), "float32")

    def everything():
        return (
            model.fit(x, y, verbose=0).history["loss"][0],
            model.evaluate(x, y, verbose=0),
            float(model.predict(x, verbose=0)[0, 0]),
        )

    assert everything() == (1.0, 1.0, 1.0)
    layer.value = 3.0
    graph.forget_compiled(model)
    assert everything() == (9.0, 9.0, 3.0)


def test_forget_compiled_takes_what_was_never_compiled():
    graph.forget_compiled(keras.Sequential([keras.Input((1,)), layers.Dense(1)]))
    graph.forget_compiled(layers.Dense(1))
