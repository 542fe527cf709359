"""Data sets: the same split from every source, and errors that say what to do."""

import os
import pathlib

import numpy as np
import pytest

from keras_ssp import datasets
from keras_ssp.datasets import ImageData, Split, images

REAL = os.environ.get("TFDS_DATA_DIR")
needs_data = pytest.mark.skipif(
    not (REAL and (pathlib.Path(REAL) / "fashion_mnist").is_dir()),
    reason="TFDS_DATA_DIR does not point at fashion_mnist",
)


def test_digits_are_split_the_same_every_time():
    a, b = datasets.load("digits"), datasets.load("digits")
    assert [len(p) for p in (a.train, a.validation, a.test)] == [1132, 126, 539]
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(a, part).x, getattr(b, part).x)
    every = np.concatenate([p.x.reshape(len(p), -1) for p in (a.train, a.test)])
    assert a.train.x.dtype == np.uint8 and every.max() == a.peak == 16
    assert set(a.test.y) == set(range(10))


def test_validation_part_grows_and_the_test_part_stays():
    small, large = (datasets.load("digits", validation=v) for v in (0.1, 0.3))
    np.testing.assert_array_equal(small.test.x, large.test.x)
    assert len(large.validation) == round(0.3 * 1258)
    # No image changes sides: the larger part begins with the smaller one.
    np.testing.assert_array_equal(small.validation.x, large.validation.x[:126])


def test_order_of_the_source_does_not_matter():
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 255, (50, 4, 4, 1), dtype="uint8"), np.arange(50) % 7)
    shuffled = rng.permutation(50)
    again = images.canonical(Split(split.x[shuffled], split.y[shuffled]))
    first = images.canonical(split)
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.y, again.y)
    assert not np.array_equal(first.x, split.x)


def test_normalised_training_images_have_mean_0_and_deviation_1():
    data = datasets.load("digits")
    x = data.normalized(np.concatenate([data.train.x, data.validation.x, data.test.x]))
    assert x.dtype == np.float32
    assert x.mean() == pytest.approx(0, abs=2e-3)
    assert x.std() == pytest.approx(1, abs=2e-3)


def test_normalisation_is_per_channel():
    part = Split(np.full((1, 1, 1, 3), 255, "uint8"), np.zeros(1, int))
    data = ImageData("rgb", 1, part, part, part, 255.0, (0.5, 0.0, 1.0), (0.5, 2.0, 4))
    np.testing.assert_allclose(data.normalized(part.x).ravel(), [1.0, 0.5, 0.0])


def test_event_data_keeps_its_counts():
    events = np.arange(2 * 3 * 2 * 2 * 2, dtype="uint8").reshape(2, 3, 2, 2, 2)
    part = Split(events, np.array([0, 1]))
    data = ImageData("events", 2, part, part, part)
    np.testing.assert_array_equal(data.normalized(events), events.astype("float32"))


def test_limited_leaves_the_test_part_whole():
    data = datasets.load("digits").limited(566)  # half
    assert [len(p) for p in (data.train, data.validation, data.test)] == [566, 63, 539]
    assert len(data.limited(10_000).train) == 566


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "svhn"}, "`name` must be one of 'digits', 'mnist'.*'svhn'"),
        ({"name": "digits", "source": "web"}, "`source` must be one of.*'web'"),
        ({"name": "digits", "validation": 0.9}, r"`validation` must be.*0.01, 0.5"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.load(**arguments)


def test_parts_of_unequal_length():
    with pytest.raises(ValueError, match=r"one length.*len\(x\)=2, len\(y\)=3"):
        Split(np.zeros((2, 1)), np.zeros(3))


def test_missing_file_says_what_to_place_where(tmp_path):
    with pytest.raises(OSError, match="cifar100") as error:
        datasets.load("cifar100", source="npz", data_dir=str(tmp_path))
    text = str(error.value)
    assert "dataset_info.json" in text and "TFDS_DATA_DIR" in text
    assert "cifar100.npz" in text and str(tmp_path) in text


@pytest.mark.parametrize("name", sorted(set(datasets.names()) - {"digits"}))
def test_tensorflow_datasets_can_start_a_download(name, tmp_path):
    # Where it lists what it would download it needs packages that it does not name
    # among its requirements, and reading a prepared data set does not.
    tfds = pytest.importorskip("tensorflow_datasets")
    assert tfds.builder(name, data_dir=tmp_path).url_infos


@needs_data
def test_every_source_gives_the_same_arrays(tmp_path):
    tfds = datasets.load("fashion_mnist", source="tfds")
    assert [len(p) for p in (tfds.train, tfds.validation, tfds.test)] == [
        54_000,
        6_000,
        10_000,
    ]
    datasets.save_npz("fashion_mnist", tmp_path, source="tfds")
    npz = datasets.load("fashion_mnist", source="npz", data_dir=str(tmp_path))
    sources = [npz]
    if "KERAS_HOME" in os.environ:
        sources.append(datasets.load("fashion_mnist", source="keras"))
    for other in sources:
        for part in ("train", "validation", "test"):
            a, b = getattr(tfds, part), getattr(other, part)
            np.testing.assert_array_equal(a.x, b.x)
            np.testing.assert_array_equal(a.y, b.y)


@needs_data
def test_packed_file_can_hold_fewer_images(tmp_path):
    path = datasets.save_npz("fashion_mnist", tmp_path, train=500)
    data = datasets.load("fashion_mnist", data_dir=str(tmp_path))
    assert len(data.train) + len(data.validation) == 500 and len(data.test) == 10_000
    assert path.stat().st_size < 10e6
