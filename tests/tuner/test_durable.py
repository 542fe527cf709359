"""Trials are lent and come back; files are whole; Keras Tuner is as it was."""

import inspect
import json

import keras_tuner
import pytest
from keras_tuner.engine.trial import Trial, TrialStatus

from tests.tuner.helpers import answer, finish, oracle, run


def test_what_is_private_in_keras_tuner_is_as_assumed(tmp_path):
    """All that `durable.py` touches; a new version of Keras Tuner shows here."""
    found = oracle(tmp_path)
    kinds = {
        **{"trials": dict, "ongoing_trials": dict, "tuner_ids": set},
        **{"start_order": list, "end_order": list, "_retry_queue": list},
        **{"_tried_so_far": set, "_id_to_hash": dict, "_seed_state": int},
    }
    for name, kind in kinds.items():
        assert isinstance(getattr(found, name), kind), name
    base = keras_tuner.Oracle
    parameters = {
        name: list(inspect.signature(getattr(base, name)).parameters)
        for name in ("_duplicate", "_record_values", "_save_trial", "_get_trial_dir")
    }
    assert parameters == {
        "_duplicate": ["self", "values"],
        "_record_values": ["self", "trial"],
        "_save_trial": ["self", "trial"],
        "_get_trial_dir": ["self", "trial_id"],
    }
    assert {"ongoing_trials", "retry_queue", "end_order", "tried_so_far"} <= {
        *found.get_state()
    }
    state = Trial(keras_tuner.HyperParameters(), "3", TrialStatus.RUNNING).get_state()
    assert {"trial_id", "hyperparameters", "metrics", "status"} <= {*state}
    assert found._display.verbose == 0


def test_the_trial_of_a_worker_that_is_gone_is_lent_to_another(tmp_path, capsys):
    found = oracle(tmp_path, max_trials=3, lease=0.05)
    lost = found.create_trial("dead")
    found.update_trial(lost.trial_id, answer(lost.hyperparameters.values))
    wait(found)
    again = found.create_trial("alive")
    assert again.trial_id == lost.trial_id
    assert again.hyperparameters.values == lost.hyperparameters.values
    assert not again.metrics.metrics  # of the worker that died
    assert "nothing heard of worker dead" in capsys.readouterr().out
    finish(found, again)
    run(found, "alive")
    assert found.finished()
    assert found.end_order == ["0", "1", "2"]


def wait(found):
    """Lets every lease run out."""
    found._heard = {k: t - 1 for k, t in found._heard.items()}
    found._asked = {k: t - 1 for k, t in found._asked.items()}


def test_a_worker_that_is_heard_from_keeps_its_trial(tmp_path):
    found = oracle(tmp_path, max_trials=2, lease=0.05)
    kept = found.create_trial("slow")
    wait(found)
    found.get_trial(kept.trial_id)
    assert found.create_trial("other").trial_id != kept.trial_id


def test_workers_wait_for_the_last_trials_of_others(tmp_path):
    found = oracle(tmp_path, max_trials=2)
    one, two = found.create_trial("a"), found.create_trial("b")
    finish(found, one)
    assert found.create_trial("a").status == "IDLE"
    assert not found.finished()
    finish(found, two)
    assert found.create_trial("a").status == "STOPPED"
    assert found.create_trial("b").status == "STOPPED"
    assert found.finished() and not found.waiting()


def test_of_two_workers_with_one_trial_the_first_counts(tmp_path):
    found = oracle(tmp_path, max_trials=2, lease=0.05)
    slow = keep(found.create_trial("slow"))
    wait(found)
    other = keep(found.create_trial("other"))
    assert other.trial_id == slow.trial_id
    finish(found, slow, {"val_accuracy": 0.5, "val_energy_pj": 1.0})
    finish(found, other, {"val_accuracy": 0.7, "val_energy_pj": 2.0})
    assert found.end_order == [slow.trial_id]
    assert found.trials[slow.trial_id].metrics.get_last_value("val_accuracy") == 0.5
    assert not found.ongoing_trials
    assert found.create_trial("slow").trial_id != slow.trial_id


def keep(trial):
    """A copy, as a worker in another process has it."""
    return type(trial).from_state(json.loads(json.dumps(trial.get_state())))


def test_a_restarted_chief_leaves_trials_with_their_workers(tmp_path):
    found = oracle(tmp_path, max_trials=4)
    one, two = keep(found.create_trial("a")), keep(found.create_trial("b"))
    again = oracle(tmp_path, max_trials=4, reload=True)
    assert not again._retry_queue
    finish(again, one)
    assert again.create_trial("a").trial_id not in (one.trial_id, two.trial_id)
    finish(again, two)
    assert again.end_order == [one.trial_id, two.trial_id]


@pytest.mark.parametrize("torn", ["before the state", "before the trial"])
def test_a_kill_between_two_files_loses_nothing(tmp_path, torn):
    found = oracle(tmp_path, max_trials=4)
    run(found, trials=1)
    state = (tmp_path / "search" / "oracle.json").read_text()
    trial = found.create_trial("a")
    if (
        torn == "before the state"
    ):  # the trial's file is there, the state is the old one
        (tmp_path / "search" / "oracle.json").write_text(state)
    else:  # the result is in the trial's file, the state says it is under way
        state = (tmp_path / "search" / "oracle.json").read_text()
        finish(found, trial)
        (tmp_path / "search" / "oracle.json").write_text(state)
    again = oracle(tmp_path, max_trials=4, reload=True)
    values = run(again, "b")
    assert sorted(again.end_order) == ["0", "1", "2", "3"]
    assert len(again.completed()) == 4
    assert len(values) == (3 if torn == "before the state" else 2)
