"""The pictures show the numbers that they are given."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from keras_ssp import figures  # noqa: E402


def lines(axis):
    return {line.get_label(): line.get_xydata() for line in axis.get_lines()}


def test_accuracy_against_energy_draws_every_series():
    series = {
        "a": [
            {"energy_pj": 2e3, "accuracy": 0.9, "accuracy_std": 0.01, "label": "x"},
            {"energy_pj": 1e3, "accuracy": 0.8},
        ],
        "b": [{"energy_pj": 5e3, "accuracy": 0.5}],
    }
    figure = figures.accuracy_against_energy(series, title="t")
    (axis,) = figure.axes
    drawn = {bars.get_label(): bars.lines[0].get_xydata() for bars in axis.containers}
    np.testing.assert_allclose(drawn["a"], [[1, 80], [2, 90]])  # nJ, %, by energy
    np.testing.assert_allclose(drawn["b"], [[5, 50]])
    assert axis.get_xscale() == "log" and axis.get_title("left") == "t"
    assert [text.get_text() for text in axis.texts] == ["x"]
    assert axis.xaxis.get_major_formatter()(2.0, 0) == "2 nJ"


@pytest.mark.parametrize("spread", [0.0, 2.999, 3.0, 9.0])
def test_the_energy_axis_is_as_wide_as_the_points(spread):
    """A bar that reaches 0 (a seed fell silent) must not push the rest to one side."""
    points = [
        {"energy_pj": 3e3, "accuracy": 0.5, "energy_pj_std": spread * 1e3},
        {"energy_pj": 300e3, "accuracy": 0.9},
    ]
    (axis,) = figures.accuracy_against_energy({"a": points}).axes
    low, high = axis.get_xlim()
    assert 1 < low < 3
    assert 300 < high < 900


def test_the_energy_axis_of_silent_networks():
    points = [{"energy_pj": 0.0, "accuracy": 0.1}]
    (axis,) = figures.accuracy_against_energy({"a": points}).axes
    assert np.all(np.isfinite(axis.get_xlim()))


def test_history_draws_accuracy_and_energy():
    values = {
        "loss": [2.0, 1.0],
        "accuracy": [0.5, 0.7],
        "val_accuracy": [0.4, 0.6],
        "val_energy_pj": [3e3, 2e3],
    }
    left, right = figures.history(values).axes
    np.testing.assert_allclose(lines(left)["training"], [[1, 50], [2, 70]])
    np.testing.assert_allclose(lines(left)["validation"], [[1, 40], [2, 60]])
    (energy,) = lines(right).values()
    np.testing.assert_allclose(energy, [[1, 3], [2, 2]])


def test_layer_shares_draws_penalties_against_the_energy(tmp_path):
    shares = {
        "energy": {"l1": 0.7, "l2": 0.3},
        "synaptic, p = 1": {"l1": 0.7, "l2": 0.3},
        "balanced": {"l1": 0.4, "l2": 0.6},
    }
    path = tmp_path / "layers.png"
    bars, scatter = figures.layer_shares(shares, path).axes
    heights = [patch.get_height() for patch in bars.patches]
    np.testing.assert_allclose(heights, [70, 30, 70, 30, 40, 60])
    drawn = lines(scatter)
    np.testing.assert_allclose(drawn["synaptic, p = 1"], [[70, 70], [30, 30]])
    np.testing.assert_allclose(drawn["balanced"], [[70, 40], [30, 60]])
    assert path.read_bytes().startswith(b"\x89PNG")


def test_layer_bars_draws_each_series_of_each_layer():
    shares = {"energy": [75, 25], "penalty": [50, 50]}
    labels = {"energy": ["3 nJ", "1 nJ"], "penalty": ["50.0 %", "half"]}
    (axes,) = figures.layer_bars(["a", "b"], shares, labels=labels, title="t").axes
    widths = [[bar.get_width() for bar in bars] for bars in axes.containers]
    assert widths == [[75, 25], [50, 50]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["3 nJ", "1 nJ", "50.0 %", "half"]


@pytest.mark.parametrize(
    "energies", [(9.4e3, 1.21e4), (1e4, 1.0001e4), (5e3, 5e3), (1e3, 9e5), (20.0, 3e7)]
)
def test_at_least_two_energies_are_written_on_the_axis(energies):
    points = [{"energy_pj": e, "accuracy": 0.9, "label": "here"} for e in energies]
    figure = figures.accuracy_against_energy({"a": points})
    figure.canvas.draw()
    axis = figure.axes[0]
    low, high = axis.get_xlim()
    shown = [
        tick.get_text()
        for tick in axis.get_xticklabels()
        if low <= tick.get_position()[0] <= high and tick.get_text()
    ]
    assert len(set(shown)) >= 2, shown


def test_labels_stay_inside_the_picture():
    energies = (2e4, 9e4, 2e5)
    points = [
        {"energy_pj": e, "accuracy": 0.9 + k / 100, "label": "a label of some length"}
        for k, e in enumerate(energies)
    ]
    figure = figures.accuracy_against_energy({"a": points})
    figure.canvas.draw()
    whole = figure.axes[0].get_window_extent()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1
        assert whole.y0 <= box.y0 and box.y1 <= whole.y1


@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_a_short_history_can_be_read(epochs):
    figure = figures.history(
        {
            "loss": [1.0] * epochs,
            "accuracy": [0.9 + 0.01 * k for k in range(epochs)],
            "val_accuracy": [1.0] * epochs,
            "val_energy_pj": [5e4] * epochs,
        }
    )
    figure.canvas.draw()
    for axis in figure.axes:
        low, high = axis.get_xlim()
        ticks = [tick for tick in axis.get_xticks() if low <= tick <= high]
        assert len(ticks) >= 2 and all(float(tick).is_integer() for tick in ticks)
    assert figure.axes[0].get_ylim()[1] <= 100
