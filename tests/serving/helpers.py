"""Exported networks, and a server that runs, for the tests of serving."""

import contextlib
import functools
import pathlib
import tempfile
import threading
import time

import keras
import numpy as np

import keras_ssp
from keras_ssp import SynapticPenalty, penalize
from keras_ssp.layers import LIF, EventFrames, RateReadout
from tests.helpers import images, small_snn

LABELS = ("a", "b", "c", "d", "e")


def network(time_steps=4, *, seed=0, **arguments):
    """A penalised network, and inputs that make it spike."""
    keras.utils.set_random_seed(seed)
    model = small_snn(time_steps, **arguments)
    return penalize(model, SynapticPenalty(1e-3)), images(20, seed=seed)


def event_network():
    """A network of recorded events, and some of those."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((3, 4, 4, 2)),
            EventFrames(name="events"),
            keras.layers.Flatten(),
            LIF(threshold=0.5, name="lif"),
            keras.layers.Dense(2),
            RateReadout(),
        ],
        name="events",
    )
    x = np.random.default_rng(0).poisson(0.4, (8, 3, 4, 4, 2)).astype("float32")
    return model, x


@functools.cache
def exported():
    """The folder of one exported version, written once in a test process."""
    folder = pathlib.Path(tempfile.mkdtemp()) / "small" / "1"
    model, x = network()
    return keras_ssp.export(model, folder, data=(x, np.arange(20) % 5), labels=LABELS)


def load(path):
    """An exported model as TensorFlow has it; keep it as long as its functions run."""
    import tensorflow as tf

    return tf.saved_model.load(str(path))


@contextlib.contextmanager
def running(root, **options):
    """The address of a server in a thread of this process; real HTTP."""
    from keras_ssp.serving.http.server import make_server

    server = make_server(root, port=0, **options)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline
        time.sleep(0.01)
    (sockets,) = [each.sockets for each in server.servers]
    try:
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(40)
        assert not thread.is_alive()


def until(found, seconds=20.0):
    """Waits until a function returns something true, and returns it."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return value
