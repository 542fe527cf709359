"""Pictures of spikes: every spike, every neuron, where it belongs."""

import numpy as np
import pytest

from keras_ssp import figures
from keras_ssp.energy import Recording

pytest.importorskip("matplotlib")
RNG = np.random.default_rng(0)
SPIKES = {
    "first": (RNG.random((2, 6, 5)) < 0.4).astype("uint8"),
    "wide": (RNG.random((2, 6, 20, 20)) < 0.1).astype("uint8"),
    "dead": np.zeros((2, 6, 3), "uint8"),
    "full": np.ones((2, 6, 3), "uint8"),
}
RECORDING = Recording(
    spikes=SPIKES,
    potentials={k: RNG.random(v.shape).astype("float32") for k, v in SPIKES.items()},
    thresholds={"first": 0.5},
)


def test_raster_has_a_dot_for_each_spike(tmp_path):
    path = tmp_path / "raster.png"
    axes = figures.raster(RECORDING, path, sample=1).axes
    dots = {tuple(xy) for xy in axes[0].collections[0].get_offsets().tolist()}
    assert dots == {(t, n) for t, n in np.argwhere(SPIKES["first"][1]).tolist()}
    assert "400 neurons, 200 shown" in axes[1].get_title(loc="left")
    assert len(axes[2].collections[0].get_offsets()) == 0
    assert "100.0 %" in axes[3].get_title(loc="left")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_rates_count_every_neuron_and_mark_the_silent_and_the_saturated():
    axes = figures.spike_rates(RECORDING).axes
    for axis, spikes in zip(axes, SPIKES.values(), strict=True):
        heights = sum(patch.get_height() for patch in axis.patches)
        assert heights == np.prod(spikes.shape[2:])
    said = [[t.get_text() for t in a.get_legend().get_texts()] for a in axes[2:]]
    assert said == [["3 silent"], ["3 saturated"]]


def test_activity_over_time():
    (axis,) = figures.spikes_over_time(RECORDING, layers=["first", "full"]).axes
    first, full = axis.lines
    np.testing.assert_allclose(
        first.get_ydata(), 100 * SPIKES["first"].mean(axis=(0, 2))
    )
    assert set(full.get_ydata()) == {100.0}


def test_potentials_of_the_busiest_neurons():
    axes = figures.potentials(RECORDING, layers=["first"]).axes
    busiest = int(SPIKES["first"][0].sum(0).argmax())
    line = axes[0].lines[0]
    np.testing.assert_allclose(
        line.get_ydata(), RECORDING.potentials["first"][0, :, busiest]
    )
    assert axes[0].lines[-1].get_ydata()[0] == 0.5  # the threshold


def test_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match="`sample` must be below 2"):
        figures.raster(RECORDING, sample=2)
    with pytest.raises(ValueError, match="`layers` must be one of 'first'"):
        figures.spike_rates(RECORDING, layers=["frist"])
    with pytest.raises(ValueError, match="`recording` must have potentials"):
        figures.potentials(Recording(spikes=SPIKES))
