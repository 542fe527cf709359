"""A penalised network in every way that Keras can run it."""

import json
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

from keras_ssp import SynapticPenalty, energy_report, penalize
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from tests.helpers import images, small_snn

X, Y = images(22), np.ones((22, 5), "float32")


@pytest.mark.every_backend
@pytest.mark.parametrize(
    ("policy", "jit_compile"),
    [
        *(("float32", False), ("float32", True), ("float32", "auto")),
        *(("mixed_float16", True), ("mixed_bfloat16", False)),
    ],
)
def test_policies_and_compilation(policy, jit_compile):
    backend = keras.backend.backend()
    if backend == "torch" and jit_compile is True:
        pytest.skip("torch.compile needs a C++ compiler at run time")
    keras.config.set_dtype_policy(policy)
    try:
        model = penalize(small_snn(), SynapticPenalty(1e-2, normalize=True))
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile("adam", "mse", jit_compile=jit_compile)
    history = model.fit(X, Y, batch_size=8, epochs=2, verbose=0).history
    assert np.all(np.isfinite(history["loss"]))
    report = energy_report(model, X, batch_size=8)
    assert report.synops == pytest.approx(energy_report(model, X).synops, rel=1e-6)
    assert report.samples == 22


@pytest.mark.every_backend
def test_steps_per_execution_trains_alike():
    if keras.backend.backend() == "torch":
        pytest.skip("Keras has no steps_per_execution on torch")
    weights = []
    for steps in (1, 2):
        keras.utils.set_random_seed(0)
        model = penalize(small_snn(), SynapticPenalty(1e-2, normalize=True))
        model.compile("sgd", "mse", steps_per_execution=steps)
        model.fit(X[:16], Y[:16], batch_size=4, epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_functional_model_compiles_as_a_whole_for_every_layer():
    x = keras.Input((8, 8, 2))
    y = DirectEncoding(17)(x)  # more steps than are unrolled
    y = LIF(learn_beta=True)(y)
    model = keras.Model(x, RateReadout()(keras.layers.Flatten()(y)))
    model.compile("adam", "mse", jit_compile=True)
    loss = model.fit(X, np.ones((22, 128)), epochs=1, verbose=0).history["loss"]
    assert np.isfinite(loss[0])


MIRRORED = """
    import json
    import numpy as np, keras, tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    config = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [config, config])
    from keras_ssp import SynapticPenalty, penalize
    from tests.helpers import images, small_snn

    def train(strategy):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            model = penalize(small_snn(), SynapticPenalty(1e-1, normalize=True))
            model.compile(keras.optimizers.SGD(1e-2), "mse")
        x, y = images(16), np.ones((16, 5), "float32")
        loss = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        return loss.history["loss"], model.get_weights()

    one = train(tf.distribute.get_strategy())
    two = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    worst = max(float(np.abs(a - b).max()) for a, b in zip(one[1], two[1]))
    print(json.dumps({"one": one[0], "two": two[0], "worst": worst}))
"""


def test_two_devices_train_like_one():
    # A process of its own: devices are set up before TensorFlow starts.
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MIRRORED)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["one"] == pytest.approx(found["two"], rel=1e-5)
    assert found["worst"] < 1e-6


def test_exported_graph_answers_like_predict(tmp_path):
    model = penalize(small_snn(), SynapticPenalty(1e-3))
    model.export(tmp_path / "export", verbose=False)
    layer = keras.layers.TFSMLayer(str(tmp_path / "export"), call_endpoint="serve")
    for n in (1, 5):
        served = np.asarray(layer(X[:n]))
        np.testing.assert_allclose(served, model.predict(X[:n], verbose=0), atol=1e-6)
