"""A search whose process is cut off at each of its writes, one after another."""

import contextlib
import itertools
import os

import pytest

from keras_ssp.tuner import read_search
from tests.tuner.helpers import finish, oracle, run

# `start` is among the trials: the reference is taken in the middle of them.
OPTIONS = {"sampler": "ehvi", "max_trials": 6, "start": 4}
# The reference of one objective is for the trials to show.
OBJECTIVES = ("val_accuracy", "val_energy_pj")


class PowerCut(BaseException):
    """What nothing catches."""


def cut(monkeypatch, number):
    """Ends all at the k-th write, before it for odd numbers, else after it."""
    count = 0

    def replace(source, target):
        nonlocal count
        count += 1
        if number == 2 * count - 1:
            raise PowerCut
        real(source, target)
        if number == 2 * count:
            raise PowerCut

    real = os.replace
    monkeypatch.setattr(os, "replace", replace)


def new(folder, reload, **options):
    options = {**OPTIONS, **options}
    found = oracle(folder, "wp", OBJECTIVES, reload=reload, **options)
    if not reload:
        found.save()
    return found


def check(folder):
    results = read_search(folder / "search")
    assert [t.status for t in results.trials] == ["completed"] * 6
    history = results.hypervolume_history
    assert len(history) == 6 and history == sorted(history)
    return [dict(t.values) for t in results.trials], results.reference


@contextlib.contextmanager
def power(number):
    """Power that fails at a write; tells afterwards whether it did."""
    failed = []
    with pytest.MonkeyPatch.context() as patch:
        cut(patch, number)
        try:
            yield failed
        except PowerCut:
            failed.append(number)


@pytest.mark.slow
def test_one_process_proposes_what_it_would_have(tmp_path):
    run(new(tmp_path / "whole", reload=False))
    whole = check(tmp_path / "whole")
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        found = new(folder, reload=False)
        with power(number) as failed:
            run(found)
        if not failed:
            break
        found = new(folder, reload=True)
        run(found)
        assert check(folder) == whole, number
        assert found.end_order == sorted(set(found.end_order)), number
    assert number > 50


class Chief:
    """An oracle that starts again where it was cut off, and is then asked again."""

    def __init__(self, folder):
        self.folder = folder
        self.oracle = new(folder, reload=False, sampler="halton")
        self.restarts = 0

    def __getattr__(self, name):
        def ask(*args, **kwargs):
            try:
                return getattr(self.oracle, name)(*args, **kwargs)
            except PowerCut:
                self.restarts += 1
                self.oracle = new(self.folder, reload=True, sampler="halton")
                return getattr(self.oracle, name)(*args, **kwargs)

        return ask


def work(chief, workers):
    """Workers that take turns; returns the trials that they were lent, in order."""
    held, lent = dict.fromkeys(workers), []
    while held:
        for worker, trial in [*held.items()]:
            if trial is not None:
                finish(chief, trial)
                held[worker] = None
                continue
            trial = chief.create_trial(worker)
            if trial.status == "RUNNING":
                lent.append(trial.trial_id)
                held[worker] = trial
            elif trial.status == "STOPPED":
                del held[worker]
    return lent


def test_a_chief_loses_no_trial_and_lends_none_twice(tmp_path):
    for number in itertools.count(1):
        chief = Chief(tmp_path / str(number))
        with power(number):
            lent = work(chief, "abc")
        check(chief.folder)
        assert sorted(lent) == list("012345"), number
        assert sorted(chief.oracle.end_order) == list("012345"), number
        assert chief.finished() and not chief.waiting()
        if not chief.restarts:
            break
    assert number > 50
