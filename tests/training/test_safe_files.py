"""Files are read as data: nothing in them is run."""

import numpy as np
import pytest

from keras_ssp import datasets
from keras_ssp._config_file import read_config
from keras_ssp.datasets import ImageData, Split


def test_a_python_tag_in_yaml_is_refused(tmp_path):
    pytest.importorskip("yaml")
    path, made = tmp_path / "run.yaml", tmp_path / "made"
    path.write_text(f"data: !!python/object/apply:os.mkdir ['{made}']\n")
    with pytest.raises(ValueError, match="`config` does not parse"):
        read_config(path)
    assert not made.exists()


def test_an_array_of_objects_in_a_data_set_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("made").mkdir, ())

    x = np.zeros((4, 4, 4, 1), "uint8")
    y = np.array([Evil()] * 4, dtype=object)
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(ValueError, match="mnist.npz is no data set, or damaged"):
        datasets.load("mnist", data_dir=str(tmp_path))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.full((4, 4, 4), 0.5, "float32"), range(4), "whole numbers from 0 to 255"),
        (np.full((4, 4, 4), np.nan), range(4), "whole numbers from 0 to 255"),
        (np.full((4, 4, 4), -5), range(4), "whole numbers from 0 to 255"),
        (np.full((4, 4, 4), 300), range(4), "whole numbers from 0 to 255"),
        (np.zeros((4, 4)), range(4), "images must be of shape"),
        (np.zeros((4, 4, 4)), [0.7, 1, 2, 3], "labels must be one whole number"),
        (np.zeros((4, 4, 4)), [-1, 1, 2, 3], "labels must be one whole number"),
        (np.zeros((4, 4, 4)), range(3), "labels must be one whole number"),
        (np.zeros((4, 4, 4)), list("abcd"), "labels must be one whole number"),
    ],
)
def test_images_and_labels_are_not_cast_in_silence(tmp_path, x, y, message):
    y = np.asarray(list(y))
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(ValueError, match=message):
        datasets.load("mnist", data_dir=str(tmp_path))


def test_whole_numbers_of_any_type_are_taken(tmp_path):
    x = np.arange(160).reshape(10, 4, 4).astype("float64")
    y = np.arange(10).reshape(10, 1).astype("int64")
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    found = datasets.load("mnist", data_dir=str(tmp_path))
    assert found.test.x.dtype == "uint8"
    pixels = sorted(found.test.x[..., 0].reshape(10, 16).tolist())
    assert pixels == x.reshape(10, 16).tolist()


def test_the_fingerprint_and_the_split_of_data_are_pinned():
    """Another order or digest would be another data set to every run there is."""
    rng = np.random.default_rng(0)
    part = Split(rng.integers(0, 17, (64, 8, 8, 1)).astype("uint8"), np.arange(64) % 10)
    data = ImageData("mine", 10, part, part, part)
    digits = datasets.load("digits")
    assert (data.fingerprint, digits.fingerprint) == PINNED[:2]
    assert digits.validation.y[:12].tolist() == PINNED[2]


PINNED = (
    "6060d6109212e3b1243a6788e3d6246a",
    "4eb3666afbce047ccdb52def61b7f0e9",
    [6, 9, 4, 6, 9, 0, 4, 5, 9, 3, 6, 4],
)
