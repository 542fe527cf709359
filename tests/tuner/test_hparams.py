"""TensorBoard reads the trials that we write, without TensorFlow on our side."""

import subprocess
import sys

import pytest

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing.data_provider import (  # noqa: E402
    MultiplexerDataProvider,
)
from tensorboard.backend.event_processing.event_accumulator import (  # noqa: E402
    EventAccumulator,
)
from tensorboard.backend.event_processing.plugin_event_multiplexer import (  # noqa: E402
    EventMultiplexer,
)
from tensorboard.context import RequestContext  # noqa: E402
from tensorboard.plugins.base_plugin import TBContext  # noqa: E402
from tensorboard.plugins.hparams import (  # noqa: E402
    api_pb2,
    backend_context,
    list_session_groups,
)

from keras_ssp.tuner.hparams import write_hparams  # noqa: E402
from keras_ssp.tuner.records import TrialRecord  # noqa: E402

VALUES = {"weight": 0.25, "p": 2, "surrogate": "arctan", "normalize": True}


def trial(name="03", status="completed", **more):
    metrics = {"val_accuracy": 0.875, "val_synops": 123456.0}
    values = {"trial": name, "status": status, "values": VALUES, "seconds": 8.0}
    return TrialRecord(**{**values, "metrics": metrics, **more})


def test_events_hold_the_metrics(tmp_path):
    assert write_hparams(trial(), tmp_path)
    assert write_hparams(trial(), tmp_path)  # replaces what it wrote
    assert [path.name for path in tmp_path.iterdir()] == ["events.out.tfevents.0.trial"]
    found = EventAccumulator(str(tmp_path)).Reload()
    (event,) = found.Tensors("val_synops")
    assert event.tensor_proto.float_val == [123456.0] and event.step == 0
    assert found.Tensors("val_accuracy")[0].tensor_proto.float_val == [0.875]


def session_groups(folder):
    """What TensorBoard's HParams page shows of a log directory."""
    runs = EventMultiplexer().AddRunsFromDirectory(str(folder))
    runs.Reload()
    provider = MultiplexerDataProvider(runs, str(folder))
    context = backend_context.Context(TBContext(data_provider=provider))
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=10,
        aggregation_type=api_pb2.AGGREGATION_AVG,
        allowed_statuses=[api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE],
    )
    handler = list_session_groups.Handler(
        RequestContext(), context, "the only one", request
    )
    return handler.run().session_groups


def test_the_hparams_page_shows_every_trial(tmp_path):
    write_hparams(trial(), tmp_path / "trial_03")
    write_hparams(trial("04", "failed", metrics={}), tmp_path / "trial_04")
    good, bad = sorted(session_groups(tmp_path), key=lambda group: group.name)
    values = {
        "weight": good.hparams["weight"].number_value,
        "p": good.hparams["p"].number_value,
        "surrogate": good.hparams["surrogate"].string_value,
        "normalize": good.hparams["normalize"].bool_value,
    }
    assert values == VALUES
    metrics = {value.name.tag: value.value for value in good.metric_values}
    assert metrics == {"val_accuracy": 0.875, "val_synops": 123456.0}
    (session,) = good.sessions
    assert session.status == api_pb2.STATUS_SUCCESS
    assert session.end_time_secs - session.start_time_secs == pytest.approx(8, abs=0.1)
    assert [s.status for s in bad.sessions] == [api_pb2.STATUS_FAILURE]


WITHOUT = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
from keras_ssp.tuner.hparams import write_hparams
from keras_ssp.tuner.records import TrialRecord
trial = TrialRecord(trial="0", status="completed", values={{}}, metrics={{"a": 1.0}})
print(write_hparams(trial, {folder!r}))
"""


@pytest.mark.parametrize("blocked", ["tensorboard", "tensorflow"])
def test_without(tmp_path, blocked, monkeypatch):
    """Without TensorBoard nothing; without TensorFlow (on JAX) all the same."""
    if blocked == "tensorflow":
        pytest.importorskip("jax")
        monkeypatch.setenv("KERAS_BACKEND", "jax")
    script = WITHOUT.format(blocked=blocked, folder=str(tmp_path / "run"))
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == [str(blocked == "tensorflow")]
    assert (tmp_path / "run").exists() == (blocked == "tensorflow")
