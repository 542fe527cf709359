"""Two devices find what one finds: losses, energies, penalties.

Each backend in a process of its own, which splits the CPU into devices first.
"""

import json
import os
import subprocess
import sys

import pytest

TRAIN = """
import json
import keras
import numpy as np
from keras_ssp import SynapticPenalty, energy_report, penalize, penalty_values
from keras_ssp.callbacks import EnergyMonitor
from tests.helpers import images, small_snn

x, y = images(16), np.ones((16, 5), "float32")

def found(scope):
    keras.utils.set_random_seed(0)
    with scope():
        model = penalize(small_snn(), SynapticPenalty(1e-1, normalize=True))
        model.compile(keras.optimizers.SGD(1e-2), "mse")
        monitor = EnergyMonitor(x[:14], batch_size=4)
        history = model.fit(
            x, y, batch_size=8, epochs=2, shuffle=False, verbose=0,
            validation_data=(x, y), validation_batch_size=8, callbacks=[monitor],
        ).history
        numbers = dict(history)
        numbers["evaluate"] = model.evaluate(x, y, batch_size=8, verbose=0)
        numbers["inside"] = described(model)
    numbers["outside"] = described(model)
    return numbers

def described(model):
    # The last batch of 2 leaves some of the devices without a whole share.
    report = energy_report(model, x[:14], batch_size=4)
    assert report.samples == 14
    rates = [row.rate for row in report if row.spiking]
    return [report.energy_pj, *rates, *penalty_values(model, x).values()]

"""

MIRRORED = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
print(json.dumps([found(tf.distribute.get_strategy().scope), found(strategy.scope)]))
"""

DATA_PARALLEL = """
import contextlib
assert len(keras.distribution.list_devices()) == 2
alone = found(contextlib.nullcontext)
data_parallel = keras.distribution.DataParallel()
assert data_parallel.device_mesh.shape == (2,)
print(json.dumps([alone, found(data_parallel.scope)]))
"""


@pytest.mark.parametrize(
    ("backend", "program"),
    [
        # tests/penalties/test_training_modes.py trains under this strategy too.
        pytest.param("tensorflow", MIRRORED, marks=pytest.mark.slow),
        ("jax", DATA_PARALLEL),
    ],
)
def test_two_devices_find_what_one_finds(backend, program):
    pytest.importorskip(backend)
    flags = "--xla_force_host_platform_device_count=2"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRAIN + program],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": flags},
    )
    assert run.returncode == 0, run.stderr[-2000:]
    one, two = json.loads(run.stdout.splitlines()[-1])
    assert one.keys() == two.keys()
    assert min(one["val_energy_pj"] + one["loss"]) > 0
    for name in one:
        assert two[name] == pytest.approx(one[name], rel=1e-5), name
    assert two["inside"] == two["outside"]
