"""Keras Tuner's chief and workers (gRPC), made to outlive each other.

Which of the two a process is, its environment says, as in Keras Tuner:
`KERASTUNER_TUNER_ID` (a chief's begins with "chief"), `KERASTUNER_ORACLE_IP` and
`KERASTUNER_ORACLE_PORT`.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

from keras_tuner.engine.trial import TrialStatus

from keras_ssp.tuner.durable import DurableOracle
from keras_ssp.tuner.results import read_search

# Seconds that a question may take before it is asked again: long enough for a sampler
# to think, short enough to notice that the network dropped the answer.
_ANSWER = 30.0
# Seconds without any answer after which a worker gives up.
_PATIENCE = 600.0
# Seconds between two questions of a worker that has nothing to do.
_SHORTEST_WAIT, _LONGEST_WAIT = 0.5, 5.0
# Seconds that the chief stays for workers to hear of the end.
_GOODBYE = 20.0


class SearchIsOver(Exception):
    """The search has ended while a worker was away, and the chief with it."""


def is_chief() -> bool:
    """Whether this process is to be the chief of a search."""
    return _distributed() and "chief" in os.environ["KERASTUNER_TUNER_ID"]


def is_worker() -> bool:
    """Whether this process is to be a worker of a chief."""
    return _distributed() and not is_chief()


def _distributed() -> bool:
    if "KERASTUNER_ORACLE_IP" not in os.environ:
        return False
    for name in ("KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID"):
        if not os.environ.get(name):
            raise ValueError(
                f"The environment variable {name} must be set where "
                "KERASTUNER_ORACLE_IP is. Received: none."
            )
    return True


def serve(oracle: DurableOracle) -> None:
    """Runs the chief until the search is over and its workers know it."""
    import grpc
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer

    address = os.environ["KERASTUNER_ORACLE_IP"]
    port = os.environ["KERASTUNER_ORACLE_PORT"]
    # One thread, as in Keras Tuner: its lock goes by the names of threads.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(
        OracleServicer(oracle), server
    )
    if not server.add_insecure_port(f"{address}:{port}"):
        raise OSError(f"The chief cannot listen on {address}:{port}.")
    server.start()
    try:
        while not oracle.finished():
            time.sleep(0.5)
        oracle.save()
        until = time.monotonic() + _GOODBYE
        while oracle.waiting() and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        server.stop(grace=2.0).wait()
        oracle.save()


def make_patient(client: Any, folder: pathlib.Path) -> None:
    """Makes Keras Tuner's client of the chief ask again where no answer came.

    Args:
        client: The `OracleClient`.
        folder: Folder of the search, which tells a worker that comes back late that
            the search is over.
    """
    client.stub = _PatientStub(client.stub, folder)
    create, wait = client.create_trial, [_SHORTEST_WAIT]

    def create_trial(tuner_id: str) -> Any:
        # Keras Tuner's loop asks again at once.
        trial = create(tuner_id)
        if trial.status == TrialStatus.IDLE:
            time.sleep(wait[0])
            wait[0] = min(1.5 * wait[0], _LONGEST_WAIT)
        else:
            wait[0] = _SHORTEST_WAIT
        return trial

    client.create_trial = create_trial


class _PatientStub:
    """The chief's methods, each asked again until it answers.

    All of them may be asked twice: the chief answers a worker that has a trial with
    that trial, and keeps the first result of each.
    """

    def __init__(self, stub: Any, folder: pathlib.Path) -> None:
        self._stub = stub
        self._folder = folder

    def __getattr__(self, name: str) -> Callable[..., Any]:
        import grpc

        method = getattr(self._stub, name)
        lost = (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.CANCELLED,
        )

        def ask(request: Any, **_: Any) -> Any:
            until = time.monotonic() + _PATIENCE
            while True:
                try:
                    return method(request, wait_for_ready=True, timeout=_ANSWER)
                except grpc.RpcError as error:
                    if error.code() not in lost:
                        raise
                    if self._over():
                        raise SearchIsOver from error
                    if time.monotonic() > until:
                        raise ConnectionError(
                            f"No answer from the chief for {_PATIENCE:g} s."
                        ) from error
                    time.sleep(_SHORTEST_WAIT)

        return ask

    def _over(self) -> bool:
        try:
            return read_search(self._folder).stopped is not None
        except FileNotFoundError:
            return False


@contextlib.contextmanager
def heartbeat(oracle: Any, trial_id: str, lease: float) -> Iterator[None]:
    """Lets the chief hear of a trial for as long as it runs.

    Training says nothing for minutes at a time: compilation, an epoch, evaluation. So
    a thread of its own asks for the trial, four times a lease.
    """
    if not is_worker():
        yield
        return
    over = threading.Event()

    def beat() -> None:
        while not over.wait(lease / 4):
            try:
                oracle.get_trial(trial_id)
            except Exception:  # the trial's own questions will tell
                continue

    thread = threading.Thread(target=beat, name=f"heartbeat-{trial_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
