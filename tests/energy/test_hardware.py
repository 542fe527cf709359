"""Energy models: the numbers, the formulas, and what they refuse."""

import json
import math

import pytest

from keras_ssp.energy import hardware
from keras_ssp.energy.hardware import EnergyModel, LayerCounts

SPIKING = LayerCounts(
    kind="spiking",
    synops=1000,
    neurons=100,
    updates=400,
    spikes=50,
    weights=2000,
    fan_out=20,
)
ANALOGUE = LayerCounts(
    kind="analogue", macs=500, neurons=64, updates=128, weights=90, targets=128
)


def test_names():
    assert hardware.names() == (
        "cmos45",
        "cmos45_fp16",
        "cmos45_int8",
        "lemaire2022",
        "loihi",
        "spinnaker",
        "spinnaker2",
    )


@pytest.mark.parametrize(
    ("name", "ac", "mac"),
    [("cmos45", 0.9, 4.6), ("cmos45_fp16", 0.4, 1.5), ("cmos45_int8", 0.03, 0.23)],
)
def test_cmos_is_arithmetic_and_nothing_else(name, ac, mac):
    model = hardware.get(name)
    assert (model.ac_pj, model.mac_pj) == (ac, mac)
    assert model.layer_energy(SPIKING) == ac * 1000  # exactly: Theorem 3.4
    assert model.layer_energy(ANALOGUE) == mac * 500
    assert "Horowitz" in model.source


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("loihi", 23.6 * 1000 + 81 * 50 + 52 * 350),
        ("spinnaker", 13_300 * 1000 + 26_000 * 400),
        ("spinnaker2", 450 * 1000 + 2_190 * 400),
    ],
)
def test_chips_charge_events_and_updates(name, expected):
    model = hardware.get(name)
    assert model.layer_energy(SPIKING) == pytest.approx(expected, rel=1e-12)
    assert model.layer_energy(ANALOGUE) == model.ac_pj * 500


def test_lemaire_closed_form():
    # 2000 weights and 100 potentials of 4 bytes fit in 8 kB: 10 pJ for each access.
    operations = 0.1 * (1000 + 400 + 50) + 3.2 * 400
    memory = 10 * 1000 + 2 * 10 * (1000 + 400) + 2 * 10 * 50
    address = 2 * 3.2 * 50 + 0.1 * 1000
    model = hardware.get("lemaire2022")
    assert model.layer_energy(SPIKING) == pytest.approx(operations + memory + address)
    analogue = 500 * (3.2 + 10 + 10) + 10 * 128 + 0.1 * (64 + 128 + 90)
    assert model.layer_energy(ANALOGUE) == pytest.approx(analogue)


def test_lemaire_large_weights_cost_more():
    model = hardware.get("lemaire2022")
    large = LayerCounts(kind="spiking", synops=1000, weights=1024 * 1024 // 4)
    small = LayerCounts(kind="spiking", synops=1000, weights=10)
    difference = model.layer_energy(large) - model.layer_energy(small)
    assert difference == pytest.approx(1000 * (100 - 10))


@pytest.mark.parametrize(
    ("kib", "pj"), [(0, 10), (8, 10), (20, 15), (32, 20), (528, 60), (1024, 100)]
)
def test_sram_interpolation(kib, pj):
    assert hardware.sram_access_pj(kib * 1024) == pytest.approx(pj)


def test_sram_grows_beyond_the_last_point():
    assert hardware.sram_access_pj(2**21) > 100


def test_bits_are_the_smallest_that_hold_every_count():
    for steps in range(1, 300):
        bits = hardware.activation_bits(steps)
        assert 2 ** (bits - 1) < steps + 1 <= 2**bits


@pytest.mark.parametrize(
    ("steps", "mac"), [(1, 0.9), (3, 1.8), (4, 2.7), (16, 4.5), (32, 4.6), (500, 4.6)]
)
def test_bit_matched_ann(steps, mac):
    model = hardware.get("cmos45")
    assert model.bit_matched_ann_pj(1000, steps) == pytest.approx(1000 * mac)


def test_dense_ann():
    assert hardware.get("cmos45").dense_ann_pj(1000) == 4600
    # The memory-aware model gives the ANN two reads from the smallest memory.
    assert hardware.get("lemaire2022").dense_ann_pj(1000) == pytest.approx(23_200)


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, math.nan, math.inf])
def test_bit_matched_refuses_time_steps(steps):
    with pytest.raises(ValueError, match="`time_steps` must be an integer >= 1"):
        hardware.get("cmos45").bit_matched_ann_pj(10, steps)


@pytest.mark.parametrize("name", hardware.names())
def test_config_round_trip(name):
    model = hardware.get(name)
    assert model.source and model.description
    config = json.loads(json.dumps(model.to_dict()))
    again = hardware.get(config)
    assert again == model and type(again) is type(model)
    assert hardware.get(model) is model
    assert again.layer_energy(SPIKING) == model.layer_energy(SPIKING)


def test_custom_mapping():
    model = hardware.get({"ac_pj": 1, "mac_pj": 2})
    assert model == EnergyModel(name="custom", ac_pj=1.0, mac_pj=2.0)
    assert isinstance(model.ac_pj, float)


@pytest.mark.parametrize("identifier", ["loihi3", None, 3, ["cmos45"]])
def test_unknown_lists_the_names(identifier):
    with pytest.raises(ValueError, match="must be one of 'cmos45', .*'spinnaker2'"):
        hardware.get(identifier)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, "0.9", None, True])
@pytest.mark.parametrize("field", ["ac_pj", "mac_pj"])
def test_bad_constants(field, bad):
    config = {"ac_pj": 1.0, "mac_pj": 1.0, field: bad}
    with pytest.raises(ValueError, match=f"`{field}` must be a finite number >= 0"):
        hardware.get(config)


@pytest.mark.parametrize(
    "config",
    [
        {"ac_pj": 1.0},
        {"ac_pj": 1.0, "mac_pj": 1.0, "dac_pj": 1.0},
        {"kind": "neuromorphic", "ac_pj": 1.0, "mac_pj": 1.0},
    ],
)
def test_bad_keys(config):
    with pytest.raises(ValueError, match="`energy_model` must have the keys"):
        hardware.get(config)


def test_unknown_kind():
    with pytest.raises(ValueError, match="`kind` must be one of 'arithmetic'"):
        hardware.get({"kind": "optical", "ac_pj": 1.0, "mac_pj": 1.0})


def test_empty_name():
    with pytest.raises(ValueError, match="`name` must be a non-empty string"):
        EnergyModel(name="", ac_pj=1.0, mac_pj=1.0)


class PerSpike(EnergyModel):
    """A user's model: every spike costs the same."""

    kind = "per-spike"

    def layer_energy(self, counts):
        return self.ac_pj * counts.spikes


@pytest.fixture
def registry(monkeypatch):
    for each in (hardware._MODELS, hardware._KINDS):
        monkeypatch.setattr(each, "_entries", dict(each._entries))


def test_register(registry):
    model = PerSpike(name="per-spike", ac_pj=2.0, mac_pj=0.0)
    assert hardware.register_energy_model(model) is model
    assert hardware.get("per-spike").layer_energy(SPIKING) == 100.0
    assert type(hardware.get(model.to_dict())) is PerSpike
    with pytest.raises(ValueError, match="`name` must be free: 'per-spike' is"):
        hardware.register_energy_model(model)
    hardware.register_energy_model(model, overwrite=True)
    with pytest.raises(ValueError, match="Did you mean 'per-spike'?"):
        hardware.get("per_spike")


def test_a_cell_that_defines_its_class_again(registry):
    for price in (1.0, 2.0):

        class Mine(EnergyModel):
            kind = "mine"

        model = Mine(name="mine", ac_pj=price, mac_pj=0.0)
        hardware.register_energy_model(model, overwrite=True)
    found = hardware.get("mine")
    assert found.ac_pj == 2.0 and type(hardware.get(found.to_dict())) is Mine


def test_register_refuses(registry):
    class Nameless(EnergyModel):
        """Forgets to set its own kind."""

    with pytest.raises(ValueError, match="`kind` of its own: 'arithmetic'"):
        hardware.register_energy_model(Nameless(name="n", ac_pj=1.0, mac_pj=1.0))
    assert "n" not in hardware.names()
    with pytest.raises(ValueError, match="must be an EnergyModel"):
        hardware.register_energy_model("cmos45")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"kind": "digital"}, "`kind` must be 'spiking' or 'analogue'"),
        ({"kind": "spiking", "synops": -1}, "`synops` must be a finite number"),
        ({"kind": "spiking", "spikes": "few"}, "`spikes` must be a finite number"),
        ({"kind": "spiking", "targets": -1}, "`targets` must be a finite number"),
    ],
)
def test_bad_counts(counts, message):
    with pytest.raises(ValueError, match=message):
        LayerCounts(**counts)


PRICES = {"ac_pj": 0.1, "mac_pj": 1.0, "neuron_update_pj": 2.0}


def test_a_table_of_prices_with_one_for_a_neuron_update():
    model = hardware.get(PRICES)
    counts = LayerCounts(kind="spiking", synops=100, neurons=5, updates=20, spikes=3)
    assert model.layer_energy(counts) == pytest.approx(0.1 * 100 + 2.0 * 20)
    assert hardware.get(model.to_dict()) == model


def test_prices_of_a_file_have_its_name(tmp_path):
    toml, table = tmp_path / "chip.toml", tmp_path / "chip.json"
    toml.write_text("\n".join(f"{k} = {v}" for k, v in PRICES.items()))
    table.write_text(json.dumps(PRICES))
    for path in (toml, table, str(toml)):
        model = hardware.get(path)
        assert model.name == "chip"
        assert model.to_dict() == {**hardware.get(PRICES).to_dict(), "name": "chip"}
    toml.write_text("ac_pj = 0.1")
    with pytest.raises(ValueError, match="`energy_model` must have the keys"):
        hardware.get(toml)
    with pytest.raises(FileNotFoundError):
        hardware.get(tmp_path / "none.toml")
