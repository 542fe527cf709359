"""Energies with their units."""

import pytest

from keras_ssp._units import picojoules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 nJ", 5e4),
        ("50nJ", 5e4),
        (" 1.5 uJ ", 1.5e6),
        ("2e-3 µJ", 2e3),
        ("2 μJ", 2e6),
        ("7 pJ", 7.0),
        ("7 fJ", 7e-3),
        ("1 mJ", 1e9),
        ("3J", 3e12),
        (12.5, 12.5),
    ],
)
def test_an_energy_in_picojoules(text, expected):
    assert picojoules("budget", text) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    ["50", "", "nJ", "50 NJ", "50 n", "-1 nJ", "0 nJ", "nan nJ", "inf J", "1 2 nJ"],
)
def test_what_is_no_energy_is_refused(text):
    with pytest.raises(
        ValueError, match=r"`budget` must be an energy.*Received: budget="
    ):
        picojoules("budget", text)


@pytest.mark.parametrize("number", [0, -1.0, float("nan"), float("inf"), True, None])
def test_a_bare_number_must_be_above_zero(number):
    with pytest.raises(ValueError, match="`budget` must be"):
        picojoules("budget", number)
