"""Searches that train: small networks, real trials."""

import json

import keras
import keras_tuner
import numpy as np
import pytest

from keras_ssp import (
    LIF,
    DirectEncoding,
    RateReadout,
    SynapticPenalty,
    energy_report,
    penalize,
)
from keras_ssp.tuner import Objective, ParetoTuner, read_search

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 6)).astype("float32")
Y = X[:, :3].argmax(axis=1)
DATA = {"validation_data": (X[64:], Y[64:])}
OBJECTIVES = (
    Objective("val_accuracy", reference=0.0),
    Objective("val_synaptic_energy_pj", reference=1000.0),
)


def network(steps=2, *, threshold=1.0, activation=None):
    layers = [DirectEncoding(steps), LIF(threshold=threshold, name="spikes")]
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(16),
            *(layers if activation is None else [keras.layers.Activation(activation)]),
            keras.layers.Dense(3),
            *([RateReadout()] if activation is None else []),
        ]
    )
    return model


def compiled(model, weight=None):
    if weight is not None:
        penalize(model, SynapticPenalty(weight, normalize=True))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], run_eagerly=True)
    return model


def build(hp):
    weight = hp.Float("penalty_weight", 1e-3, 10.0, sampling="log")
    return compiled(network(hp.Choice("T", [1, 2])), weight)


def search(folder, hypermodel=build, *, data=DATA, epochs=1, **kwargs):
    kwargs = {"objectives": OBJECTIVES, "max_trials": 3, "sampler": "halton", **kwargs}
    tuner = ParetoTuner(hypermodel, directory=folder, **kwargs)
    tuner.search(X[:64], Y[:64], epochs=epochs, verbose=0, **data)
    return tuner


@pytest.mark.every_backend
def test_what_is_measured_is_what_the_model_does(tmp_path):
    tuner = search(tmp_path)
    results = tuner.results()
    assert [t.status for t in results.trials] == ["completed"] * 3
    for trial in results.trials:
        model = tuner.load_model(trial)
        report = energy_report(model, X[64:])
        loss, accuracy = model.evaluate(X[64:], Y[64:], verbose=0)
        assert trial.metrics == pytest.approx(
            {
                "val_loss": loss,
                "val_accuracy": accuracy,
                "val_synops": report.synops,
                "val_synaptic_energy_pj": report.synaptic_energy_pj,
                "val_energy_pj": report.energy_pj,
                "val_spike_rate": report.rate,
                "parameters": model.count_params(),
                "time_steps": trial.values["T"],
            },
            rel=1e-5,
        )
        written = json.loads((trial.folder / "energy.json").read_text())
        assert written["totals"]["synops"] == pytest.approx(report.synops)
        assert list((trial.folder / "tensorboard").glob("events.out.tfevents.*"))
        rows = (trial.folder / "history.csv").read_text().splitlines()
        assert rows[0].startswith("epoch,") and len(rows) == 2


@pytest.mark.slow
def test_a_finished_search_does_nothing_more(tmp_path):
    before = search(tmp_path).results()
    times = {
        t.trial: (t.folder / "model.keras").stat().st_mtime_ns for t in before.trials
    }
    tuner = search(tmp_path)
    after = tuner.results()
    assert [t.to_dict() for t in after.trials] == [t.to_dict() for t in before.trials]
    assert times == {
        t.trial: (t.folder / "model.keras").stat().st_mtime_ns for t in after.trials
    }


@pytest.mark.slow
def test_the_same_search_finds_the_same_networks(tmp_path):
    one, two = (search(tmp_path / name).results() for name in "ab")
    assert [t.metrics for t in one.trials] == [t.metrics for t in two.trials]


def test_a_failed_trial_keeps_its_traceback_and_stops_nothing(tmp_path):
    def sometimes(hp):
        if hp.Choice("width", [0, 1, 2]) == 1:
            raise OSError("the disk is on fire")
        return build(hp)

    results = search(tmp_path, sometimes, max_trials=4).results()
    failed = [t for t in results.trials if t.status == "failed"]
    assert failed and len(results.completed) == 4 - len(failed) > 0
    for trial in failed:
        assert trial.values["width"] == 1
        assert trial.error == "OSError: the disk is on fire"
        text = (trial.folder / "error.txt").read_text()
        assert "in sometimes" in text and "the disk is on fire" in text
    assert not any((t.folder / "error.txt").exists() for t in results.completed)


def test_a_search_of_which_nothing_comes_says_so(tmp_path):
    def never(hp):
        # The space is built with the default, a trial is not.
        if hp.Float("x", 0.0, 1.0, default=0.5) != 0.5:
            raise OSError("no")
        return build(hp)

    with pytest.raises(
        RuntimeError, match="None of 2 trials was completed.*OSError: no"
    ):
        search(tmp_path, never, max_trials=2)


@pytest.mark.every_backend
def test_a_network_that_is_not_finite_is_a_failure(tmp_path):
    def broken(hp):
        model = build(hp)
        if hp.Boolean("nan"):
            kernel = model.layers[0].kernel
            value = np.asarray(keras.ops.convert_to_numpy(kernel)).copy()
            value[0, 0] = np.nan
            kernel.assign(value)
        return model

    results = search(tmp_path, broken, max_trials=4).results()
    assert {t.values["nan"] for t in results.completed} == {False}
    failed = [t for t in results.trials if t.status == "failed"]
    assert failed
    assert all("not finite" in t.error for t in failed)
    # A LIF takes NaN for no spike: it would have been the cheapest network of all.
    assert all(t.metrics["val_synops"] > 0 for t in results.front)


@pytest.mark.slow
def test_a_silent_network_is_a_bad_point_but_a_point(tmp_path):
    def quiet(hp):
        return compiled(network(threshold=hp.Choice("threshold", [1.0, 1e9])))

    results = search(tmp_path, quiet, max_trials=2).results()
    silent = next(t for t in results.trials if t.values["threshold"] == 1e9)
    assert silent.status == "completed"
    assert silent.metrics["val_synaptic_energy_pj"] == 0.0
    assert silent.notes == ("silent: spikes",)
    assert silent.trial in {t.trial for t in results.front}
    assert results.pick("knee").values["threshold"] == 1.0


def test_a_network_without_spikes_is_not_a_cheap_one(tmp_path):
    def either(hp):
        kind = hp.Choice("activation", ["lif", "relu"])
        return compiled(network(activation=None if kind == "lif" else "relu"))

    results = search(tmp_path / "a", either, max_trials=2).results()
    relu = next(t for t in results.trials if t.values["activation"] == "relu")
    assert (
        relu.status == "failed" and "`objectives` must not count spikes" in relu.error
    )
    # Multiply-accumulates are energy too.
    objectives = ["val_accuracy", Objective("val_energy_pj", reference=1e4)]
    results = search(
        tmp_path / "b", either, max_trials=2, objectives=objectives
    ).results()
    relu = next(t for t in results.trials if t.values["activation"] == "relu")
    assert relu.metrics["val_energy_pj"] == pytest.approx(4.6 * (6 * 16 + 16 * 3))


def test_seeds_are_averaged(tmp_path):
    tuner = search(tmp_path, seeds=2, max_trials=2, seed=3)
    for trial in tuner.results().trials:
        assert trial.seeds == (3, 4)
        runs = [
            json.loads((trial.folder / f"seed_{seed}" / "run.json").read_text())
            for seed in trial.seeds
        ]
        energies = [run["val_synaptic_energy_pj"] for run in runs]
        assert energies[0] != energies[1]
        name = "val_synaptic_energy_pj"
        assert trial.metrics[name] == pytest.approx(np.mean(energies))
        assert trial.spread[name] == pytest.approx(np.std(energies, ddof=1))
        best = max(run["val_accuracy"] for run in runs)
        accuracy = tuner.load_model(trial).evaluate(X[64:], Y[64:], verbose=0)[1]
        assert accuracy == pytest.approx(best)


@pytest.mark.slow
def test_seeds_as_trials(tmp_path):
    results = search(tmp_path, seeds=2, repeat="trials", max_trials=4).results()
    assert [t.seeds for t in results.trials] == [(0,), (1,), (0,), (1,)]
    values = [t.values for t in results.trials]
    assert values[0] == values[1] != values[2] == values[3]
    assert results.trials[0].metrics != results.trials[1].metrics


class OwnFit(keras_tuner.HyperModel):
    """Trains in its own way, and measures something of its own."""

    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, x, y, validation_data, **kwargs):
        model.fit(x, y, epochs=1, verbose=0)
        return {"fairness": 1.0 - hp.get("penalty_weight") / 10}


def test_a_hypermodel_with_a_fit_and_a_metric_of_its_own(tmp_path):
    objectives = ["val_synops", Objective("fairness", "max")]
    results = search(tmp_path, OwnFit(), objectives=objectives, start=3).results()
    for trial in results.trials:
        expected = 1.0 - trial.values["penalty_weight"] / 10
        assert trial.metrics["fairness"] == pytest.approx(expected)
    assert results.quality.name == "fairness" and results.cost.name == "val_synops"


def test_latency_is_measured_when_it_is_asked_for(tmp_path):
    objectives = (*OBJECTIVES, Objective("latency_ms"))
    results = search(tmp_path, objectives=objectives, max_trials=1).results()
    assert results.trials[0].metrics["latency_ms"] > 0


@pytest.mark.slow
def test_callbacks_are_new_for_every_trial(tmp_path):
    class Once(keras.callbacks.Callback):
        begun = 0

        def on_train_begin(self, logs=None):
            assert not self.begun
            self.begun += 1

    data = {**DATA, "callbacks": [Once()]}
    results = search(tmp_path, data=data, max_trials=2).results()
    assert len(results.completed) == 2


class Frozen(keras_tuner.HyperModel):
    """Trains nothing: a trial ends with the weights that it started from."""

    def build(self, hp):
        return compiled(network(), hp.Float("weight", 0.01, 1.0, sampling="log"))

    def fit(self, hp, model, *args, **kwargs):
        model.optimizer.build(model.trainable_variables)
        return {}


def kernels(tuner):
    models = [tuner.load_model(trial) for trial in tuner.results().trials]
    return [np.asarray(keras.ops.convert_to_numpy(m.layers[0].kernel)) for m in models]


@pytest.mark.every_backend
def test_a_warm_start_takes_the_weights_of_the_nearest_trial(tmp_path):
    class Adding(Frozen):
        def fit(self, hp, model, *args, **kwargs):
            model.layers[0].kernel.assign_add(np.ones((6, 16), "float32"))
            return super().fit(hp, model)

    tuner = search(tmp_path, Adding(), warm_start="weight", max_trials=4)
    found = kernels(tuner)
    weights = [np.log(t.values["weight"]) for t in tuner.results().trials]
    for k in range(1, 4):
        nearest = min(range(k), key=lambda j: abs(weights[j] - weights[k]))  # noqa: B023
        np.testing.assert_allclose(found[k], found[nearest] + 1, rtol=1e-6)
    for trial in tuner.results().trials:  # lambda is the trial's own
        weight = tuner.load_model(trial).get_layer("spikes").penalty_weight
        assert float(weight) == pytest.approx(trial.values["weight"], rel=1e-6)


@pytest.mark.slow
def test_without_a_warm_start_all_trials_start_alike(tmp_path):
    found = kernels(search(tmp_path, Frozen()))
    for kernel in found[1:]:
        np.testing.assert_array_equal(kernel, found[0])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"data": {}}, "`validation_data` must be given"),
        ({"warm_start": "lambda"}, "`warm_start` must be the name of a hyperparameter"),
        ({"energy_model": "cmos46"}, "`energy_model` must be one of"),
        ({"batch_size": 0}, "`batch_size` must be"),
    ],
)
def test_refusals(tmp_path, kwargs, message):
    with pytest.raises(ValueError, match=message):
        search(tmp_path, **kwargs)


def test_a_search_without_anything_to_search_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="at least one hyperparameter"):
        search(tmp_path, lambda hp: compiled(network()))


def test_an_objective_that_nobody_measures_is_named(tmp_path):
    objectives = ["val_accuracy", Objective("val_f1", "max")]
    with pytest.raises(
        RuntimeError, match="`objectives` must be among what is measured"
    ):
        search(tmp_path, objectives=objectives, max_trials=1)


@pytest.mark.slow
def test_overwrite_starts_again(tmp_path):
    search(tmp_path, max_trials=2)
    results = search(tmp_path, max_trials=1, overwrite=True).results()
    assert len(results.trials) == 1
    assert read_search(tmp_path / "pareto").limits["max_trials"] == 1
