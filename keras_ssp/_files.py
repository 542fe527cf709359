"""Files that appear whole or not at all, and folders that one process writes to."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import time
import uuid
from collections.abc import Iterator

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

from keras_ssp.types import Config, StrPath

LOCK = ".lock"


@contextlib.contextmanager
def replacing(path: StrPath, *, suffix: str = ".partial") -> Iterator[pathlib.Path]:
    """A place to write a file to, that gets its name when the block ends well.

    It is on disk before it gets its name, so that neither a killed process nor a power
    cut leaves a part under it.

    Args:
        path: The file; its folder must exist.
        suffix: What the name of the other place ends in, where that decides its format.
            Defaults to `".partial"`.
    """
    path = pathlib.Path(path)
    # Two processes, on two machines, may write the same file at the same time.
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{suffix}")
    try:
        yield partial
        sync(partial)
        os.replace(partial, path)
        sync(path.parent)  # the name, too
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: StrPath, text: str) -> None:
    """Writes a text file, whole or not at all; line ends are left as they are."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


def sync(path: StrPath) -> None:
    """Waits until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(folder: StrPath, what: str) -> Iterator[None]:
    """Lets one process at a time write to a folder, as long as the block runs.

    The lock of a process that has died is taken over.

    Args:
        folder: The folder, which must exist.
        what: What is done there, for the error that another process gets.

    Raises:
        RuntimeError: If another process is at it; its number and machine are named.
    """
    path = pathlib.Path(folder) / LOCK
    with open(path, "a+", encoding="utf-8") as file:
        owner = _owner(path)
        if not _take(file.fileno()) or _elsewhere(owner):
            raise RuntimeError(
                f"`{folder}` must not be written to by two processes: process "
                f"{owner.get('process', 'unknown')} on "
                f"{owner.get('host', 'this machine')} {owner.get('what', 'uses it')} "
                f"since {owner.get('since', 'some time')}. Remedy: wait for it, or "
                f"stop it; where no such process runs any more, delete {path}."
            )
        file.seek(0)
        file.truncate()
        me = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "what": what,
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        file.write(json.dumps(me))
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _owner(path: pathlib.Path) -> Config:
    try:
        found = json.loads(path.read_text(encoding="utf-8") or "{}")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _take(descriptor: int) -> bool:
    """Takes the lock, which the system gives back when the process ends, or not."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _elsewhere(owner: Config) -> bool:
    """Whether a process holds the lock that this machine's locks say nothing of."""
    if not owner:
        return False
    if owner.get("host") != socket.gethostname():
        return True
    process = owner.get("process")
    if fcntl is not None or process == os.getpid() or not isinstance(process, int):
        return False
    return alive(process)


def alive(process: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
