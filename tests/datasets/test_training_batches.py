"""Training batches: what they hold, on both paths, and that a resume repeats them."""

import itertools

import keras
import numpy as np
import pytest

from keras_ssp import datasets
from keras_ssp.datasets import Augmentation, ImageData, Split, TrainingBatches
from keras_ssp.datasets.augmentation import augmentation, augmented

pytestmark = pytest.mark.every_backend


def numbered(n=12, size=6):
    """Images that can be told apart, even when they are shifted or mirrored."""
    x = np.zeros((n, size, size, 1), "uint8")
    x[:, 2, 3, 0] = np.arange(1, n + 1)
    return ImageData(
        "numbered", n, *[Split(x, np.arange(n))] * 3, peak=1.0, mean=(0.0,), std=(1.0,)
    )


def take(data, count, **arguments):
    batches = TrainingBatches(data=data, **arguments).stream()
    return [
        tuple(keras.ops.convert_to_numpy(part) for part in batch)
        for batch in itertools.islice(batches, count)
    ]


def test_one_epoch_holds_every_sample_once_with_its_label():
    batches = take(numbered(), 3, batch_size=4)
    x, y = (np.concatenate(part) for part in zip(*batches, strict=True))
    assert sorted(x[:, 2, 3, 0]) == list(range(1, 13))
    np.testing.assert_array_equal(np.argmax(y, axis=1) + 1, x[:, 2, 3, 0])
    np.testing.assert_array_equal(y.sum(axis=1), 1)


def test_samples_are_shuffled_again_each_epoch():
    batches = take(numbered(), 6, batch_size=4)
    orders = [
        np.concatenate([x[:, 2, 3, 0] for x, _ in part])
        for part in (batches[:3], batches[3:])
    ]
    assert not np.array_equal(*orders)
    assert sorted(orders[0]) == sorted(orders[1])


def test_incomplete_batches_are_left_out():
    data = numbered(n=10)
    assert TrainingBatches(data=data, batch_size=4).steps_per_epoch == 2
    batches = take(data, 3, batch_size=4)
    assert {len(x) for x, _ in batches} == {4}


@pytest.mark.parametrize("change", [Augmentation(), Augmentation(pad=2, flip=True)])
def test_resumed_batches_are_those_of_the_unbroken_run(change):
    arguments = {"batch_size": 4, "seed": 7, "augmentation": change}
    whole = take(numbered(), 9, **arguments)
    resumed = take(numbered(), 6, first_epoch=1, **arguments)
    for (x, y), (x2, y2) in zip(whole[3:], resumed, strict=True):
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y, y2)
    other = take(numbered(), 3, **{**arguments, "seed": 8})
    pairs = zip(whole[:3], other, strict=True)
    assert any(not np.array_equal(a[0], b[0]) for a, b in pairs)


def test_batches_are_normalised_like_the_evaluation_data():
    data = datasets.load("digits")
    (x, y), *_ = take(data, 1, batch_size=32)
    known = {row.tobytes() for row in data.normalized(data.train.x).round(4)}
    assert x.dtype == np.float32
    assert all(row.round(4).tobytes() in known for row in x)


@pytest.mark.parametrize("mean", [(0.5,), (0.2, 0.4, 0.6)])
def test_each_channel_is_normalised_by_its_own_numbers(mean):
    x = np.random.default_rng(0).integers(0, 256, (8, 5, 4, 3), dtype="uint8")
    parts = [Split(x, np.arange(8))] * 3
    data = ImageData("colours", 8, *parts, peak=255.0, mean=mean, std=mean)
    ((found, y),) = take(data, 1, batch_size=8)
    expected = ((x / 255 - mean) / mean)[y.argmax(axis=1)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pad", [0, 2])
def test_mirror_images_are_whole(pad):
    x = np.random.default_rng(1).integers(1, 256, (64, 5, 4, 3), dtype="uint8")
    data = ImageData("colours", 64, *[Split(x, np.arange(64))] * 3)
    change = Augmentation(pad=pad, flip=True)
    ((found, y),) = take(data, 1, batch_size=64, augmentation=change)
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    mirrored = 0
    for image, k in zip(found, y.argmax(axis=1), strict=True):
        windows = [
            padded[k, top : top + 5, left : left + 4]
            for top in range(2 * pad + 1)
            for left in range(2 * pad + 1)
        ]
        straight = any(np.array_equal(image, w) for w in windows)
        mirror = any(np.array_equal(image, w[:, ::-1]) for w in windows)
        assert straight or mirror
        mirrored += mirror and not straight
    assert 16 < mirrored < 48


def test_crops_move_images_by_at_most_the_padding_and_flips_mirror_half_of_them():
    data = numbered()
    change = Augmentation(pad=2, flip=True)
    batches = take(data, 300, batch_size=12, augmentation=change)
    x = np.concatenate([x for x, _ in batches])
    seen = x[..., 0].reshape(len(x), -1)
    assert (np.count_nonzero(seen, axis=1) == 1).all()  # moved, never cut off
    rows, columns = np.divmod(seen.argmax(axis=1), 6)
    # Row 2 moves within 0..4. Column 3 becomes 2 in the mirror: 1..5 or 0..4.
    assert set(rows) == {0, 1, 2, 3, 4}
    assert set(columns) == {0, 1, 2, 3, 4, 5}
    share = [np.mean(columns == k) for k in range(6)]
    np.testing.assert_allclose(share, [0.1, 0.2, 0.2, 0.2, 0.2, 0.1], atol=0.03)
    np.testing.assert_allclose(
        [np.mean(rows == k) for k in range(5)], [0.2] * 5, atol=0.03
    )


def test_augmentation_of_nothing_is_nothing():
    x = np.random.default_rng(0).integers(0, 9, (3, 4, 4, 2))
    np.testing.assert_array_equal(
        augmented(x, Augmentation(), np.random.default_rng(0)), x
    )


def test_standard_augmentation_is_known_per_data_set():
    data = datasets.load("digits")
    assert augmentation("none", data) == Augmentation()
    assert augmentation("standard", data) == Augmentation(pad=1)
    with pytest.raises(ValueError, match="`augment` must be 'none'.*'numbered'"):
        augmentation("standard", numbered())
    with pytest.raises(ValueError, match="`augment` must be one of"):
        augmentation("some", data)


@pytest.mark.parametrize(
    ("batch_size", "message"),
    [(0, "a positive integer"), (13, "at most the number of training samples")],
)
def test_bad_batch_sizes(batch_size, message):
    with pytest.raises(ValueError, match=f"`batch_size` must be {message}"):
        TrainingBatches(data=numbered(), batch_size=batch_size)
