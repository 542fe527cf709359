"""Several replicas, in a process of its own, which splits the devices first."""

import subprocess
import sys

PROGRAM = """
import numpy as np, keras, tensorflow as tf
device = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(device, two)
from keras_ssp import SynapticPenalty, energy_report, penalize
from keras_ssp.callbacks import *
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = keras.Sequential([
        keras.Input((4,)), keras.layers.Dense(6), DirectEncoding(2), LIF(threshold=0.3),
        keras.layers.Dense(3), RateReadout()])
    penalize(model, SynapticPenalty(1e-2))
    model.compile("sgd", "mse")
x = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
y = np.zeros((9, 3))
# Batches of 4 over 2 replicas: the last one holds 1 row, so one replica gets none.
callbacks = [PenaltySchedule(0.02, epochs=2), EnergyMonitor(x), SilenceGuard(x)]
fit = model.fit(x, y, batch_size=4, epochs=2, callbacks=callbacks, verbose=0)
history = fit.history
assert np.all(np.isfinite(history["loss"])), history
assert history["penalty_weight"] == [0.01, 0.02], history
assert np.isfinite(model.evaluate(x, y, batch_size=4, verbose=0))
assert energy_report(model, x).synops > 0
assert abs(keras.models.clone_model(model).layers[2].penalty_weight_now - 0.02) < 1e-8
model.fit(x, y, batch_size=4, callbacks=[EnergyBudget("1 nJ", x)], verbose=0)
print("well")
"""


def test_two_replicas_one_of_them_empty():
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.stdout.strip().endswith("well"), run.stderr[-2000:]
