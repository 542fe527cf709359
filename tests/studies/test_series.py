"""What is made of the rows: savings and ratios at equal accuracy."""

import dataclasses

import pytest

from keras_ssp.studies.series import ratios, savings
from tests.studies.helpers import row


def test_savings_are_interpolated_per_seed():
    rows = []
    for seed, scale in ((0, 1.0), (1, 2.0)):
        rows.append(row("none", 0.0, seed, 0.90, 1000.0 * scale))
        rows.append(row("synaptic", 1.0, seed, 0.90, 100.0 * scale))
        rows.append(row("synaptic", 9.0, seed, 0.88, 10.0 * scale))
        rows.append(row("converted", 0.0, seed, 0.5, 1.0, penalty="none"))
    found = savings(rows, drop=0.01)
    assert set(found) == {"synaptic", "converted"}
    # Half way between 10 and 100 in the logarithm.
    assert found["synaptic"].factors == pytest.approx((1000 / 10**1.5,) * 2)
    assert str(found["converted"]) == "not reached"
    # At the full accuracy the network without penalty itself is in the curve.
    worse = [r for r in rows if r.weight != 1.0]
    assert savings(worse, 0.0)["synaptic"].factors == pytest.approx((1, 1))


def test_savings_need_a_baseline():
    with pytest.raises(ValueError, match="networks without penalty. Received: 1 rows"):
        savings([row("synaptic", 1.0, 0, 0.9, 1.0)], 0.01)


def test_ratios_to_the_synaptic_penalty_are_seed_by_seed():
    rows = []
    for seed, scale, dearer in ((0, 1.0, 1.5), (1, 7.0, 2.0)):
        rows.append(row("none", 0.0, seed, 0.90, 1000.0 * scale))
        for series, energy in (("synaptic", 1.0), ("balanced", dearer)):
            for weight, accuracy in ((1.0, 0.895), (2.0, 0.87)):
                more = {"p": 1.0}
                cost = energy * scale * 100 / weight
                rows.append(row(series, weight, seed, accuracy, cost, **more))
        rows.append(row("converted", 0.0, seed, 0.5, 1.0, penalty="none", p=1.0))
    found = ratios(rows, drop=0.01)
    assert set(found) == {"balanced", "converted"}
    # What a seed's networks cost as a whole cancels.
    assert found["balanced"].factors == pytest.approx((1.5, 2.0))
    assert str(found["balanced"]) == "1.73 ± 0.35"
    assert str(found["converted"]) == "not both reached"
    # Where even the cheapest is accurate enough, nothing is known of the ratio.
    assert ratios(rows, drop=0.05)["balanced"].factors == ()
    assert ratios([r for r in rows if r.series != "synaptic"], 0.01) == {}
    # Series of another surrogate have the synaptic one of theirs, or none.
    other = [
        dataclasses.replace(r, surrogate="arctan", series=f"{r.series} arctan")
        for r in rows
        if r.series in ("none", "balanced")
    ]
    assert set(ratios(rows + other, 0.01)) == {"balanced", "converted"}
