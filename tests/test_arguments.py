"""Every public argument against a table of odd values.

Each is taken, or refused by a ValueError or TypeError that names the argument and what
was received. What may be taken is not judged here, but for what is listed in `NEVER`.
"""

import fractions
import functools
import gc
import inspect

import keras
import numpy as np
import pytest

import keras_ssp
from keras_ssp import callbacks, conversion, datasets, energy, models, penalties
from keras_ssp._registry import Registry
from keras_ssp.layers import (
    LIF,
    QCFS,
    DirectEncoding,
    EventFrames,
    LatencyEncoding,
    PoissonEncoding,
    RateReadout,
    register_neuron,
)
from keras_ssp.studies.grid import Study
from keras_ssp.surrogates import Surrogate
from keras_ssp.training import TrainConfig
from tests.helpers import images, small_snn

VALUES = [
    *(None, True, False, np.True_, "False", "true", "x", "", " ", b"x", "1e-3", "nan"),
    *(0, 1, -1, 3, 1.5, -0.5, 10**400, 2**63, 1e39, 1e300, 5e-324, float("nan")),
    *(float("inf"), -float("inf"), 1j, fractions.Fraction(1, 3), np.float32(0.5)),
    *([], [1], ["x"], (), (1, 2), {}, {"a": 1}, {1: 2}, set(), object(), int, len),
    *(np.array(0.5), np.array([1.0, 2.0]), np.array([]), np.array(["a"]), range(3)),
    keras.losses.MeanSquaredError(),
]
X = images(2)


@functools.cache
def model():
    """A network with a penalty, made once."""
    return penalties.penalize(small_snn(threshold=0.3), penalties.SynapticPenalty(1.0))


@functools.cache
def other():
    return small_snn()


@functools.cache
def ann():
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), keras.layers.ReLU()]
    )


def row(**given):
    return energy.LayerReport(
        **{"name": "a", "kind": "lif", "neurons": 4, "time_steps": 2, "energy_pj": 1.0}
        | given
    )


def report(**given):
    base = {"model_name": "m", "energy_model": "cmos45", "samples": 1, "time_steps": 2}
    return energy.EnergyReport(**base | {"layers": [row()]} | given)


#: What is called, what it needs besides, and its arguments where they are not all.
CALLS = {
    "LIF": (LIF, {}),
    "QCFS": (QCFS, {"levels": 4}),
    "DirectEncoding": (DirectEncoding, {}),
    "PoissonEncoding": (PoissonEncoding, {"time_steps": 2}),
    "LatencyEncoding": (LatencyEncoding, {"time_steps": 2}),
    "EventFrames": (EventFrames, {}),
    "RateReadout": (RateReadout, {}),
    "SynapticPenalty": (penalties.SynapticPenalty, {"weight": 1.0}),
    "SynOpsTarget": (penalties.SynOpsTarget, {"weight": 1.0, "target": 9.0}),
    "penalize": (penalties.penalize, {"model": other, "penalty": None}),
    "set_penalty_weight": (
        lambda model, weight: penalties.set_penalty_weight(model, weight),
        {"model": model, "weight": 1.0},
    ),
    "energy_report": (keras_ssp.energy_report, {"model": model, "data": X}),
    "penalty_values": (keras_ssp.penalty_values, {"model": model, "data": X}),
    "fan_out": (keras_ssp.fan_out, {"model": model}),
    "fold_batch_norm": (conversion.fold_batch_norm, {"model": ann}),
    "EnergyMonitor": (callbacks.EnergyMonitor, {"data": X}),
    "PenaltySchedule": (callbacks.PenaltySchedule, {}),
    "SilenceGuard": (callbacks.SilenceGuard, {"data": X}),
    "EnergyBudget": (callbacks.EnergyBudget, {"data": X, "energy": "5 nJ"}),
    "EnergyModel": (energy.EnergyModel, {"name": "m", "ac_pj": 1.0, "mac_pj": 2.0}),
    "LayerReport": (row, {}),
    "EnergyReport": (report, {}),
    "TrainConfig": (TrainConfig, {}),
    "Study": (Study, {"base": TrainConfig()}),
    "datasets.load": (datasets.load, {"name": "digits"}),
    "models.get": (models.get, {"name": "cnn7"}),
    "register_neuron": (register_neuron, {"name": "n"}),
    "surrogates.register": (
        lambda name: keras_ssp.surrogates.register(name)(type("Own", (Surrogate,), {})),
        {"name": "n"},
    ),
    "penalties.register": (penalties.register, {"name": "n"}),
    "models.register": (models.register, {"name": "n", "overwrite": True}),
    "datasets.register": (datasets.register, {"name": "n", "overwrite": True}),
}
#: Looked at by Keras, when a model runs, or not a value of ours.
SKIPPED = {
    *("verbose", "kwargs", "data_dir", "source", "overwrite", "package", "cls"),
    *("description", "name", "flags", "aliases"),
}
_OF = {"LayerReport": energy.LayerReport, "EnergyReport": energy.EnergyReport}


def arguments(name):
    function, _ = CALLS[name]
    found = inspect.signature(_OF.get(name, function)).parameters
    registers = "name" if "regist" in name else ""
    return [k for k in found if k not in SKIPPED or k == registers]


PAIRS = [(name, argument) for name in CALLS for argument in arguments(name)]


def test_the_table_is_as_large_as_it_is_meant_to_be():
    assert len(PAIRS) > 130
    assert len(PAIRS) * len(VALUES) > 6000


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "argument"), PAIRS)
def test_odd_values_are_taken_or_refused_by_name(name, argument):
    function, needed = CALLS[name]
    given = {k: v() if callable(v) else v for k, v in needed.items()}
    wrong = []
    for value in VALUES:
        try:
            function(**{**given, argument: value})
        except (ValueError, TypeError) as error:
            text = str(error)
            if f"`{argument}`" not in text or "eceived" not in text:
                wrong.append(f"{value!r:.40}: {type(error).__name__}: {text:.150}")
        except Exception as error:
            wrong.append(f"{value!r:.40}: {type(error).__name__}: {error!s:.150}")
    assert not wrong, "\n".join(wrong)


@pytest.fixture(autouse=True)
def _registries_as_they_were(request):
    if "regist" not in request.node.name:
        yield
        return
    held = [r for r in gc.get_objects() if type(r) is Registry]
    before = [dict(registry._entries) for registry in held]
    yield
    for registry, entries in zip(held, before, strict=True):
        registry._entries = entries


NEVER = [
    ("LIF", "detach_reset", "False"),
    ("LIF", "learn_beta", 1),
    ("LIF", "threshold", 5e-324),
    ("LIF", "threshold", 1e300),
    ("LIF", "fan_out", "3"),
    ("LIF", "return_potential", "no"),
    ("SynapticPenalty", "normalize", "false"),
    ("SynapticPenalty", "weight", 1e39),
    ("EventFrames", "events", 0),
    ("EnergyReport", "samples", 1.9),
    ("EnergyReport", "time_steps", 2.7),
    ("EnergyReport", "notes", "abc"),
    ("LayerReport", "neurons", 1.5),
    ("EnergyModel", "ac_pj", np.True_),
    ("TrainConfig", "normalize", "false"),
    ("TrainConfig", "seed", True),
    ("Study", "weights", "13"),
    ("Study", "weights", ["0.1"]),
    ("Study", "seeds", [0, 0]),
    ("Study", "weights", [0.1, 0.1]),
    ("Study", "target_weight", "1"),
    ("surrogates.register", "name", None),
    ("EnergyMonitor", "data", "nonsense"),
]


@pytest.mark.parametrize(("name", "argument", "value"), NEVER)
def test_nonsense_is_never_taken(name, argument, value):
    function, needed = CALLS[name]
    if (name, argument) == ("EnergyMonitor", "data"):
        with pytest.raises(ValueError, match="`data` must be"):
            monitor = function(value)
            monitor.set_model(model())
            monitor.on_train_begin()
        return
    given = {k: v() if callable(v) else v for k, v in needed.items()}
    with pytest.raises(ValueError, match=f"`{argument}`"):
        function(**{**given, argument: value})
