"""Names of one's own from the command line: `--import`, in a process of its own."""

import json
import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

ROOT = pathlib.Path(__file__).parents[2]
MODULE = '''
    """Registers one of everything."""
    import keras
    import numpy as np

    from keras_ssp import SpikePenalty, datasets, energy, layers, models, penalties
    from keras_ssp import surrogates, training
    from keras_ssp.datasets import Augmentation, ImageData, Split

    @layers.register_neuron("my_neuron")
    class MyNeuron(layers.LIF):
        def __init__(self, beta=0.5, *, boost=1.0, **kwargs):
            super().__init__(beta, **kwargs)
            self.boost = boost

        def call(self, inputs):
            return super().call(self.boost * inputs)

        def get_config(self):
            return {**super().get_config(), "boost": self.boost}

    @penalties.register("my_penalty")
    class MyPenalty(SpikePenalty):
        def __init__(self, weight):
            super().__init__(weight)

        def taps(self, site):
            return site.taps

        def get_config(self):
            return {"weight": self.weight}

    @surrogates.register("my_surrogate")
    class MySurrogate(surrogates.Surrogate):
        def derivative(self, x):
            return 0.5 * keras.ops.ones_like(x)

    energy.register_energy_model(
        energy.EnergyModel(name="my_energy", ac_pj=1.0, mac_pj=2.0, source="none")
    )
    training.register_optimizer("my_optimizer", keras.optimizers.Adam)

    @models.register("my_network")
    def my_network(
        input_shape, classes, *, width, time_steps, activation, pooling, **neuron
    ):
        return keras.Sequential([
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(round(16 * width)),
            layers.DirectEncoding(time_steps),
            layers.get_neuron(activation)(**neuron),
            keras.layers.Dense(classes),
            layers.RateReadout(),
        ])

    @datasets.register("my_data")
    def my_data(data_dir):
        rng = np.random.default_rng(0)
        y = np.arange(96) % 2
        x = rng.integers(0, 100, (96, 4, 4, 1), "uint8") + 100 * y[:, None, None, None]
        part = Split(x.astype("uint8"), y)
        return ImageData(
            "my_data", 2, part, part, part, 255.0, augmentation=Augmentation(pad=1)
        )
'''
TRAIN = {
    "data": "my_data",
    "augment": "standard",
    "model": "my_network",
    "time_steps": 2,
    "epochs": 1,
    "batch_size": 32,
    "activation": "my_neuron",
    "surrogate": "my_surrogate",
    "energy_model": "my_energy",
    "optimizer": "my_optimizer",
}
STUDY = """
    [grid]
    penalties = ["none", "my_penalty"]
    weights = [0.001]
    seeds = [0]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_module.py").write_text(textwrap.dedent(MODULE))
    return folder


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "keras_ssp_start", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_train_and_report(folder):
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in TRAIN.items()]
    flags += ["--penalty", "my_penalty", "--weight", "1e-3", "--neuron", "boost=2.0"]
    found = run(folder, "train", "--import", "my_module", *flags, "--verbose", "0")
    assert found.returncode == 0, found.stderr
    (saved,) = (folder / "runs").iterdir()
    assert saved.name.startswith("my_data_my_network_my_neuron_my_penalty_0.001_")
    config = json.loads((saved / "config.json").read_text())
    assert config["neuron"] == {"boost": 2.0} and config["data"] == "my_data"

    as_json = ["report", saved, "--format", "json"]
    found = run(folder, *as_json)
    assert found.returncode == 2 and "--import" in found.stderr
    found = run(folder, *as_json, "--import", "my_module")
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    assert report["samples"] == 96
    assert report["layers"][-1]["kind"] == "my_neuron"


def test_help_lists_what_was_registered(folder):
    found = run(folder, "train", "--import=my_module", "--help")
    assert found.returncode == 0
    for name in ("my_neuron", "my_penalty", "my_surrogate", "my_network", "my_data"):
        assert name in found.stdout
    found = run(folder, "train", "--import", "no_module")
    assert found.returncode == 2
    assert found.stderr.endswith("error: No module named 'no_module'\n")


def test_compare_side_by_side(folder):
    lines = "\n".join(f"{k} = {json.dumps(v)}" for k, v in TRAIN.items())
    study = folder / "study.toml"
    study.write_text(f"[train]\n{lines}\n{textwrap.dedent(STUDY)}")
    flags = ["--out", "out", "--jobs", "2", "--verbose", "0", "--import", "my_module"]
    found = run(folder, "compare", study, *flags)
    assert found.returncode == 0, found.stderr
    rows = (folder / "out" / "results.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in rows] == ["series", "none", "my_penalty"]
