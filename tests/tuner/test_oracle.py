"""The oracle: what it proposes, when it stops, what it remembers."""

import math

import keras_tuner
import numpy as np
import pytest

from keras_ssp import pareto
from keras_ssp.tuner import Objective, ParetoOracle, Sampler, read_search
from tests.tuner import helpers
from tests.tuner.helpers import answer, finish, oracle, run


def test_a_budget_of_trials_is_kept_and_said(tmp_path):
    found = oracle(tmp_path, max_trials=5)
    assert len(run(found)) == 5
    results = read_search(tmp_path / "search")
    assert results.stopped == "5 trials"
    assert [t.trial for t in results.trials] == list("01234")


@pytest.mark.parametrize("sampler", ["ehvi", "sobol", "halton", "random", "grid"])
def test_no_values_are_proposed_twice(tmp_path, sampler):
    """Six points are all there are: each is tried once, then the search ends."""
    found = oracle(tmp_path, "pn", sampler=sampler, max_trials=50)
    values = run(found)
    assert len(values) == len({tuple(sorted(v.items())) for v in values}) == 6
    assert found.stopped == "all values were tried"


def test_a_raised_budget_goes_on(tmp_path):
    first = run(oracle(tmp_path, max_trials=3))
    more = run(oracle(tmp_path, max_trials=6, reload=True))
    assert len(more) == 3
    assert [*first, *more] == run(oracle(tmp_path / "other", max_trials=6))


@pytest.mark.parametrize("sampler", ["ehvi", "halton", "random"])
@pytest.mark.parametrize("killed", [1, 4, 9])
def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(
    tmp_path, sampler, killed
):
    whole = run(oracle(tmp_path / "whole", "wpc", sampler=sampler, max_trials=11))
    found = oracle(tmp_path / "killed", "wpc", sampler=sampler, max_trials=11)
    values = run(found, trials=killed)
    lost = found.create_trial("tuner0")  # under way when it is killed
    again = oracle(
        tmp_path / "killed", "wpc", sampler=sampler, max_trials=11, reload=True
    )
    assert again.create_trial("tuner0").trial_id == lost.trial_id
    values += run(again)
    assert values == whole
    assert again.end_order == sorted(again.end_order, key=int)


def test_another_seed_is_another_search(tmp_path):
    one = run(oracle(tmp_path / "a", sampler="random", seed=0))
    two = run(oracle(tmp_path / "b", sampler="random", seed=1))
    assert one != two
    assert one == run(oracle(tmp_path / "c", sampler="random", seed=0))


def test_seeds_as_trials_repeat_the_values(tmp_path):
    found = oracle(tmp_path, max_trials=6, seeds=3, repeat="trials", seed=5)
    values = run(found)
    assert [v["tuner/seed"] for v in values] == [5, 6, 7, 5, 6, 7]
    weights = [v["weight"] for v in values]
    assert len(set(weights[:3])) == len(set(weights[3:])) == 1
    assert weights[0] != weights[3]


def test_what_failed_stops_nothing(tmp_path):
    found = oracle(tmp_path, max_trials=6)
    for k in range(6):
        trial = found.create_trial("tuner0")
        finish(found, trial, status="FAILED" if k < 4 else "COMPLETED")
    assert found.create_trial("tuner0").status == "STOPPED"
    results = read_search(tmp_path / "search")
    assert [t.status for t in results.trials] == ["failed"] * 4 + ["completed"] * 2
    assert {t.trial for t in results.front} <= {"4", "5"}


def test_hours_count_over_all_processes(tmp_path):
    found = oracle(tmp_path, max_trials=None, max_hours=1.0)
    run(found, trials=2)
    assert found.stop_reason() is None
    found._spent = 3590.0
    found.save()
    again = oracle(tmp_path, max_trials=None, max_hours=1.0, reload=True)
    assert 3590.0 <= again.elapsed < 3600.0
    assert again.stop_reason() is None
    again._spent += 10.0
    assert again.stop_reason() == "1 hours"


def test_patience_ends_a_search_that_gains_nothing(tmp_path):
    found = oracle(tmp_path, max_trials=None, patience=3)
    for k in range(20):
        trial = found.create_trial("tuner0")
        if trial.status == "STOPPED":
            break
        # The third trial is the last one that is any good.
        good = {"val_accuracy": 0.5 + 0.1 * min(k, 2), "val_energy_pj": 100.0}
        finish(found, trial, good)
    assert len(found.trials) == 6
    assert found.stopped == "3 trials without a gain in hypervolume"


def test_the_reference_is_taken_from_the_start_and_stays(tmp_path):
    objectives = ["val_accuracy", "val_energy_pj"]
    found = oracle(tmp_path, objectives=objectives, start=3, max_trials=9)
    run(found, trials=2)
    assert found.reference is None and found.hypervolume_history() == []
    run(found, trials=1)
    done = [answer(t.hyperparameters.values) for t in found.completed()]
    best = max(m["val_accuracy"] for m in done)
    assert found.reference == (
        pytest.approx(0.75 * best),
        pytest.approx(max(m["val_energy_pj"] for m in done)),
    )
    before = found.reference
    again = oracle(tmp_path, objectives=objectives, start=3, max_trials=9, reload=True)
    run(again)
    assert again.reference == before == read_search(tmp_path / "search").reference


def test_a_short_search_has_a_reference_in_the_end(tmp_path):
    found = oracle(tmp_path, objectives=["val_accuracy", "val_energy_pj"], max_trials=2)
    run(found)
    assert read_search(tmp_path / "search").hypervolume_history[-1] >= 0.0


def test_the_hypervolume_is_that_of_the_trials(tmp_path):
    found = oracle(tmp_path, max_trials=8)
    values = [answer(v) for v in run(found)]
    losses = [[-m["val_accuracy"], math.log10(m["val_energy_pj"])] for m in values]
    expected = pareto.hypervolume(losses, [0.0, 3.0])
    results = read_search(tmp_path / "search")
    assert results.hypervolume_history[-1] == pytest.approx(expected, rel=1e-9)
    assert found.hypervolume_history() == results.hypervolume_history
    kept = pareto.non_dominated(losses)
    assert {t.trial for t in results.front} == {str(k) for k in np.flatnonzero(kept)}
    best = found.get_best_trials(2)
    accuracy = [answer(t.hyperparameters.values)["val_accuracy"] for t in best]
    assert accuracy == sorted(accuracy, reverse=True)


def test_a_silent_network_is_a_point_at_the_floor(tmp_path):
    found = oracle(tmp_path, max_trials=3)
    for energy in (0.0, 10.0, 1e5):
        trial = found.create_trial("tuner0")
        finish(found, trial, {"val_accuracy": 0.1, "val_energy_pj": energy})
    # Three decades below the reference of 1000 pJ, not infinitely far.
    assert found.hypervolume_history() == pytest.approx([0.3, 0.3, 0.3])
    assert [t.trial for t in read_search(tmp_path / "search").front] == ["0"]


def test_three_objectives(tmp_path):
    objectives = (*helpers.OBJECTIVES, Objective("time_steps", reference=32))
    found = oracle(
        tmp_path, "wpn", objectives=objectives, sampler="ehvi", max_trials=12
    )
    while (trial := found.create_trial("tuner0")).status == "RUNNING":
        values = trial.hyperparameters.values
        finish(found, trial, {**answer(values), "time_steps": 2.0 ** values["n"]})
    history = found.hypervolume_history()
    assert len(history) == 12 and history[-1] > history[0] > 0


class Broken(Sampler):
    def propose(self, space, observations, index, rng):
        if index == 2:
            raise ZeroDivisionError("of the sampler")
        return rng.random(space.size)


def test_a_sampler_that_fails_ends_the_search_with_its_traceback(tmp_path):
    found = oracle(tmp_path, sampler=Broken())
    assert len(run(found)) == 2
    assert "ZeroDivisionError: of the sampler" in found.failure
    assert found.stopped == "the sampler failed"


def test_the_sampler_knows_what_is_under_way_and_what_failed(tmp_path):
    seen = []

    class Watching(Sampler):
        def propose(self, space, observations, index, rng):
            seen.append(observations)
            return rng.random(space.size)

    found = oracle(tmp_path, sampler=Watching())
    one, two = found.create_trial("a"), found.create_trial("b")
    finish(found, one, status="FAILED")
    found.create_trial("a")
    assert [len(o.pending) for o in seen] == [0, 1, 1]
    assert [len(o.failed) for o in seen] == [0, 0, 1]
    u = (math.log10(two.hyperparameters.values["weight"]) + 2) / 4
    assert seen[2].pending[0][0] == pytest.approx(u)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "`seed` must be that of the search to go on with"),
        ({"seeds": 2}, "`seeds` must be that of the search to go on with"),
        (
            {"objectives": ["val_accuracy", "val_synops"]},
            "`objectives` must be that of the search to go on with",
        ),
    ],
)
def test_a_search_does_not_go_on_as_another_one(tmp_path, change, message):
    run(oracle(tmp_path, max_trials=2))
    with pytest.raises(ValueError, match=message):
        oracle(tmp_path, max_trials=3, reload=True, **change)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"objectives": ["val_accuracy"]}, "`objectives` must be two or three"),
        ({"objectives": "val_accuracy"}, "`objectives` must be two or three"),
        ({"objectives": ["val_loss", "val_loss"]}, "`objectives` must be two or three"),
        ({"objectives": ["val_accuracy", "val_enrgy_pj"]}, "Did you mean 'val_energy"),
        ({"sampler": "evhi"}, "`sampler` must be one of.*Did you mean 'ehvi'"),
        ({"max_trials": 0}, "`max_trials` must be a positive integer"),
        ({"max_trials": None}, "`max_trials`, `max_hours` or `patience` must be given"),
        ({"max_hours": 0}, "`max_hours` must be"),
        ({"patience": 1.5}, "`patience` must be"),
        ({"seeds": 0}, "`seeds` must be"),
        ({"repeat": "mean"}, "`repeat` must be one of"),
        ({"seed": -1}, "`seed` must be an integer"),
        ({"lease": 0}, "`lease` must be"),
    ],
)
def test_refusals(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ParetoOracle(**kwargs)


def test_objectives_of_keras_tuner(tmp_path):
    found = ParetoOracle(
        [keras_tuner.Objective("val_auc", "max"), "val_synops"], max_trials=1
    )
    assert [(o.name, o.direction) for o in found.objectives] == [
        ("val_auc", "max"),
        ("val_synops", "min"),
    ]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"name": "f1"}, "`direction` must be 'min' or 'max'"),
        ({"name": "f1", "direction": "up"}, "`direction` must be one of"),
        ({"name": "val_synops", "scale": "ln"}, "`scale` must be one of"),
        ({"name": "val_synops", "reference": 0.0}, "`reference` must be"),
        ({"name": "val_loss", "reference": math.nan}, "`reference` must be"),
    ],
)
def test_refusals_of_an_objective(kwargs, message):
    with pytest.raises(ValueError, match=message):
        Objective(**kwargs)
