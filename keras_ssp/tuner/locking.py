"""The lock of an oracle, which Keras Tuner keeps in a module of its own."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import keras_tuner
from keras_tuner.src.engine import oracle as keras_tuner_oracle

P = ParamSpec("P")
R = TypeVar("R")
Self = TypeVar("Self", bound=keras_tuner.Oracle)


def synchronized(
    method: Callable[Concatenate[Self, P], R],
) -> Callable[Concatenate[Self, P], R]:
    """`keras_tuner.synchronized`, with its lock, which what is raised gives back.

    Keras Tuner's own keeps the lock then, and every later question waits for ever.
    """
    locks, threads = keras_tuner_oracle.LOCKS, keras_tuner_oracle.THREADS

    @functools.wraps(method)
    def locked(self: Self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        thread = threading.current_thread().name
        if threads[self] == thread:
            return method(self, *args, **kwargs)
        with locks[self]:
            threads[self] = thread
            try:
                return method(self, *args, **kwargs)
            finally:
                threads[self] = None

    return locked
