"""Fingerprints: what a network is fed decides them, and nothing else does."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from keras_ssp import datasets
from keras_ssp.datasets import Augmentation, ImageData, Split

BYTES = arrays.arrays(
    "uint8",
    st.tuples(*[st.integers(1, 4)] * 3, st.just(1)),
    elements=st.integers(0, 255),
)
FLOATS = arrays.arrays("float32", (3, 2, 2, 1), elements=st.floats(-300, 300, width=32))


def data_of(x, y=None, **more):
    part = Split(x, np.arange(len(x)) % 2 if y is None else y)
    return ImageData("mine", 2, part, part, part, **more)


@settings(deadline=None)
@given(x=BYTES, dtype=st.sampled_from(["int16", "<i8", ">i4", "float64", ">f4"]))
def test_dtype_byte_order_and_layout_do_not_matter(x, dtype):
    y = np.arange(len(x))
    stored = Split(np.asfortranarray(x.astype(dtype)), y.astype(">i2"))
    assert stored.fingerprint == Split(x, y).fingerprint


@settings(deadline=None)
@given(x=FLOATS, index=st.integers(0, 11), step=st.sampled_from([-1.0, 0.5, 1.0]))
def test_one_changed_value_changes_it(x, index, step):
    other = x.copy()
    other.flat[index] += step
    assert Split(x, np.arange(3)).fingerprint != Split(other, np.arange(3)).fingerprint


@settings(deadline=None)
@given(x=BYTES)
def test_labels_order_and_shape_count(x):
    y = np.arange(len(x))
    first = Split(x, y).fingerprint
    assert Split(x, y + 1).fingerprint != first
    assert Split(x[..., 0], y).fingerprint != first
    if len(x) > 1:
        assert Split(x, y[::-1]).fingerprint != first


def test_large_parts_are_hashed_in_full():
    x = np.zeros((3000, 2, 2, 1), "uint8")
    first = Split(x, np.zeros(3000, int)).fingerprint
    for row in (0, 1023, 1024, 2999):
        other = x.copy()
        other[row, 1, 1] = 1
        assert Split(other, np.zeros(3000, int)).fingerprint != first


@pytest.mark.parametrize(
    "changes", [{"peak": 2.0}, {"mean": (0.5,)}, {"std": (0.5,)}, {"classes": 3}]
)
def test_normalisation_and_classes_count_and_the_name_does_not(changes):
    data = data_of(np.arange(16, dtype="uint8").reshape(4, 2, 2, 1))
    assert dataclasses.replace(data, **changes).fingerprint != data.fingerprint
    same = dataclasses.replace(data, name="other", augmentation=Augmentation(pad=1))
    assert same.fingerprint == data.fingerprint


def test_digits_have_the_same_one_every_time():
    data = datasets.load("digits")
    assert data.fingerprint == "4eb3666afbce047ccdb52def61b7f0e9"
    assert data.limited(100).fingerprint != data.fingerprint
    assert data.limited(100).describe()["test"] == data.describe()["test"]
