"""EnergyMonitor in real training runs."""

import csv

import keras
import numpy as np
import pytest

from keras_ssp import SynapticPenalty, energy_report, penalize
from keras_ssp.callbacks import EnergyMonitor
from tests.helpers import images, small_snn

pytestmark = pytest.mark.every_backend
X, Y = images(16), np.ones((16, 5), "float32")


def compiled():
    model = penalize(small_snn(), SynapticPenalty(1e-3))
    model.compile("sgd", "mse")
    return model


def test_monitor_writes_history_progress_bar_and_later_callbacks(tmp_path, capsys):
    model = compiled()
    log = tmp_path / "log.csv"
    callbacks = [EnergyMonitor(X[:6]), keras.callbacks.CSVLogger(str(log))]
    history = model.fit(X, Y, epochs=2, callbacks=callbacks, verbose=2).history
    report = energy_report(model, X[:6])
    assert history["val_synops"][-1] == pytest.approx(report.synops)
    assert history["val_energy_pj"][-1] == pytest.approx(report.energy_pj)
    assert history["val_spike_rate"][-1] == pytest.approx(report.rate)
    assert "val_synops" in capsys.readouterr().out
    with open(log) as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["val_energy_pj"]) == pytest.approx(report.energy_pj)


def test_monitor_every_other_epoch():
    model = compiled()
    monitor = EnergyMonitor(X[:6], every=2, prefix="test_")
    history = model.fit(X, Y, epochs=3, callbacks=[monitor], verbose=0).history
    values = history["test_synops"]
    assert len(values) == 3
    assert values[2] == values[1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EnergyMonitor(X, every=0), "`every` must be a positive integer"),
        (lambda: EnergyMonitor(X, energy_model="tpu"), "tpu"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
