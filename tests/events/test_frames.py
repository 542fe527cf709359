"""Events counted in frames, against a loop over the events."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ssp import energy_report
from keras_ssp.events import Events, to_frames

H, W = 5, 7
RNG = np.random.default_rng(0)


@st.composite
def recordings(draw, kinds=("int", "float")):
    n = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    t = rng.integers(-50, 400, n)
    if draw(st.sampled_from(kinds)) == "float":
        t = t / 8
    p = rng.choice(draw(st.sampled_from([(0, 1), (-1, 1), (False, True)])), n)
    return Events(rng.integers(0, W, n), rng.integers(0, H, n), t, p)


def by_hand(events, steps, bins, side):
    found = np.zeros((steps, -(-H // side), -(-W // side), 2), int)
    order = sorted(range(len(events)), key=lambda i: events.t[i])  # stable
    rank = {i: r for r, i in enumerate(order)}
    first, last = min(events.t), max(events.t)
    for i in range(len(events)):
        if bins == "count":
            k = rank[i] * steps // len(events)
        elif events.t.dtype.kind == "i":
            k = int(events.t[i] - first) * steps // int(last - first + 1)
        elif last == first:
            k = 0
        else:
            since = events.t[i] - first
            k = min(steps - 1, math.floor(since * steps / (last - first)))
        found[k, events.y[i] // side, events.x[i] // side, events.polarity[i]] += 1
    return found


@settings(deadline=None)
@given(
    events=recordings(),
    steps=st.integers(1, 12),
    bins=st.sampled_from(["time", "count"]),
    side=st.integers(1, 3),
)
def test_frames_equal_a_loop_over_the_events(events, steps, bins, side):
    how = {"shape": (H, W), "time_steps": steps, "bins": bins, "downsample": side}
    frames = to_frames(events, **how)
    np.testing.assert_array_equal(frames, by_hand(events, steps, bins, side))
    assert frames.sum() == len(events) and frames.dtype == np.uint8
    one = to_frames(events, polarities=1, **how)
    np.testing.assert_array_equal(one[..., 0], frames.sum(-1))
    shuffled = np.random.default_rng(0).permutation(len(events))
    if bins == "time":
        columns = (events.x, events.y, events.t, events.polarity)
        again = to_frames(*(c[shuffled] for c in columns), **how)
        np.testing.assert_array_equal(again, frames)


@settings(deadline=None)
@given(events=recordings(), steps=st.integers(1, 9))
def test_bins_of_equal_count_differ_by_one_event_at_most(events, steps):
    frames = to_frames(events, shape=(H, W), time_steps=steps, bins="count")
    counts = frames.sum((1, 2, 3))
    assert counts.max() - counts.min() <= 1


def test_a_time_that_is_given():
    events = Events([0, 1, 2, 3], [0, 0, 0, 0], [-1, 0, 99, 100])
    how = {"shape": (1, 4), "time_steps": 2, "start": 0, "duration": 100}
    with pytest.raises(ValueError, match="2 of 4 events outside, times from -1 to 100"):
        to_frames(events, **how)
    frames = to_frames(events, outside="drop", **how)
    assert frames.shape == (2, 1, 4, 1)
    np.testing.assert_array_equal(frames[:, 0, :, 0], [[0, 1, 0, 0], [0, 0, 1, 0]])
    halves = to_frames([0], [0], [0.5], **{**how, "duration": 1.0})
    assert halves[1].sum() == 1  # the border belongs to the later bin


def test_many_recordings_and_large_counts():
    one = Events([0] * 300, [0] * 300, [1] * 300, [1] * 300)
    two = Events([1], [1], [5], [0])
    frames = to_frames([one, two], shape=(2, 2), time_steps=1)
    assert frames.shape == (2, 1, 2, 2, 2) and frames.dtype == np.int32
    assert frames[0, 0, 0, 0, 1] == 300 and frames[1].sum() == 1
    fields = ("x", "y", "t", "polarity")
    columns = [[getattr(each, name) for each in (one, two)] for name in fields]
    again = to_frames(*columns, shape=(2, 2), time_steps=1)
    np.testing.assert_array_equal(again, frames)
    nothing = to_frames(Events([], [], []), shape=(2, 2), time_steps=3)
    assert nothing.shape == (3, 2, 2, 1) and not nothing.any()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"x": [0, 7]}, "`x` must be whole numbers below 7.*from 0 to 7"),
        ({"y": [-1, 0]}, "`y` must be whole numbers below 5.*from -1 to 0"),
        ({"x": [0.5, 1]}, "`x` must be whole numbers"),
        ({"t": [0.0, np.nan]}, "`t` must be finite"),
        ({"t": [0]}, r"one length.*len\(t\)=1"),
        ({"t": [[0, 1]]}, "`t` must be a column"),
        ({"polarity": [1, 2]}, "`polarity` must be 0 and 1"),
        ({"polarity": [-1, 0]}, "`polarity` must be 0 and 1"),
        ({"y": None}, "`y` and `t` must be given"),
        ({"shape": 5}, r"`shape` must be \(height, width\)"),
        ({"shape": (5, 0)}, "`shape` must be"),
        ({"time_steps": 0}, "`time_steps` must be"),
        ({"bins": "equal"}, "`bins` must be one of"),
        ({"polarities": 3}, "`polarities` must be 1 or 2"),
        ({"duration": 0.0}, "`duration` must be"),
        ({"bins": "count", "start": 0}, "`start` and `duration` must be left out"),
        ({"outside": "keep"}, "`outside` must be one of"),
        ({"downsample": 0}, "`downsample` must be"),
    ],
)
def test_what_cannot_be_counted_is_refused(changes, text):
    good = {"x": [0, 1], "y": [0, 1], "t": [0, 1], "polarity": [0, 1]}
    good |= {"shape": (H, W), "time_steps": 2}
    assert to_frames(**good).sum() == 2
    with pytest.raises(ValueError, match=text):
        to_frames(**{**good, **changes})


def test_recordings_and_columns_are_not_mixed():
    events = Events([0], [0], [0])
    with pytest.raises(ValueError, match="must be left out with Events"):
        to_frames(events, [0], [0], shape=(1, 1), time_steps=1)
    with pytest.raises(ValueError, match="at least one recording"):
        to_frames([], shape=(1, 1), time_steps=1)
    with pytest.raises(ValueError, match="equally many recordings"):
        two = [np.array([0]), np.array([0])]
        to_frames(two, two, two[:1], shape=(1, 1), time_steps=1)


def test_a_network_counts_every_event():
    import keras

    from keras_ssp.layers import LIF, EventFrames, RateReadout

    n = 50
    events = [
        Events(RNG.integers(0, W, n), RNG.integers(0, H, n), np.arange(n))
        for _ in "abc"
    ]
    frames = to_frames(events, shape=(H, W), time_steps=4)
    model = keras.Sequential(
        [keras.Input((4, H, W, 1)), EventFrames(), keras.layers.Flatten()]
        + [keras.layers.Dense(3), LIF(), keras.layers.Dense(2), RateReadout()]
    )
    report = energy_report(model, frames)
    assert report.layers[0].spikes == n
    assert report.layers[0].synops == n * 3
