"""A process that measures one contender, as the driver says, a line of JSON each."""

from __future__ import annotations

import importlib
import json
import platform
import sys
import time
import traceback
from typing import Any

from benchmarks.cases import Case
from benchmarks.contenders import CONTENDERS


def main(name: str) -> None:
    """Answers commands until the input ends."""
    contender = next(c for c in CONTENDERS if c.name == name)
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print goes there
    runs: dict[str, Any] = {}
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if command["do"] == "load":
                runs.clear()
                module = importlib.import_module(
                    f"benchmarks.contenders.{contender.module}"
                )
                case = Case.from_dict(command["case"])
                runs.update(module.build(case, compiled=contender.compiled))
                answer = {"runs": [*runs], "versions": versions(contender.package)}
            elif command["do"] == "warm":
                answer = {"seconds": seconds(runs[command["run"]])}
                seconds(runs[command["run"]], 2)
            elif command["do"] == "time":
                answer = {"seconds": seconds(runs[command["run"]], command["times"])}
            else:
                answer = {"bytes": _peak(runs[command["run"]])}
        except Exception as error:  # whatever a package raises, the others go on
            traceback.print_exc(file=sys.stderr)
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


def versions(package: str) -> dict[str, str]:
    """Versions of what runs."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in (package.replace("_", "-"), "tensorflow", "jax", "torch", "keras"):
        if name.replace("-", "_") in sys.modules:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = "?"
    return found


def seconds(run: Any, times: int = 1) -> float:
    """Seconds of a run, the mean of so many.

    What a GPU is given waits in a line, as in training: only the last is waited for.
    """
    start = time.perf_counter()
    for _ in range(times):
        found = run()
    _wait(found)
    return (time.perf_counter() - start) / times


def _wait(found: Any) -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()
    elif "jax" in sys.modules:
        sys.modules["jax"].block_until_ready(found)


def _peak(run: Any) -> int | None:
    """Bytes that one run needs on top of what is there already, at its highest."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return int(torch.cuda.max_memory_allocated() - before)
    jax = sys.modules.get("jax")
    if jax is not None and jax.default_backend() == "gpu":
        device = jax.local_devices()[0]
        before = device.memory_stats()["bytes_in_use"]
        run()  # the highest since the process began: of the largest run, which is last
        return int(device.memory_stats()["peak_bytes_in_use"] - before)
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # forget the highest size so far
    except OSError:
        return None
    before = _status("VmRSS")
    run()
    more = _status("VmHWM") - before
    # No step needs so little: an allocator has kept what the run before it freed.
    return more if more > 2**16 else None


def _status(field: str) -> int:
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
