"""A chief: whom it lends its trials, and what it does when something is wrong."""

import socket
import threading

import pytest

from keras_ssp._environment import environment
from keras_ssp.tuner import read_search, remote
from tests.tuner.helpers import answer, finish, oracle, run
from tuning.processes import chief_environment


def chief(folder, **kwargs):
    found = oracle(folder, **kwargs)
    assert not found.finished()  # which a chief asks all the time
    return found


def test_a_trial_that_kills_its_workers_is_a_failure(tmp_path):
    found = chief(tmp_path, max_trials=2)
    lent = [found.create_trial("a").trial_id for _ in range(6)]
    assert lent == ["0"] * 5 + ["1"]
    finish(found, found.trials["1"])
    assert found.create_trial("a").status == "STOPPED"
    trials = read_search(tmp_path / "search").trials
    assert [t.status for t in trials] == ["failed", "completed"]
    assert trials[0].error == "begun 5 times, and each time its worker died"
    assert "5 times" in (trials[0].folder / "error.txt").read_text()


def test_a_restarted_chief_knows_how_often_a_trial_was_lent(tmp_path):
    found = chief(tmp_path, max_trials=3)
    for _ in range(4):
        found.create_trial("a")
    found.save()
    again = oracle(tmp_path, max_trials=3, reload=True)
    assert not again.finished()
    assert [again.create_trial("a").trial_id for _ in range(2)] == ["0", "1"]


def test_who_interrupts_a_search_of_his_own_may_do_so_often(tmp_path):
    oracle(tmp_path, max_trials=2).save()
    for _ in range(10):
        found = oracle(tmp_path, max_trials=2, reload=True)
        assert found.create_trial("tuner0").trial_id == "0"
    run(found)
    results = read_search(tmp_path / "search")
    assert [t.status for t in results.trials] == ["completed"] * 2


def test_an_end_whose_metrics_were_thrown_away_does_not_count(tmp_path):
    """A worker reports, stands still for longer than its lease, and says it is done."""
    found = chief(tmp_path, max_trials=1, lease=0.05)
    slow = found.create_trial("slow")
    found.update_trial(slow.trial_id, answer(slow.hyperparameters.values))
    found._heard[slow.trial_id] -= 1
    found.reap()
    other = found.create_trial("other")
    assert other.trial_id == slow.trial_id
    slow.status = "COMPLETED"
    found.end_trial(slow)
    assert not found.end_order and found.ongoing_trials["other"] is other
    finish(found, other)
    assert found.end_order == [other.trial_id] and found.finished()


def test_a_chief_that_stood_still_takes_nothing_back(tmp_path):
    found = chief(tmp_path, max_trials=2, lease=5.0)
    trial = found.create_trial("a")
    for times in (found._heard, found._asked):
        times.update({k: t - 60 for k, t in times.items()})
    found._looked -= 60
    assert not found.finished()
    assert found.ongoing_trials == {"a": trial}
    found._heard[trial.trial_id] -= 60  # but it was the worker who was silent
    assert not found.finished()
    assert not found.ongoing_trials


def test_search_json_says_that_it_stopped_when_nothing_is_under_way(tmp_path):
    """Workers whose chief is away would leave, with their trials."""
    found = chief(tmp_path, max_trials=2)
    one, two = found.create_trial("a"), found.create_trial("b")
    finish(found, one)
    assert found.create_trial("a").status == "IDLE"
    found.save()
    assert read_search(tmp_path / "search").stopped is None
    finish(found, two)
    assert read_search(tmp_path / "search").stopped == "2 trials"


def test_what_is_raised_gives_the_lock_back(tmp_path):
    found = chief(tmp_path)
    trial = found.create_trial("a")
    with pytest.raises(ValueError, match="Objective value missing"):
        found.update_trial(trial.trial_id, {})
    with pytest.raises(KeyError):
        found.update_trial("99", {})
    thread = threading.Thread(target=found.finished, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


def test_an_address_that_is_taken_is_an_error(tmp_path):
    found = oracle(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with environment(chief_environment(port=port)):
            with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
                remote.serve(found, tmp_path)


def test_a_chief_says_where_it_is_and_leaves_no_trace(tmp_path):
    found = oracle(tmp_path, max_trials=1)
    trial = found.create_trial("a")
    said = []

    def look():
        while not (tmp_path / "chief.json").exists():
            pass
        said.append((tmp_path / "chief.json").read_text())
        finish(found, trial)
        found.create_trial("a")

    thread = threading.Thread(target=look)
    thread.start()
    with environment(chief_environment()):
        remote.serve(found, tmp_path)
    thread.join()
    assert '"127.0.0.1"' in said[0] and not (tmp_path / "chief.json").exists()
