"""What pytest is told, and fixtures; what tests import is in `helpers.py`."""

import keras
import pytest


def pytest_addoption(parser):
    parser.addoption(
        "--few",
        type=int,
        metavar="N",
        help="of a test with more parameter sets, run N, spread over all of them",
    )


def pytest_collection_modifyitems(config, items):
    few = config.getoption("few")
    if not few:
        return
    sets = {}
    for item in items:
        sets.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = set()
    for mine in sets.values():
        steps = min(few, len(mine))
        last = len(mine) - 1
        kept.update(mine[round(k * last / max(steps - 1, 1))] for k in range(steps))
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


@pytest.fixture(autouse=True)
def _fresh_state(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)  # of who runs the tests
    keras.utils.set_random_seed(0)
    yield
    keras.utils.clear_session(free_memory=False)  # collecting takes 0.2 s
