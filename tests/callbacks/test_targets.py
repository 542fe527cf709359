"""What a budget may be stated in."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_ssp import EnergyBudget
from keras_ssp.callbacks.targets import Target
from keras_ssp.energy import EnergyReport, LayerReport
from tests.callbacks.networks import X_VAL

UNITS = {"fJ": 1e-3, "pJ": 1.0, "nJ": 1e3, "uJ": 1e6, "mJ": 1e9, "J": 1e12}
positive = st.floats(1e-6, 1e6)


@given(positive, st.sampled_from(sorted(UNITS)))
def test_energies_with_units(value, unit):
    target = EnergyBudget(f"{value} {unit}", X_VAL).target
    assert target.kind == "energy" and target.of == "synaptic"
    assert target.value == pytest.approx(value * UNITS[unit])


@given(positive)
def test_numbers_are_picojoules_synops_and_rates(value):
    assert EnergyBudget(value, X_VAL).target == Target("energy", value)
    assert EnergyBudget(synops=value, data=X_VAL).target == Target("synops", value)
    rate = value / 1e6
    assert EnergyBudget(rate=rate, data=X_VAL).target == Target("rate", rate)


stated = st.one_of(st.none(), positive)


@given(stated, stated, stated)
def test_exactly_one_target_is_given(energy, synops, rate):
    given_ = [v for v in (energy, synops, rate) if v is not None]
    fits = len(given_) == 1 and (rate is None or rate <= 1.0)
    if fits:
        target = Target.from_arguments(energy, synops, rate, "synaptic")
        assert target.value == given_[0]
    else:
        with pytest.raises(ValueError, match="Received: "):
            Target.from_arguments(energy, synops, rate, "synaptic")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Exactly one of `energy`, `synops` and `rate` must be given"),
        ({"energy": 1.0, "rate": 0.1}, "Exactly one of"),
        ({"energy": "50 nm"}, "`energy` must be an energy above 0 with a unit"),
        ({"energy": 0}, "`energy` must be a finite number above 0"),
        ({"energy": math.nan}, "`energy` must be"),
        ({"synops": -1.0}, "`synops` must be a finite number above 0"),
        ({"rate": 0.0}, r"`rate` must be a number in \(0, 1\]"),
        ({"rate": 1.5}, r"`rate` must be a number in \(0, 1\]. Received: rate=1.5"),
        ({"energy": 1.0, "of": "analogue"}, "`of` must be one of 'synaptic', 'total'"),
        ({"rate": 0.1, "of": "total"}, "`of` must be left out unless"),
        ({"energy": 1.0, "tolerance": 0.0}, "`tolerance` must be"),
        ({"energy": 1.0, "checks": 0}, "`checks` must be a positive integer"),
        ({"energy": 1.0, "energy_model": "tpu"}, "tpu"),
        ({"energy": 1.0, "data": None}, "`data` must be data to measure on"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        EnergyBudget(**{"data": X_VAL, **arguments})


def report():
    spiking = LayerReport(
        name="lif",
        kind="lif",
        neurons=10,
        time_steps=2,
        spikes=5,
        synops=50,
        dense=200,
        energy_pj=45.0,
    )
    stem = LayerReport(
        name="stem", kind="analogue", neurons=4, time_steps=2, macs=10, energy_pj=46.0
    )
    return EnergyReport(
        model_name="net",
        energy_model="cmos45",
        samples=1,
        time_steps=2,
        layers=(stem, spiking),
    )


@pytest.mark.parametrize(
    ("target", "spent", "fixed", "text"),
    [
        (Target("energy", 1.0), 45.0, 0.0, "pJ"),
        (Target("energy", 50.0, "total"), 91.0, 46.0, "pJ"),
        (Target("synops", 1.0), 50.0, 0.0, "SynOps"),
        (Target("rate", 0.5), 0.25, 0.0, "rate"),
    ],
)
def test_spent_and_fixed_are_those_of_the_report(target, spent, fixed, text):
    target.check(report())
    assert target.spent(report()) == pytest.approx(spent)
    assert target.fixed(report()) == pytest.approx(fixed)
    assert text in target.text(spent)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Target("energy", 46.0, "total"), "`energy` must be above 46 pJ, what the ana"),
        (Target("synops", 201.0), "`synops` must be at most 200, what the network"),
    ],
)
def test_unreachable_targets_are_refused(target, message):
    with pytest.raises(ValueError, match=message):
        target.check(report())
