"""What was traced for one report serves the next, and never after a change."""

import gc
import pickle
import threading
import weakref

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssp import (
    SpikeCountPenalty,
    SynapticPenalty,
    energy_report,
    penalize,
    penalty_values,
)
from keras_ssp.callbacks import EnergyBudget, EnergyMonitor
from keras_ssp.energy import EnergyMeter, counter
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from keras_ssp.synapses import register_analogue
from tests.helpers import images

pytestmark = pytest.mark.every_backend
X, Y = images(8, (4,)), np.ones((8, 3), "float32")
EAGER = keras.backend.backend() == "torch"


@pytest.fixture
def traces(monkeypatch):
    """Each run of Python code that counts a batch; one a trace, where there are any."""
    seen = []
    run = counter._Probe.call

    def call(self, inputs):
        seen.append(self.model.name)
        return run(self, inputs)

    monkeypatch.setattr(counter._Probe, "call", call)
    return seen


def new_traces(traces, work):
    """How often `work` traces anew."""
    before = len(traces)
    work()
    return 0 if EAGER else len(traces) - before


def anew(model, x=X, **arguments):
    """The report of a model that nothing is kept of."""
    vars(model).pop(counter._KEPT, None)
    return energy_report(model, x, **arguments).to_dict()


class Counting(layers.Layer):
    """Hands its input on, and notes in itself how often its code ran."""

    runs = 0
    gain = 1.0

    def call(self, x):
        self.runs += 1
        return x * self.gain


register_analogue(Counting)


class Gain:
    """A plain object that a layer computes with."""

    def __init__(self, value):
        self.values = {"gain": value}


def small(**lif):
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(6, name="stem"),
            DirectEncoding(2),
            LIF(name="lif1", **lif),
            layers.Dense(5, name="middle"),
            LIF(name="lif2", threshold=0.3),
            layers.Dense(3),
            RateReadout(),
        ],
        name="small",
    )


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self._gain = Gain(1.0)
        self.encoding = DirectEncoding(3)
        self.lif = LIF(time_steps=3, fan_out=7, name="lif")
        self.head = layers.Dense(3)
        self.readout = RateReadout(time_steps=3)

    def call(self, x):
        x = x * self._gain.values["gain"]
        return self.readout(self.head(self.lif(self.encoding(x))))


def subclassed():
    model = Subclassed()
    model(X)
    return model


def test_second_report_runs_no_python_of_the_model_s_layers():
    mine = Counting()
    x = keras.Input((4,))
    y = LIF(threshold=0.3)(DirectEncoding(2)(mine(x)))
    model = keras.Model(x, RateReadout()(layers.Dense(3)(y)))
    energy_report(model, X)
    before = mine.runs
    first, second = energy_report(model, X), energy_report(model, X)
    assert first == second
    assert (mine.runs == before) is not EAGER


@pytest.mark.parametrize("make", [small, subclassed])
def test_one_trace_serves_all_that_measures(traces, make):
    model = penalize(make(), SynapticPenalty(1e-9))
    model.compile("sgd", "mse")

    def measure():
        energy_report(model, X)
        penalty_values(model, X)
        EnergyMeter(model).report(X, energy_model="loihi")
        energy_report(model, X, batch_size=100)

    def fit():
        model.fit(X, Y, verbose=0, callbacks=[EnergyMonitor(X)])

    assert new_traces(traces, measure) <= 2  # JAX runs a model once to build it
    assert new_traces(traces, measure) == 0
    assert new_traces(traces, fit) == 0  # nor does what training leaves in the model
    model.compile("adam", "mae", metrics=["mse"])
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    assert new_traces(traces, fit) == 0
    assert new_traces(traces, measure) == 0
    outputs = EnergyMeter(model).report_and_outputs(X)[1]
    again = lambda: EnergyMeter(model).report_and_outputs(X)  # noqa: E731
    assert new_traces(traces, again) == 0
    np.testing.assert_allclose(outputs, model.predict(X, verbose=0), atol=1e-6)


def test_a_budget_is_kept_with_the_same_trace(traces):
    model = penalize(small(), SynapticPenalty(1e-9))
    model.compile("sgd", "mse")
    energy_report(model, X)
    fit = lambda: model.fit(  # noqa: E731
        X, Y, verbose=0, callbacks=[EnergyBudget("20 nJ", X)]
    )
    assert new_traces(traces, fit) == 0


def test_weights_are_read_anew():
    model = small()
    before = energy_report(model, X)
    model.set_weights([1.5 * w for w in model.get_weights()])
    after = energy_report(model, X)
    assert after.synops != before.synops
    assert after.to_dict() == anew(model)


def test_energy_model_is_no_part_of_what_is_kept(traces):
    model = small()
    energy_report(model, X)
    other = {"ac_pj": 2.0, "mac_pj": 3.0}
    report = energy_report(model, X, energy_model=other)
    assert report.energy_pj == pytest.approx(2.0 * report.synops + 3.0 * report.macs)
    assert report.to_dict() == anew(model, energy_model=other)


def lif1(model):
    return model.get_layer("lif1")


def with_fan_out(model):
    lif1(model).fan_out = np.asarray(3.0)


def with_threshold(model):
    lif1(model).threshold = 0.25


def with_beta(model):
    lif1(model).beta = 0.1


def with_activation(model):
    model.get_layer("stem").activation = keras.activations.tanh


def with_penalty(model):
    penalize(model, SpikeCountPenalty(1.0))


def with_penalty_on_some(model):
    penalize(model, SynapticPenalty(1.0), layers=["lif2"])


def without_penalty(model):
    penalize(model, None)


def with_exponent(model):
    for layer in (lif1(model), model.get_layer("lif2")):
        layer.penalty.p = 2.0


def with_another_head(model):
    model.pop()
    model.pop()
    model.add(layers.Dense(9))
    model.add(RateReadout())


CHANGES = [
    *(with_fan_out, with_threshold, with_beta, with_activation, with_penalty),
    *(with_penalty_on_some, without_penalty, with_exponent, with_another_head),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_no_number_is_stale_after_a_change(change):
    model = penalize(small(), SynapticPenalty(1e-3))
    before = energy_report(model, X).to_dict()
    change(model)
    after = energy_report(model, X).to_dict()
    assert after != before
    assert after == anew(model)


def given_fan_out(model):
    model.lif.fan_out = np.asarray(9.0)


def written_fan_out(model):
    model.lif.fan_out[...] = 9.0


def other_steps(model):
    for layer in (model.encoding, model.lif, model.readout):
        layer.time_steps = 5


def a_number_deep_inside(model):
    model._gain.values["gain"] = 0.25


@pytest.mark.parametrize(
    "change",
    [given_fan_out, written_fan_out, other_steps, a_number_deep_inside],
    ids=lambda change: change.__name__,
)
def test_no_number_of_a_subclassed_model_is_stale(change):
    model = subclassed()
    before = energy_report(model, X).to_dict()
    change(model)
    after = energy_report(model, X).to_dict()
    assert after != before
    assert after == anew(model)


def test_t_that_layers_disagree_on_is_told_as_ever():
    model = small()
    energy_report(model, X)
    model.layers[1].time_steps = 5
    with pytest.raises(ValueError, match="time_steps"):
        energy_report(model, X)


def test_layer_of_two_models_is_weighed_in_each_as_it_is_there():
    shared, x = LIF(threshold=0.3, name="shared"), keras.Input((4,))
    spikes = shared(DirectEncoding(2)(x))
    first = keras.Model(x, RateReadout()(layers.Dense(3)(spikes)))
    penalize(first, SynapticPenalty(1.0))
    before = energy_report(first, X)
    second = keras.Model(x, RateReadout()(layers.Dense(7)(spikes)))
    assert energy_report(second, X).synops == pytest.approx(before.synops * 7 / 3)
    assert energy_report(first, X) == before
    with pytest.warns(UserWarning, match="part of model"):
        penalize(second, SpikeCountPenalty(1.0))
    row = energy_report(first, X)["shared"]
    assert row.penalty == pytest.approx(row.spikes)
    shared.threshold = 1e9
    assert energy_report(first, X).spikes == energy_report(second, X).spikes == 0


def test_nested_model_that_is_changed():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(6), LIF(threshold=0.1, name="lif")]
    )
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(3)(inner(x)))
    before = energy_report(model, X)
    inner.get_layer("lif").threshold = 1e9
    assert before.spikes > 0 == energy_report(model, X).spikes


def test_penalties_that_are_asked_for_do_not_mix():
    model = penalize(small(), SynapticPenalty(1.0))
    own = penalty_values(model, X)
    for _ in range(2):
        counts = penalty_values(model, X, penalty=SpikeCountPenalty(1.0))
        squared = penalty_values(model, X, penalty=SynapticPenalty(1.0, p=2))
        report = energy_report(model, X)
        assert counts == {row.name: row.spikes for row in report if row.is_neuron}
        for name, value in own.items():
            assert squared[name] == pytest.approx(value / 2)
    assert penalty_values(model, X) == own
    for p in (1, 2, 3, 4, 5, 6):
        penalty_values(model, X, penalty=SynapticPenalty(1.0, p=p))
    assert len(vars(model)[counter._KEPT].counters) <= 4


def test_precision_is_the_model_s_own_and_seen_when_it_changes():
    stem = layers.Dense(4, kernel_initializer="ones")
    neurons = LIF(beta=0.0, threshold=300.5)
    model = keras.Sequential(
        [keras.Input((1,)), stem, DirectEncoding(2), neurons, layers.Dense(3)]
        + [RateReadout()]
    )
    x = np.full((2, 1), 301.0, "float32")  # in bfloat16, 300
    assert energy_report(model, x).spikes == 8
    keras.config.set_dtype_policy("mixed_bfloat16")  # of layers made from now on
    try:
        vars(model).pop(counter._KEPT)
        assert energy_report(model, x).spikes == 8
    finally:
        keras.config.set_dtype_policy("float32")
    stem.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    assert energy_report(model, x)[neurons.name].flags == ("silent",)


def test_other_shapes_and_dtypes_of_the_input():
    model = small()
    whole = X.round()
    expected = energy_report(model, whole).synops
    for dtype in ("float64", "int32", "uint8", "float32"):
        assert energy_report(model, whole.astype(dtype)).synops == expected
    for size in (1, 3, 8):
        found = energy_report(model, whole, batch_size=size)
        assert found.synops == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("make", [small, subclassed])
def test_what_is_kept_goes_with_its_model(make):
    model = penalize(make(), SynapticPenalty(1e-3))
    energy_report(model, X)
    EnergyMeter(model).report_and_outputs(X)
    found = [weakref.ref(model), weakref.ref(vars(model)[counter._KEPT])]
    del model
    gc.collect()
    assert [ref() for ref in found] == [None, None]


def test_what_is_kept_is_no_part_of_the_model(tmp_path):
    model = penalize(small(), SynapticPenalty(1e-3))
    names = [layer.name for layer in model.layers]
    sizes = [w.shape for w in model.weights]
    report = energy_report(model, X)
    assert [layer.name for layer in model.layers] == names
    assert [w.shape for w in model.weights] == sizes
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    copies = [
        loaded,
        pickle.loads(pickle.dumps(model)),
        keras.models.clone_model(model),
    ]
    for copy in copies:
        assert counter._KEPT not in vars(copy)
        copy.set_weights(model.get_weights())
        assert energy_report(copy, X).synops == report.synops


def test_threads_that_measure_one_model():
    model = penalize(small(), SynapticPenalty(1e-3))
    expected, faults = energy_report(model, X).to_dict(), []
    together = threading.Barrier(4)

    def measure(k):
        together.wait()
        try:
            for turn in range(5):
                if (turn + k) % 5 == 0:
                    kept = vars(model)[counter._KEPT]
                    with kept.lock:
                        kept.counters = []
                assert energy_report(model, X).to_dict() == expected
                assert energy_report(model, X, batch_size=3).samples == len(X)
        except Exception as error:
            faults.append(repr(error))

    threads = [threading.Thread(target=measure, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults[0]
