"""EnergyBudget in real training runs."""

import csv
import warnings

import keras
import numpy as np
import pytest

from keras_ssp import (
    BalancedPenalty,
    EnergyBudget,
    SpikeCountPenalty,
    SynapticPenalty,
    SynOpsTarget,
    energy_report,
    penalize,
)
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from tests.callbacks.networks import (
    CLASSES,
    FEATURES,
    X_VAL,
    Y_VAL,
    X,
    Y,
    compiled,
    fit,
    network,
)

EPOCHS = 20


def trained(budget, penalty=None, epochs=EPOCHS, **compile):
    keras.utils.set_random_seed(0)
    model = network(penalty, **compile)
    return model, fit(model, budget, epochs=epochs)


@pytest.fixture(scope="module")
def free():
    """What the network spends when it is trained without penalty."""
    keras.utils.set_random_seed(0)
    model = network()
    fit(model, epochs=EPOCHS)
    return energy_report(model, X_VAL)


PENALTIES = [
    pytest.param(*(SynapticPenalty(0.0), 0.7), marks=pytest.mark.slow),
    (SynapticPenalty(0.0), 0.35),
    pytest.param(*(SynapticPenalty(7.0, p=2), 0.6), marks=pytest.mark.slow),
    (SynapticPenalty(1e-9, normalize=True), 0.5),
    pytest.param(*(SpikeCountPenalty(1e5), 0.4), marks=pytest.mark.slow),
    (BalancedPenalty(0.0), 0.5),
    (SynOpsTarget(0.0, target=100.0), 0.5),
]


@pytest.mark.parametrize(("penalty", "share"), PENALTIES, ids=repr)
def test_every_penalty_ends_on_the_budget_from_any_lambda(free, penalty, share):
    target = share * free.synaptic_energy_pj
    budget = EnergyBudget(target, X_VAL)
    model, history = trained(budget, penalty)
    report = energy_report(model, X_VAL)
    assert budget.spent == pytest.approx(report.synaptic_energy_pj)
    assert 0.97 * target <= report.synaptic_energy_pj <= target
    assert budget.reached and budget.within
    assert history["budget_spent"][-1] == budget.spent
    assert history["accuracy"][-1] > 0.8


@pytest.mark.every_backend
@pytest.mark.parametrize("kind", ["synops", "rate", "total"])
def test_every_kind_of_budget(kind):
    keras.utils.set_random_seed(0)
    before = energy_report(network(), X_VAL)
    of_kind = {
        "synops": lambda report: report.synops,
        "rate": lambda report: report.rate,
        "total": lambda report: report.energy_pj,
    }[kind]
    fixed = before.energy_pj - before.synaptic_energy_pj if kind == "total" else 0.0
    target = fixed + 0.5 * (of_kind(before) - fixed)
    budget = {
        "synops": lambda: EnergyBudget(synops=target, data=X_VAL),
        "rate": lambda: EnergyBudget(rate=target, data=X_VAL),
        "total": lambda: EnergyBudget(target, X_VAL, of="total"),
    }[kind]()
    model, history = trained(budget)
    assert 0.97 * target <= of_kind(energy_report(model, X_VAL)) <= target
    assert history["budget_target"] == [pytest.approx(target)] * EPOCHS


@pytest.mark.every_backend
def test_a_network_below_its_budget_is_left_alone(free):
    budget = EnergyBudget(3.0 * free.synaptic_energy_pj, X_VAL)
    model, history = trained(budget)
    assert history["penalty_weight"][-1] == 0.0
    assert budget.reached and budget.within
    assert budget.spent < 0.97 * budget.target.value


def test_a_missed_budget_is_said_aloud(free):
    budget = EnergyBudget(0.3 * free.synaptic_energy_pj, X_VAL)
    keras.utils.set_random_seed(0)
    model = network()
    with pytest.warns(UserWarning, match="Training ended at .* % above it. Remedy"):
        model.fit(X[:32], np.zeros(32), epochs=1, callbacks=[budget], verbose=0)
    assert not budget.reached and not budget.within


def test_history_csv_and_lambda_of_the_model(free, tmp_path):
    log = tmp_path / "log.csv"
    budget = EnergyBudget(0.5 * free.synaptic_energy_pj, X_VAL)
    keras.utils.set_random_seed(0)
    model = network()
    history = fit(model, budget, keras.callbacks.CSVLogger(str(log)), epochs=EPOCHS)
    with open(log) as file:
        rows = list(csv.DictReader(file))
    names = ("penalty_weight", "budget_spent", "budget_target", "guarded_layers")
    for name in names:
        assert len(history[name]) == EPOCHS
        assert float(rows[-1][name]) == pytest.approx(history[name][-1])


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="torch does not trace")
@pytest.mark.every_backend
def test_nothing_is_traced_again():
    def traces(epochs, *callbacks):
        """How often the training step, and so the loss in it, is traced."""
        keras.utils.set_random_seed(0)
        model, found = network(), []

        def loss(y, outputs):
            found.append(1)
            return keras.losses.sparse_categorical_crossentropy(
                y, outputs, from_logits=True
            )

        model.compile("adam", loss)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one epoch is too short for the budget
            fit(model, *callbacks, epochs=epochs)
        return len(found)

    assert traces(1) == traces(6, EnergyBudget(100.0, X_VAL))


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras has no steps_per_execution there"
)
@pytest.mark.every_backend
def test_steps_per_execution():
    keras.utils.set_random_seed(0)
    target = 0.5 * energy_report(network(), X_VAL).synaptic_energy_pj
    budget = EnergyBudget(target, X_VAL)
    trained(budget, steps_per_execution=4)
    assert budget.reached


def as_dataset():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X_VAL, Y_VAL)).batch(32)


@pytest.mark.parametrize(
    "data",
    [lambda: (X_VAL, Y_VAL), lambda: {"points": X_VAL}, as_dataset],
    ids=["tuple", "dict", "tf.data"],
)
def test_validation_data_of_every_form_measures_the_same(data):
    keras.utils.set_random_seed(0)
    model = network()
    if isinstance(data(), dict):
        inputs = {"points": keras.Input((FEATURES,), name="points")}
        outputs = inputs["points"]
        for layer in model.layers:
            outputs = layer(outputs)
        model = compiled(penalize(keras.Model(inputs, outputs), SynapticPenalty(0.0)))
    budget = EnergyBudget(1e9, data())
    x = {"points": X} if isinstance(data(), dict) else X
    model.fit(x, Y, callbacks=[budget], verbose=0)
    measured = data() if isinstance(data(), dict) else X_VAL
    report = energy_report(model, measured)
    assert budget.spent == pytest.approx(report.synaptic_energy_pj, rel=1e-6)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(16)
        self.norm = keras.layers.BatchNormalization(momentum=0.8)
        self.encode = DirectEncoding(3)
        self.spikes = LIF(time_steps=3, fan_out=CLASSES)
        self.head = keras.layers.Dense(CLASSES)
        self.readout = RateReadout(time_steps=3)

    def call(self, x, training=None):
        x = self.encode(self.norm(self.hidden(x), training=training))
        return self.readout(self.head(self.spikes(x)))


@pytest.mark.every_backend
def test_subclassed_models():
    keras.utils.set_random_seed(0)
    model = Subclassed()
    model(X[:2])
    compiled(penalize(model, SynapticPenalty(0.0)))
    target = 0.5 * energy_report(model, X_VAL).synaptic_energy_pj
    budget = EnergyBudget(target, X_VAL)
    fit(model, budget, epochs=EPOCHS)
    assert 0.97 * target <= budget.spent <= target and budget.reached


def test_early_stopping_settles_too(free):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == EPOCHS - 3

    target = 0.6 * free.synaptic_energy_pj
    budget = EnergyBudget(target, X_VAL)
    keras.utils.set_random_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not have arrived by then
        fit(network(), budget, Stop(), epochs=EPOCHS)
    assert budget.spent is not None
    assert budget.reached == (0.97 * target <= budget.spent <= target)


def test_resumed_training_ends_like_the_unbroken_one(free, tmp_path):
    target = 0.4 * free.synaptic_energy_pj

    class Die(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 7:
                raise KeyboardInterrupt

    def run(name, *more):
        keras.utils.set_random_seed(0)
        model = network()
        callbacks = [
            EnergyBudget(target, X_VAL, state_dir=tmp_path / f"{name}_budget"),
            keras.callbacks.BackupAndRestore(str(tmp_path / name)),
            *more,
        ]
        # Not shuffled: a resumed training would draw another order.
        fit(model, *callbacks, epochs=EPOCHS, shuffle=False)
        return model, callbacks[0]

    whole, budget = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("broken", Die())
    resumed, again = run("broken")
    assert budget.reached and again.spent == budget.spent
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("budget", "penalty", "message"),
    [
        (
            lambda: EnergyBudget(1.0, X_VAL, of="total"),
            SynapticPenalty(0.0),
            "analogue",
        ),
        (lambda: EnergyBudget(synops=1e9, data=X_VAL), SynapticPenalty(0.0), "at most"),
        (
            lambda: EnergyBudget(synops=50.0, data=X_VAL),
            SynOpsTarget(1.0, target=100.0),
            "`penalty` must not pull to more than the budget",
        ),
        (
            lambda: EnergyBudget(50.0, X_VAL),
            SynOpsTarget(1.0, target=100.0),
            "`penalty` must not pull to more than the budget",
        ),
    ],
)
def test_unreachable_targets_are_refused_when_fit_starts(budget, penalty, message):
    with pytest.raises(ValueError, match=message):
        fit(network(penalty), budget(), epochs=1)


def test_without_penalty_is_an_error():
    model = compiled(penalize(network(), None))
    with pytest.raises(ValueError, match="has no penalty. Remedy: call"):
        fit(model, EnergyBudget(1.0, X_VAL), epochs=1)


def test_a_network_that_is_not_finite_is_never_on_budget():
    keras.utils.set_random_seed(0)
    model = network()

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            kernel = self.model.layers[0].kernel
            kernel.assign(np.full(kernel.shape, np.nan, "float32"))

    budget = EnergyBudget(1e9, X_VAL, guard=False)
    with pytest.warns(UserWarning, match="not finite"):
        fit(model, budget, Spoil(), epochs=1)
    assert not budget.reached and not budget.within
