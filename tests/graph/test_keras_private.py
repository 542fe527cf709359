"""What Keras keeps private and `graph/keras_private.py` reads, one test per attribute.

Where Keras renames or drops one, the test of that name fails.
"""

import inspect
import sys
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssp.graph import keras_private
from keras_ssp.synapses import registry
from tests.graph.reading import Subclassed, X, Y

pytestmark = pytest.mark.every_backend


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


def test_functional_models_have_their_inputs_in_structure():
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    model = keras.Model({"a": a, "b": b}, layers.Dense(1)(a))
    found = {name: id(tensor) for name, tensor in model._inputs_struct.items()}
    assert found == {"a": id(a), "b": id(b)}


def test_subclassed_models_keep_the_shapes_they_were_built_with():
    model = Subclassed()
    assert keras_private.symbolic_inputs(model) is None
    model(X)
    (shape,) = model._build_shapes_dict.values()
    assert tuple(shape)[1:] == X.shape[1:]
    found = keras_private.symbolic_inputs(model)
    assert tuple(found.shape) == (None, *X.shape[1:])


def test_keras_exports_from_modules_of_this_name():
    import keras.src.export.saved_model as module

    assert module.__name__.startswith("keras.src.export.")
    seen = []
    code = "def ask(within): return within()"
    space = {"__name__": "keras.src.export.anything"}
    exec(code, space)
    seen.append(space["ask"](keras_private.within_export))
    seen.append(keras_private.within_export())
    assert seen == [True, False]


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
            context = keras_private._call_context()
            seen.append(context.entry_layer)
            weakref.ref(context)  # states are kept by it
            hash(context)
            return x

    layer = Look()
    assert keras_private._call_context() is None
    layer(X)
    assert seen == [layer]
    assert keras_private._call_context() is None


def test_stateless_scope_can_be_found():
    assert keras_private._stateless_scope() is None
    with keras.StatelessScope() as scope:
        assert keras_private._stateless_scope() is scope
        assert not scope.state_mapping
        weakref.ref(scope)
        hash(scope)
    weight = keras.Variable(1.0)
    with keras.StatelessScope([(weight, ops.ones(()))]) as scope:
        assert keras_private._stateless_scope().state_mapping


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
    wanted = [key[4:] for key in registry.RULES if isinstance(key, str)]
    assert set(wanted) <= found


def test_schedule_of_an_optimizer_s_learning_rate():
    decay = keras.optimizers.schedules.CosineDecay(0.1, 10)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(decay))
    for optimizer in (keras.optimizers.Adam(decay), scaled):
        assert keras_private.learning_rate_schedule(optimizer) is decay
    assert keras_private.learning_rate_schedule(keras.optimizers.SGD(0.1)) is None


def test_what_keras_keeps_in_every_layer_is_not_a_layer_s_own():
    class Mine(layers.Layer):
        def __init__(self):
            super().__init__()
            self.gain = 2.0

        def call(self, x):
            return x * self.gain

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self._hidden, self.layer = 3, Mine()

        def call(self, x):
            return self.layer(x)

    model = Network()
    model.compile("sgd", "mse")
    model.fit(X, X, verbose=0)
    model.predict(X, verbose=0)
    assert set(keras_private.own_attributes(model.layer)) == {"gain"}
    assert set(keras_private.own_attributes(model)) >= {"_hidden"}
    assert set(keras_private.own_attributes(model)) <= {"_hidden", "layer"}


def test_jax_trainer_keeps_the_values_of_the_last_batch():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    expected = model.predict_on_batch(X)
    kept = getattr(model, "_jax_state", None)
    assert (kept is not None) is (keras.backend.backend() == "jax")
    keras_private.forget_state(model)
    assert getattr(model, "_jax_state", None) is None
    np.testing.assert_array_equal(model.predict_on_batch(X), expected)
