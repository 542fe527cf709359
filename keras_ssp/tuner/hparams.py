"""The trials of a search for TensorBoard's HParams page, where TensorBoard is there.

Written without TensorFlow, so that it is the same on every backend.
"""

from __future__ import annotations

import importlib
import os
import pathlib
import time
from typing import Any

from keras_ssp import _tensorboard
from keras_ssp._files import sync
from keras_ssp.tuner.records import COMPLETED, TrialRecord
from keras_ssp.types import StrPath


def write_hparams(record: TrialRecord, folder: StrPath) -> bool:
    """Writes the hyperparameters and metrics of a trial as a run of TensorBoard.

    `tensorboard --logdir` on the folder of the search then compares its trials: a
    table, parallel coordinates, and a matrix of scatter plots. A trial that is written
    again replaces what it wrote before.

    Args:
        record: A trial that has ended.
        folder: The folder of its run, such as `tensorboard` in that of the trial; its
            path under the log directory is the name of the run.

    Returns:
        Whether it was written: `False` without TensorBoard, by design.

    Example:

    >>> record = TrialRecord(trial="03", status="completed", values={"weight": 0.1},
    ...     metrics={"val_accuracy": 0.9})
    >>> write_hparams(record, "runs/digits/trial_03/tensorboard") in (True, False)
    True
    """
    try:
        summaries = _summaries(record)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "tensorboard":
            raise
        return False
    path = pathlib.Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    name = path / "events.out.tfevents.0.trial"
    partial = path / f"partial-{os.getpid()}"  # no name that TensorBoard reads
    with open(partial, "wb") as file:
        records = _tensorboard.records(file)
        for summary in summaries:
            records.write(_tensorboard.event(summary))
    sync(partial)
    os.replace(partial, name)
    return True


def _summaries(record: TrialRecord) -> list[Any]:
    """Start with the hyperparameters, a scalar a metric, end with the status."""
    hparams = "tensorboard.plugins.hparams"
    api = importlib.import_module(f"{hparams}.api_pb2")
    metadata = importlib.import_module(f"{hparams}.metadata")
    data = importlib.import_module(f"{hparams}.plugin_data_pb2")
    start = data.SessionStartInfo(group_name=record.trial)
    for name, value in record.values.items():
        if isinstance(value, bool):
            start.hparams[name].bool_value = value
        elif isinstance(value, int | float):
            start.hparams[name].number_value = value
        else:
            start.hparams[name].string_value = str(value)
    good = record.status == COMPLETED
    status = api.STATUS_SUCCESS if good else api.STATUS_FAILURE
    end = data.SessionEndInfo(status=status, end_time_secs=time.time())
    if record.seconds is not None:
        start.start_time_secs = end.end_time_secs - record.seconds
    return [
        _session(
            metadata.SESSION_START_INFO_TAG,
            data.HParamsPluginData(session_start_info=start),
        ),
        *(_scalar(name, value) for name, value in record.metrics.items()),
        _session(
            metadata.SESSION_END_INFO_TAG,
            data.HParamsPluginData(session_end_info=end),
        ),
    ]


def _session(tag: str, content: Any) -> Any:
    metadata = importlib.import_module("tensorboard.plugins.hparams.metadata")
    summary = _tensorboard.new_summary()
    summary.value.add(
        tag=tag,
        metadata=metadata.create_summary_metadata(content),
        tensor=metadata.NULL_TENSOR,
    )
    return summary


def _scalar(name: str, value: float) -> Any:
    scalars = importlib.import_module("tensorboard.plugins.scalar.metadata")
    summary = _tensorboard.new_summary()
    tensor = importlib.import_module("tensorboard.compat.proto.tensor_pb2").TensorProto
    types = importlib.import_module("tensorboard.compat.proto.types_pb2")
    summary.value.add(
        tag=name,
        metadata=scalars.create_summary_metadata(display_name=None, description=None),
        # double_val would be shown too, but the HParams page reads floats.
        tensor=tensor(dtype=types.DT_FLOAT, float_val=[value]),
    )
    return summary
