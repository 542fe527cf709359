"""Whether the graph that is being written is to leave Python: a SavedModel, a file.

Such a graph runs where there may be no XLA compiler, and with any batch size, so it
holds no function that must be compiled; the loop over time is written out, since
LiteRT and ONNX know no TensorArray. `keras_ssp.export` says so by `exporting`;
`model.export` of Keras itself is noticed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from keras_ssp.graph import keras_private

#: Up to this many steps the loop of an exported graph is written out.
MAX_EXPORTED_STEPS = 128

# `None` outside of `exporting`, inside of it whether gradients are kept.
_exporting: ContextVar[bool | None] = ContextVar("keras_ssp_exporting", default=None)


@contextlib.contextmanager
def exporting(*, gradients: bool = True) -> Iterator[None]:
    """Graphs that are written inside the block are to leave Python.

    Args:
        gradients: Whether the surrogate gradient is written, too. Without it the
            gradient through spikes is zero. Defaults to `True`.
    """
    token = _exporting.set(gradients)
    try:
        yield
    finally:
        _exporting.reset(token)


def leaves_python() -> bool:
    """Whether the graph that is being written is to leave Python."""
    return _exporting.get() is not None or keras_private.within_export()


def without_gradient() -> bool:
    """Whether it is to leave without the surrogate gradient."""
    return _exporting.get() is False
