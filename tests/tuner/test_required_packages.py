"""A search needs no package that is not required: no TensorBoard, no scikit-learn."""

import importlib.metadata
import pathlib
import re
import subprocess
import sys
import textwrap

import keras
import pytest

from keras_ssp.tuner import read_search

ROOT = pathlib.Path(__file__).parents[2]
OPTIONAL = (
    *("tensorboard", "sklearn", "scipy", "matplotlib", "plotly", "optuna", "pandas"),
    *("yaml", "jax", "torch", "hypothesis", "kaleido", "sqlalchemy"),
)
CODE = """
    import pathlib, sys

    OPTIONAL = sys.argv[2].split()

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in OPTIONAL:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Blocked())
    folder = pathlib.Path(sys.argv[1])

    # The sampler, past its start, on a formula.
    from tests.tuner.helpers import oracle, run
    found = oracle(folder / "formula", sampler="ehvi", start=4, max_trials=9)
    assert len(run(found)) == 9 and found.failure is None, found.failure

    # Networks, by the program.
    import numpy as np
    from keras_ssp import datasets
    from keras_ssp.datasets import ImageData, Split

    def own(data_dir):
        rng = np.random.default_rng(0)
        images, labels = rng.integers(0, 256, (64, 8, 8, 1), "uint8"), np.arange(64) % 3
        part = Split(images, labels)
        return ImageData("own", 3, part, part, part, peak=255)

    datasets.register("own", own)
    from tuning.__main__ import main
    arguments = ["--trials", "3", "--out", str(folder / "search")]
    status = main(["search", str(folder / "own.toml"), *arguments])
    loaded = sorted({m.split(".")[0] for m in sys.modules} & set(OPTIONAL))
    assert not loaded, loaded
    sys.exit(status)
"""
SPACE = """
    [train]
    data = "own"
    width = 0.25
    time_steps = 2
    epochs = 1
    batch_size = 32

    [search]
    weight = { low = 0.01, high = 10.0, sampling = "log" }
"""


@pytest.mark.slow
def test_a_search_needs_the_required_packages_alone(tmp_path):
    (tmp_path / "own.toml").write_text(textwrap.dedent(SPACE))
    # The backend's own package is required by whoever chose it.
    optional = sorted({*OPTIONAL} - {keras.backend.backend()})
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CODE), tmp_path, " ".join(optional)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    results = read_search(tmp_path / "search")
    assert [t.status for t in results.trials] == ["completed"] * 3
    assert results.front and results.stopped == "3 trials"
    for name in ("trials.csv", "front.json", "trial_0/model.keras"):
        assert (tmp_path / "search" / name).is_file()
    assert not (tmp_path / "search" / "index.html").exists()
    assert "plotly" in found.stdout and "matplotlib" in found.stdout  # what is missing


def test_what_is_blocked_is_not_required():
    required = importlib.metadata.requires("keras-ssp")
    names = {re.split(r"[ <>=;\[]", r)[0] for r in required if "extra ==" not in r}
    distributions = {"sklearn": "scikit-learn", "yaml": "PyYAML"}
    assert not names & {distributions.get(name, name) for name in OPTIONAL}
