"""Event files of TensorBoard, written without TensorFlow: the same on every backend."""

from __future__ import annotations

import importlib
import time
from typing import Any

from keras_ssp._extras import require

_VERSION = "brain.Event:2"  # of the format of event files


def records(file: Any) -> Any:
    """What writes events into an open file, after the first that every file has.

    Raises:
        ImportError: If TensorBoard is not installed.
    """
    module = require("tensorboard.summary.writer.record_writer", extra="tensorboard")
    found = module.RecordWriter(file)
    found.write(_event(file_version=_VERSION))
    return found


def event(summary: Any, step: int = 0) -> bytes:
    """An event with a summary, as a file holds it."""
    return _event(step=step, summary=summary)


def new_summary() -> Any:
    """A summary to which values are added."""
    return importlib.import_module("tensorboard.compat.proto.summary_pb2").Summary()


def _event(**values: Any) -> bytes:
    make = importlib.import_module("tensorboard.compat.proto.event_pb2").Event
    found: bytes = make(wall_time=time.time(), **values).SerializeToString()
    return found
