"""Fixtures of all tests; what tests import is in `helpers.py`."""

import keras
import pytest


@pytest.fixture(autouse=True)
def _fresh_state(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)  # of who runs the tests
    keras.utils.set_random_seed(0)
    yield
    keras.utils.clear_session(free_memory=False)  # collecting takes 0.2 s
