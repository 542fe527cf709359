"""A user's own data: arrays, .npz files, folders of images, tensorflow-datasets."""

import pathlib

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ssp import datasets
from keras_ssp.datasets import from_arrays, from_folder, from_npz, from_tfds

PARTS = ("train", "validation", "test")
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (50, 6, 5, 3))
Y = np.arange(50) % 2


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def every(data):
    return np.concatenate([getattr(data, p).x for p in PARTS])


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(50)), share=st.sampled_from([0.1, 0.2, 0.5]))
def test_contents_decide_what_is_held_out(order, share):
    first = from_arrays(X, Y, test=share)
    again = from_arrays(X[order], Y[order], test=share)
    assert first.fingerprint == again.fingerprint
    assert len(first.test) == round(share * 50)
    rows = {x.tobytes() for x in X.astype("uint8")}
    assert {x.tobytes() for x in every(first)} == rows


def test_normalisation_is_that_of_the_training_part():
    for x in (X, X / 255.0, X * 100.0 - 3):
        data = from_arrays(x, Y)
        fed = data.inputs("train").x
        np.testing.assert_allclose(fed.mean((0, 1, 2)), 0, atol=1e-5)
        np.testing.assert_allclose(fed.std((0, 1, 2)), 1, atol=1e-5)
    assert from_arrays(X, Y).train.x.dtype == np.uint8
    flat = from_arrays(np.ones((50, 4, 4)), Y)
    assert np.all(flat.inputs("test").x == 0) and flat.sample_shape == (4, 4, 1)


def test_parts_that_are_given_stay_what_they_are():
    data = from_arrays(X[:30], Y[:30], test=(X[30:], Y[30:]), validation=0.5)
    np.testing.assert_array_equal(data.test.x, X[30:])
    assert len(data.train) == len(data.validation) == 15
    data = from_arrays(X[:9], Y[:9], test=(X, Y), validation=(X[9:], Y[9:]))
    assert (len(data.train), len(data.validation), len(data.test)) == (9, 41, 50)


def test_labels_are_numbers_or_names():
    names = np.array(["dog", "cat"])[Y]
    data = from_arrays(X, names)
    assert data.labels == ("cat", "dog") and data.classes == 2
    assert set(np.unique(data.train.y)) == {0, 1}
    wide = from_arrays(X, Y + 300)  # more than a byte
    assert wide.classes == 302
    assert from_arrays(X, Y, labels=["a", "b", "never seen"]).classes == 3


def test_counts_of_events_stay_counts():
    x = RNG.poisson(0.3, (20, 3, 4, 4, 2))
    data = from_arrays(x, Y[:20])
    assert data.sample_shape == (3, 4, 4, 2)
    found = np.concatenate([data.inputs(p).x for p in PARTS])
    assert found.sum() == x.sum() and found.max() == x.max()


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        (X[:, 0, 0], Y, r"`x` of the train part must be images.*shape=\(50, 3\)"),
        (X.astype(str), Y, "`x` of the train part.*dtype=<U"),
        (np.where(X > 0, X, np.nan), Y, "must be finite"),
        (X[:, None] - 1.0, Y, "counts of events.*values from -1.0"),
        (X[:, None] / 2, Y, "counts of events"),
        (X, Y - 1, "`y` of the train part.*first value -1"),
        (X, Y / 2 + 0.25, "`y` of the train part"),
        (X, np.eye(2)[Y], r"`y` of the train part.*shape=\(50, 2\)"),
        (X, Y[:-1], "one length"),
        (X[:1], Y[:1], "enough samples"),
    ],
)
def test_what_is_no_data_is_refused(x, y, text):
    with pytest.raises(ValueError, match=text):
        from_arrays(x, y)


def test_parts_of_several_shapes_and_missing_labels_are_refused():
    with pytest.raises(ValueError, match="one shape in all parts"):
        from_arrays(X, Y, test=(X[:, :4], Y))
    with pytest.raises(ValueError, match="`labels` must name each of the 2 classes"):
        from_arrays(X, Y, labels=["a"])
    with pytest.raises(ValueError, match="`test` must be"):
        from_arrays(X, Y, test=0.9)


def test_npz_files_in_both_forms():
    np.savez("one.npz", x=X, y=Y)
    assert from_npz("one.npz").fingerprint == from_arrays(X, Y).fingerprint
    arrays = {"x_train": X[:30], "y_train": Y[:30], "x_test": X[30:], "y_test": Y[30:]}
    np.savez("two.npz", **arrays, labels=["cat", "dog"])
    data = datasets.load("two.npz")
    assert data.name == "two.npz" and data.labels == ("cat", "dog")
    assert (len(data.train), len(data.validation), len(data.test)) == (27, 3, 20)
    assert len(datasets.load("two.npz", validation=0.2).validation) == 6


def test_what_was_saved_is_read_back_the_same():
    data = datasets.load("digits")
    path = datasets.save_npz(data, "packed", train=200)
    again = datasets.load(str(path))
    for part in ("train", "validation", "test"):
        kept = data.limited(200).describe()[part]
        assert again.describe()[part] == kept
    assert again.labels == data.labels


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"a": X}, "must hold the arrays x_train.*Received: a"),
        ({"x": X}, "must hold the arrays.*Received: x"),
        ({"x": X, "y": Y, "weights": Y}, "Received also: weights"),
        ({"x": X, "y": Y, "x_test": X}, "must hold both of x_test and y_test"),
        ({"x": X, "y": Y - 5}, "is no data set: `y`"),
    ],
)
def test_npz_files_that_hold_something_else(arrays, text):
    np.savez("wrong.npz", **arrays)
    with pytest.raises(ValueError, match=text):
        from_npz("wrong.npz")


def test_missing_and_damaged_files_are_named():
    with pytest.raises(FileNotFoundError, match="'none.npz', which does not exist"):
        datasets.load("none.npz")
    pathlib.Path("torn.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(ValueError, match="torn.npz is no .npz file, or damaged"):
        datasets.load("torn.npz")
    for name in ("none.npz", "none/at/all", "tfds:none"):
        with pytest.raises(FileNotFoundError):
            datasets.require_local(name)
    with pytest.raises(ValueError, match="an .npz file, a folder of images, or tfds:"):
        datasets.load("fashon_mnist")
    with pytest.raises(ValueError, match="`source` must be left out"):
        datasets.load("none.npz", source="npz")


def write(place, image):
    path = pathlib.Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    keras.utils.save_img(path, image, scale=False)


def test_a_folder_for_each_class():
    for k in range(50):
        write(f"photos/{'cat' if Y[k] else 'dog'}/{k}.png", X[k].astype("uint8"))
    pathlib.Path("photos/.hidden").touch()
    pathlib.Path("photos/cat/.DS_Store").touch()
    data = datasets.load("photos")
    assert data.fingerprint == from_arrays(X, 1 - Y).fingerprint
    assert data.labels == ("cat", "dog") and data.name == "photos"


def test_folders_of_parts():
    for k in range(50):
        part = "train" if k < 30 else "test" if k < 40 else "val"
        write(f"photos/{part}/{Y[k]}/{k}.png", X[k].astype("uint8"))
    data = from_folder("photos")
    assert (len(data.train), len(data.validation), len(data.test)) == (30, 10, 10)
    held = {x.tobytes() for x in data.test.x}
    assert held == {x.tobytes() for x in X[30:40].astype("uint8")}
    write("photos/test/7/a.png", X[0].astype("uint8"))
    with pytest.raises(ValueError, match="only have classes that .*train has.*: 7"):
        from_folder("photos")


def test_images_of_several_sizes_and_colours():
    for k in range(20):
        write(f"photos/{Y[k]}/{k}.png", X[k, : 4 + k % 2].astype("uint8"))
    with pytest.raises(ValueError, match="of one size.*0.png.*save_npz.*from_folder"):
        from_folder("photos")
    assert from_folder("photos", image_size=3).sample_shape == (3, 3, 3)
    grey = np.full((4, 4, 1), 9, "uint8")
    for k in range(20):
        write(f"mixed/{Y[k]}/{k}.png", grey if k else np.repeat(grey, 3, -1))
    data = from_folder("mixed")
    assert data.sample_shape == (4, 4, 3) and np.all(data.train.x == 9)


def test_what_is_no_folder_of_images():
    with pytest.raises(FileNotFoundError, match="`folder` must be a folder"):
        from_folder("none")
    pathlib.Path("empty").mkdir()
    with pytest.raises(ValueError, match="a folder of images for each class"):
        datasets.load("empty")
    pathlib.Path("texts/a").mkdir(parents=True)
    pathlib.Path("texts/a/notes.txt").write_text("hello")
    with pytest.raises(ValueError, match="must hold images .*notes.txt"):
        datasets.load("texts")
    pathlib.Path("texts/a/notes.txt").rename("texts/a/notes.png")
    with pytest.raises(ValueError, match="notes.png is no image, or damaged"):
        datasets.load("texts")


def test_any_set_of_tensorflow_datasets():
    import tensorflow as tf
    import tensorflow_datasets as tfds

    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(6, 5, 3)),
            "label": tfds.features.ClassLabel(names=["dog", "cat"]),
        }
    )

    def part(stop, start=0):
        arrays = {"image": X[start:stop].astype("uint8"), "label": Y[start:stop]}
        return tf.data.Dataset.from_tensor_slices(arrays)

    tfds.dataset_builders.store_as_tfds_dataset(
        name="mine",
        version="1.0.0",
        features=features,
        split_datasets={"train": part(40), "test": part(50, 40)},
        data_dir="tfds",
        disable_shuffling=True,
    )
    datasets.require_local("tfds:mine", "tfds")
    data = datasets.load("tfds:mine", data_dir="tfds")
    same = from_arrays(X[:40], Y[:40], test=(X[40:], Y[40:]), labels=["dog", "cat"])
    assert data.fingerprint == same.fingerprint
    assert data.labels == ("dog", "cat") and data.name == "tfds:mine"
    assert from_tfds("mine", data_dir="tfds", image_size=4).sample_shape == (4, 4, 3)
    with pytest.raises(OSError, match="tensorflow-datasets has no 'none_such'"):
        from_tfds("none_such", data_dir="tfds")
