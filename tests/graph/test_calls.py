"""The outermost call under way, and forgetting what was compiled."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssp import SynapticPenalty, graph, penalize
from keras_ssp.graph.keras_private import losses_context, outermost_call
from keras_ssp.layers import LIF
from tests.graph.reading import X, Y

pytestmark = pytest.mark.every_backend
JAX = keras.backend.backend() == "jax"


class Spy(layers.Layer):
    """Notes what the graph module says while it runs."""

    def __init__(self, note, **kwargs):
        super().__init__(**kwargs)
        self.note = note

    def call(self, x):
        index = graph.call_state().count(self)
        self.note((outermost_call(), index + 1))
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
    # The JAX trainer runs a model's `call` without its `__call__`: what is nested in
    # the model must not be taken for the whole there either.
    assert set(outermost) == {model}
    assert outermost_call() is None


def test_without_a_call_under_way_nothing_is_kept():
    assert outermost_call() is None
    layer = layers.Dense(1)
    assert graph.call_state().count(layer) == 0
    assert graph.call_state().count(layer) == 0


def test_a_failed_call_leaves_no_context():
    class Fails(layers.Layer):
        def call(self, x):
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        Fails()(X)
    assert outermost_call() is None
    assert graph.call_state() is not graph.call_state()


@pytest.mark.parametrize("mode", ["eager", "evaluate"])
def test_losses_are_cleared_just_where_the_context_changes(mode):
    seen = []

    class Adds(layers.Layer):
        def call(self, x):
            seen.append(losses_context())
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
