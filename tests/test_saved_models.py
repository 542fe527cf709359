"""A model saved before the modules moved into packages loads and is the same network.

`data/flat_modules.keras` was saved at revision 1071bf0, when `LIF` lived in
`keras_ssp.layers.lif`, penalties in `keras_ssp.penalties`, and so on;
`data/flat_modules.npz` holds what that revision computed with it.
"""

import json
import pathlib
import zipfile

import keras
import numpy as np
import pytest

from keras_ssp import energy_report, penalty_values

DATA = pathlib.Path(__file__).parent / "data"
SAVED = DATA / "flat_modules.keras"

pytestmark = pytest.mark.every_backend


def test_model_saved_before_the_move_gives_the_same_numbers():
    model = keras.saving.load_model(SAVED)
    with np.load(DATA / "flat_modules.npz") as before:
        x = [before["frames"], before["scalars"]]
        outputs = model.predict(x, verbose=0)
        np.testing.assert_allclose(outputs, before["outputs"], atol=1e-6)
        model.compile("sgd", "mse")
        loss = model.evaluate(x, np.zeros_like(outputs), verbose=0)
        assert loss == pytest.approx(float(before["loss"]), rel=1e-6)
        synops = [row.synops for row in energy_report(model, x).layers]
        np.testing.assert_allclose(synops, before["synops"], rtol=1e-6)
        omega = list(penalty_values(model, x).values())
        np.testing.assert_allclose(omega, before["omega"], rtol=1e-6)


def test_registered_names_decide_not_modules(tmp_path):
    """With every module path in the file replaced by nonsense it still loads."""
    moved = tmp_path / "moved.keras"
    with zipfile.ZipFile(SAVED) as old, zipfile.ZipFile(moved, "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            if entry == "config.json":
                config = json.loads(content)
                assert _rename_modules(config) >= 8
                content = json.dumps(config).encode()
            new.writestr(entry, content)
    model = keras.saving.load_model(moved)
    with np.load(DATA / "flat_modules.npz") as before:
        outputs = model.predict([before["frames"], before["scalars"]], verbose=0)
        np.testing.assert_allclose(outputs, before["outputs"], atol=1e-6)


def _rename_modules(config):
    """Replaces this package's modules in place; returns how many there were."""
    found = 0
    if isinstance(config, dict):
        if str(config.get("registered_name")).startswith("keras_ssp>"):
            config["module"] = "moved.away"
            found = 1
        config = list(config.values())
    if isinstance(config, list):
        found += sum(map(_rename_modules, config))
    return found
