"""Chief and workers as real processes; `make test-slow` runs all that is in faults."""

import sys

import pytest

from tests.tuner import faults

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")


@pytest.mark.parametrize(
    "name", [pytest.param("kill_workers", marks=pytest.mark.slow), "kill_chief"]
)
def test_one_kill(tmp_path, name):
    # On a machine with other work, a worker may well be silent for some seconds.
    print(faults.run(name, 0, tmp_path / "search", trials=6, kills=1, lease=20))


@pytest.mark.slow
@pytest.mark.parametrize("name", faults.SCENARIOS)
@pytest.mark.parametrize("seed", range(100, 103))
def test_everything_that_may_happen(tmp_path, name, seed):
    print(faults.run(name, seed, tmp_path / "search"))
