"""Nothing is process-wide: threads measure, train and export beside each other."""

import os
import threading

import keras
import numpy as np
import pytest

from keras_ssp import SynapticPenalty, energy_report, penalize, penalty_values
from tests.helpers import images, small_snn

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports a TensorFlow graph"
)
# 200 in the full run (`make test-slow`).
ROUNDS = int(os.environ.get("KERAS_SSP_ROUNDS", "12"))
X, Y = images(8), np.ones((8, 5), "float32")


def network(seed, **lif):
    """A penalised network, its first weights kept to start again from."""
    keras.utils.set_random_seed(seed)
    model = penalize(small_snn(2, **lif), SynapticPenalty(1e-3, normalize=True))
    model.compile(keras.optimizers.SGD(1e-2), "mse")
    return model, model.get_weights()


def must_compile(graph):
    """How many functions of a TensorFlow graph only XLA can run."""
    return sum(
        "_XlaMustCompile" in function.attr and function.attr["_XlaMustCompile"].b
        for function in graph.as_graph_def().library.function
    )


def report(model, weights, folder):
    found = energy_report(model, X, batch_size=5)
    return [row.synops for row in found.layers]


def values(model, weights, folder):
    return list(penalty_values(model, X).values())


def call(model, weights, folder):
    outputs = np.asarray(model(X, training=False))
    return [*outputs.ravel(), *(float(loss) for loss in model.losses)]


def fit(model, weights, folder):
    model.set_weights(weights)
    loss = model.fit(X, Y, batch_size=4, shuffle=False, verbose=0).history["loss"]
    changed = sum(float(np.abs(w).sum()) for w in model.get_weights())
    model.set_weights(weights)
    return [*loss, changed]


def export(model, weights, folder):
    import tensorflow as tf

    model.export(folder, verbose=False)
    loaded = tf.saved_model.load(folder)
    compiled = must_compile(loaded.signatures["serving_default"].graph)
    return [compiled, *np.asarray(loaded.serve(X)).ravel()]


def traced(model, weights, folder):
    """A graph traced while others export has its loops compiled."""
    import tensorflow as tf

    traced = tf.function(lambda x: model(x, training=False))
    graph = traced.get_concrete_function(tf.TensorSpec(X.shape)).graph
    return [must_compile(graph)]


WORKERS = [report, report, values, call, call, fit, export, traced]


def test_eight_threads_find_what_one_finds(tmp_path):
    models = [network(k, beta=0.1 * (k + 1)) for k in range(len(WORKERS))]
    folders = [str(tmp_path / f"{k}") for k in range(len(WORKERS))]
    jobs = list(zip(WORKERS, models, folders, strict=True))
    expected = [work(*model, folder) for work, model, folder in jobs]
    assert expected[WORKERS.index(export)][0] == 0
    assert expected[WORKERS.index(traced)][0] > 0
    together = threading.Barrier(len(WORKERS))
    faults = []

    def run(k):
        work, model, folder = jobs[k]
        for turn in range(ROUNDS):
            together.wait()
            # The slow ones join every fourth round; the others go on meanwhile.
            if work in (export, traced) and turn % 4:
                continue
            try:
                np.testing.assert_allclose(
                    work(*model, folder), expected[k], rtol=1e-6, atol=1e-7
                )
            except Exception as error:
                faults.append(f"{work.__name__}, round {turn}: {error!r}")
                together.abort()
                return

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(WORKERS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults[0]
