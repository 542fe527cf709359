"""On JAX nothing may need TensorFlow: a GPU machine may well lack it."""

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

from keras_ssp._config_file import read_config
from keras_ssp.studies.grid import Study

BLOCKED = """
    import sys

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("tensorflow", "tensorflow_datasets"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Blocked())
    from keras_ssp import cli
    sys.exit(cli.main(sys.argv[1:]))
"""
STUDY = """
    [train]
    train_samples = 64
    width = 0.25
    time_steps = 2
    epochs = 1
    batch_size = 32
    augment = "standard"

    [grid]
    penalties = ["synaptic", "converted"]
    seeds = [0]
    weights = [1.0]
    conversion_steps = [2]
"""


def test_whole_study_on_jax(tmp_path):
    pytest.importorskip("jax")
    study = tmp_path / "study.toml"
    study.write_text(textwrap.dedent(STUDY))
    arguments = ["compare", study, "--out", tmp_path / "out", "--verbose", "0"]
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BLOCKED), *map(str, arguments)],
        env={
            **os.environ,
            **{"KERAS_BACKEND": "jax", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        },
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert "| converted | T=2 | 1 |" in found.stdout


FULL_SIZE = pathlib.Path(__file__).parents[1] / "docs" / "results"


@pytest.mark.parametrize(
    "path", sorted(FULL_SIZE.rglob("*.toml")), ids=lambda path: path.stem
)
def test_study_files_of_the_docs_are_valid(path):
    study = Study.from_dict(read_config(path))
    assert len(study.weights) >= 5 and len(study.seeds) == 3
