"""Chief and workers as real processes; `make test-slow` runs all that is in faults."""

import sys

import pytest

from tests.tuner import faults

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")


def test_a_killed_chief(tmp_path):
    # On a machine with other work, a worker may well be silent for some seconds.
    folder = tmp_path / "search"
    print(faults.run("kill_chief", 0, folder, trials=6, kills=1, lease=20))


@pytest.mark.slow
@pytest.mark.parametrize("name", faults.SCENARIOS)
@pytest.mark.parametrize("seed", range(100, 103))
def test_everything_that_may_happen(tmp_path, name, seed):
    print(faults.run(name, seed, tmp_path / "search"))
