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
    parser.addoption("--slow", action="store_true", help="also run what is slow")


def pytest_collection_modifyitems(config, items):
    asked = items
    if not config.getoption("slow"):
        asked = [item for item in items if item.get_closest_marker("slow") is None]
    few = config.getoption("few")
    kept = set(spread(asked, few) if few else asked)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def spread(items, few):
    """Of each test so many parameter sets, the first and the last among them."""
    sets = {}
    for item in items:
        sets.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for mine in sets.values():
        count, last = min(few, len(mine)), len(mine) - 1
        yield from (mine[round(k * last / max(count - 1, 1))] for k in range(count))


@pytest.fixture(autouse=True)
def _fresh_state(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)  # of who runs the tests
    keras.utils.set_random_seed(0)
    yield
    keras.utils.clear_session(free_memory=False)  # collecting takes 0.2 s
