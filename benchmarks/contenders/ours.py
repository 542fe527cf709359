"""This package, on whichever backend Keras runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from benchmarks.cases import Case, network_of
from keras_ssp import LIF, BatchNormalization, DirectEncoding, RateReadout

Run = Callable[[], Any]


def build(case: Case, *, compiled: bool) -> dict[str, Run]:
    """See `benchmarks.contenders`."""
    del compiled  # Keras compiles things itself
    if case.part == "network":
        model = network(case)
        x, y = images(case, case.batch)
        return {
            "forward": lambda: model.predict_on_batch(x),
            "train": lambda: model.train_on_batch(x, y),
        }
    rng = np.random.default_rng(0)
    x = rng.normal(0.3, 1.0, (case.batch * case.steps, *case.shape)).astype("float32")
    lif = LIF(time_steps=case.steps, dtype=case.dtype)
    layers = [lif]
    if case.part == "linear":
        layers.insert(0, keras.layers.Dense(case.shape[0]))
    model = keras.Sequential([keras.Input(case.shape, dtype=case.dtype), *layers])
    upstream = rng.normal(size=x.shape).astype("float32")
    x, upstream = (keras.ops.cast(array, case.dtype) for array in (x, upstream))
    return {
        "tensorflow": _tensorflow,
        "jax": _jax,
        "torch": _torch,
    }[keras.backend.backend()](model, x, upstream)


def network(case: Case) -> keras.Model:
    """The network of a case, compiled."""
    image = keras.Input(case.shape)
    y = _layers(image, network_of(case.network, case.width), case)
    model = keras.Model(image, RateReadout()(y))
    compile_network(model)
    return model


def compile_network(model: keras.Model) -> None:
    """Compiles a network anew, as after a penalty was put on it."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)


def images(case: Case, count: int) -> tuple[Any, Any]:
    """Random images and labels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, *case.shape)).astype("float32")
    return x, rng.integers(0, 10, count)


def _layers(y: Any, layers: Any, case: Case) -> Any:
    for kind, *numbers in layers:
        y = _layer(y, kind, numbers, case)
    return y


def _layer(y: Any, kind: str, numbers: list[Any], case: Case) -> Any:
    if kind == "block":
        main, shortcut = numbers
        return keras.layers.Add()([_layers(y, main, case), _layers(y, shortcut, case)])
    made: Callable[[], Any] = {
        "conv": lambda: keras.layers.Conv2D(
            numbers[0], numbers[1], numbers[2], padding="same", use_bias=False
        ),
        "norm": lambda: BatchNormalization(momentum=0.9),
        "lif": LIF,
        "time": lambda: DirectEncoding(case.steps),
        "pool": lambda: keras.layers.AveragePooling2D(2),
        "global": keras.layers.GlobalAveragePooling2D,
        "flatten": keras.layers.Flatten,
        "dense": lambda: keras.layers.Dense(numbers[0]),
    }[kind]
    return made()(y)


def _tensorflow(model: Any, x: Any, upstream: Any) -> dict[str, Run]:
    import tensorflow as tf

    weights = model.trainable_weights

    @tf.function(autograph=False)
    def gradient(x: Any, upstream: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x)
        return y, tape.gradient(y, [x, *(w.value for w in weights)], upstream)

    forward = tf.function(lambda x: model(x), autograph=False)
    copy = tf.function(lambda x: -x, autograph=False, jit_compile=True)
    return {
        "forward": lambda: forward(x),
        "train": lambda: gradient(x, upstream),
        "copy": lambda: copy(x),
    }


def _jax(model: Any, x: Any, upstream: Any) -> dict[str, Run]:
    from benchmarks.contenders.jax_common import layer_runs

    weights = [w.value for w in model.trainable_variables]
    others = [w.value for w in model.non_trainable_variables]

    def call(weights: Any, x: Any) -> Any:
        return model.stateless_call(weights, others, x)[0]

    return layer_runs(call, weights, x, upstream)


def _torch(model: Any, x: Any, upstream: Any) -> dict[str, Run]:
    from benchmarks.contenders.torch_common import layer_runs

    return layer_runs(model, x, upstream, [w.value for w in model.trainable_variables])
