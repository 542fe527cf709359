"""TensorFlow's start-up lines, which nobody asked a command for."""

from __future__ import annotations

import contextlib
import importlib.abc
import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

#: TensorFlow's own variable: 0 shows all that it logs, 1 no remarks, 2 no warnings.
LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# What TensorFlow logs while it is loaded, before it has read that variable, whatever
# the machine: of all else, what goes wrong included, nothing is left out. 303 is a
# machine without NVIDIA's driver, which `keras-ssp doctor` tells; others are errors.
_START_UP = re.compile(
    rb"All log messages before absl::InitializeLog"
    rb"|cudart_stub\.cc.* Could not find cuda drivers"
    rb"|cpu_feature_guard\.cc|^To enable the following instructions"
    rb"|oneDNN custom operations are on"
    rb"|failed call to cuInit: .*\(303\)"
)


def quiet() -> None:
    """Keeps TensorFlow's start-up lines from this process's stderr.

    Only for the process of a command: it sets a variable of the environment and looks
    at what is imported. A level that the user has set is kept, and 0 shows every line.
    """
    # On Linux alone TensorFlow knows CUDA, and can a file be in memory.
    if os.environ.setdefault(LEVEL, "1") != "0" and sys.platform == "linux":
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow as the other finders do, and holds lines while it is loaded."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((each for each in found if each is not None), None)
        loader = None if spec is None else spec.loader
        if loader is not None:
            load = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                with _held():
                    load(module)
                    # It looks for GPUs with the first operation, and logs that it
                    # found no driver; what else is wrong the operation says again.
                    with contextlib.suppress(Exception):
                        module.config.list_physical_devices()

            loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Holds back what is written to stderr, then writes it without start-up lines.

    Libraries write to the file itself, not to `sys.stderr`, so the file is replaced:
    by one in memory, because a pipe that nobody reads meanwhile could fill up.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # closed: nobody reads what is written
        yield
        return
    with open(os.memfd_create("stderr"), "w+b", buffering=0) as memory:
        os.dup2(memory.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            memory.seek(0)
            with contextlib.suppress(OSError):  # a full disk, a program that has left
                for line in memory:
                    if not _START_UP.search(line):
                        os.write(2, line)
