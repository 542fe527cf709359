"""Hyperparameters as coordinates."""

import keras_tuner
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ssp.tuner.space import Space


def space():
    hp = keras_tuner.HyperParameters()
    hp.Float("threshold", 0.1, 2.0, step=0.1)
    hp.Float("rate", 1e-3, 1e-1, step=10, sampling="log")
    hp.Int("width", 8, 64, step=8)
    hp.Choice("penalty", ["synaptic", "balanced", "none"])
    hp.Boolean("norm")
    hp.Float("weight", 1e-2, 1e2, sampling="log")
    return Space(hp)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_values_come_back(point):
    found = space()
    values = found.decode(point)
    again = found.decode(found.encode(values))
    assert again == pytest.approx(values)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_snapping_means_the_same_values(point):
    found = space()
    snapped = found.snap(np.asarray([point]))
    np.testing.assert_array_equal(found.snap(snapped), snapped)
    assert found.decode(snapped[0]) == found.decode(point)
    np.testing.assert_allclose(found.encode(found.decode(point)), snapped[0], atol=1e-9)


def test_features_are_equally_far_apart_without_an_order():
    found = space()
    points = np.full((3, 6), 0.5)
    points[:, 3] = 0.1, 0.5, 0.9
    features = found.features(points)
    assert features.shape == (3, 5 + 3)
    apart = np.linalg.norm(features[:, None] - features[None], axis=-1)
    np.testing.assert_allclose(apart, 1.0 - np.eye(3))


def test_no_points_have_features_too():
    assert space().features(np.empty((0, 6))).shape == (0, 8)


def scopes():
    hp = keras_tuner.HyperParameters()
    hp.Choice("penalty", ["synaptic", "target", "none"])
    with hp.conditional_scope("penalty", ["synaptic"]):
        hp.Float("weight", 1.0, 2.0)
    with hp.conditional_scope("penalty", ["target"]):
        hp.Float("weight", 3.0, 5.0)
        hp.Choice("share", [0.1, 0.2])
    return Space(hp)


@pytest.mark.parametrize(
    ("values", "point"),
    [
        ({"penalty": "synaptic", "weight": 1.25}, [1 / 6, 0.25, 0.5, 0.5]),
        ({"penalty": "target", "weight": 3.5, "share": 0.1}, [0.5, 0.5, 0.25, 0.25]),
        ({"penalty": "none"}, [5 / 6, 0.5, 0.5, 0.5]),
    ],
)
def test_inactive_hyperparameters_stand_for_nothing(values, point):
    found = scopes()
    assert found.decode(point) == pytest.approx(values)
    np.testing.assert_allclose(found.encode(values), point)
    other = np.where(np.asarray(point) == 0.5, 0.9, point)
    other[0] = point[0]
    np.testing.assert_allclose(found.snap(other), [point])
    np.testing.assert_array_equal(found.features([other]), found.features([point]))
