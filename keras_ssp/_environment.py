"""Environment variables, as a process hands them to those that it starts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

#: What says how many threads a process may use; read when TensorFlow starts.
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for as long as it lasts.

    Example:

    >>> with environment({"KERAS_SSP_EXAMPLE": "1"}):
    ...     os.environ["KERAS_SSP_EXAMPLE"]
    '1'
    >>> "KERAS_SSP_EXAMPLE" in os.environ
    False
    """
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
