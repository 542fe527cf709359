"""Keras Tuner's chief and workers (gRPC), made to outlive each other.

Which of the two a process is, its environment says, as in Keras Tuner:
`KERASTUNER_TUNER_ID` (a chief's has "chief" in it), `KERASTUNER_ORACLE_IP` and
`KERASTUNER_ORACLE_PORT`. Two values are ours: a chief with the port "0" takes a free
one, and a worker with the address "auto" looks for its chief in `chief.json`, in the
folder of the search, again whenever no answer comes.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import TrialStatus

from keras_ssp.training.folder import read_json, write_json
from keras_ssp.tuner.durable import DurableOracle
from keras_ssp.tuner.results import SEARCH

#: The address of a chief that is found through the folder.
AUTO = "auto"
#: Where the chief of a search is.
CHIEF = "chief.json"

# Seconds that a question may take before it is asked again: long enough for a sampler
# to think, short enough to notice that the network dropped the answer.
_ANSWER = 30.0
# Seconds without any answer after which a worker gives up.
_PATIENCE = 3600.0
# Seconds that a search without a chief must have been over for a worker to leave: one
# that has just come may be there before the chief that is to go on with the search.
_SURELY, _LIKELY = 10.0, 40.0
# Seconds between two questions of a worker that has nothing to do.
_SHORTEST_WAIT, _LONGEST_WAIT = 0.5, 5.0
# Seconds that the chief stays for workers to hear of the end.
_GOODBYE = 20.0

# A chief that was killed must be found again in seconds, and so must a connection that
# a network dropped without a word. gRPC's own values are two minutes and never.
_CLIENT = (
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
_SERVER = (
    ("grpc.so_reuseport", 0),  # or a second chief would get half of the questions
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
)


class SearchIsOver(keras_tuner.errors.FatalError):
    """The search has ended while a worker was away, and the chief with it."""


class ChiefIsGone(keras_tuner.errors.FatalError):
    """The chief has not answered for longer than a worker waits."""


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


def serve(oracle: DurableOracle, folder: pathlib.Path) -> None:
    """Runs the chief until the search is over and its workers know it.

    Args:
        oracle: The oracle.
        folder: Folder of the search, for `chief.json`.

    Raises:
        OSError: If the address cannot be listened on.
    """
    import grpc
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer

    # One thread, as in Keras Tuner: its lock goes by the names of threads.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=_SERVER)
    protos.get_service_grpc().add_OracleServicer_to_server(
        OracleServicer(oracle), server
    )
    address = os.environ["KERASTUNER_ORACLE_IP"]
    port = _listen(server, address, os.environ["KERASTUNER_ORACLE_PORT"])
    server.start()
    everywhere = address in ("0.0.0.0", "::", "[::]")
    host = socket.gethostname() if everywhere else address
    write_json(folder / CHIEF, {"host": host, "port": port, "pid": os.getpid()})
    try:
        while not oracle.finished():
            time.sleep(0.5)
        oracle.save()
        until = time.monotonic() + _GOODBYE
        while oracle.waiting() and time.monotonic() < until:
            time.sleep(0.2)
        (folder / CHIEF).unlink(missing_ok=True)
    finally:
        server.stop(grace=2.0).wait()
        oracle.save()


def _listen(server: Any, address: str, port: str) -> int:
    try:
        found = int(server.add_insecure_port(f"{address}:{port}"))
    except RuntimeError:
        found = 0
    if not found:
        raise OSError(
            f"The chief cannot listen on {address}:{port}: another program does, or "
            "the address is not one of this machine."
        )
    return found


def make_patient(client: Any, folder: pathlib.Path) -> None:
    """Makes Keras Tuner's client of the chief ask again where no answer came.

    Args:
        client: The `OracleClient`.
        folder: Folder of the search, which tells a worker that comes back late that
            the search is over.
    """
    client.stub = _PatientStub(folder)
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

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._met = False  # the chief
        self._lock = threading.Lock()  # heartbeats come from another thread
        self._address: str | None = None
        self._channel: Any = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        import grpc

        lost = (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.CANCELLED,
        )

        def ask(request: Any, **_: Any) -> Any:
            started, over_since = time.monotonic(), None
            while True:
                stub = self._stub()
                if stub is not None:
                    try:
                        answer = getattr(stub, name)(request, timeout=_ANSWER)
                        self._met = True
                        return answer
                    except grpc.RpcError as error:
                        if error.code() not in lost:
                            raise
                now = time.monotonic()
                over_since = (over_since or now) if self._over() else None
                enough = _SURELY if self._met else _LIKELY
                if over_since is not None and now - over_since >= enough:
                    raise SearchIsOver("The search is over, and its chief has left.")
                if now - started > _PATIENCE:
                    raise ChiefIsGone(f"No answer from the chief for {_PATIENCE:g} s.")
                time.sleep(_SHORTEST_WAIT)

        return ask

    def _stub(self) -> Any:
        """The chief's methods, `None` while nobody knows where it is."""
        import grpc
        from keras_tuner.src import protos

        address = self._where()
        if address is None:
            return None
        with self._lock:
            if address != self._address:
                self._address = address
                # The old one is not closed: a heartbeat may be waiting for its answer.
                self._channel = grpc.insecure_channel(address, options=_CLIENT)
            return protos.get_service_grpc().OracleStub(self._channel)

    def _where(self) -> str | None:
        host = os.environ["KERASTUNER_ORACLE_IP"]
        if host != AUTO:
            return f"{host}:{os.environ['KERASTUNER_ORACLE_PORT']}"
        found = read_json(self._folder / CHIEF)
        return f"{found['host']}:{found['port']}" if found else None

    def _over(self) -> bool:
        found = read_json(self._folder / SEARCH)
        return found is not None and found["stopped"] is not None


def ended(oracle: Any, trial_id: str) -> bool:
    """Whether another worker has ended a trial that this one had been too slow for.

    Its files are then those of the other one.
    """
    if not is_worker():
        return False
    status = oracle.get_trial(trial_id).status
    return status in (TrialStatus.COMPLETED, TrialStatus.FAILED)


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
