"""Folders and files that appear whole or not at all, and are on disk when they do."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import socket
import uuid
from collections.abc import Iterator

from keras_ssp._files import alive, sync
from keras_ssp.types import StrPath

_PARTIAL = ".partial-"


def version_of(path: pathlib.Path) -> int | None:
    """The version that a folder is, `None` where its name is none.

    Example:

    >>> version_of(pathlib.Path("digits/3")), version_of(pathlib.Path("digits"))
    (3, None)
    """
    name = path.name
    canonical = name.isascii() and name.isdigit() and not name.startswith("0")
    return int(name) if canonical else None


def versions_in(folder: StrPath) -> dict[int, pathlib.Path]:
    """The versions in the folder of a model, in rising order."""
    folder = pathlib.Path(folder)
    found = {}
    if folder.is_dir():
        for path in folder.iterdir():
            version = version_of(path)
            if version is not None and path.is_dir():
                found[version] = path
    return dict(sorted(found.items()))


def next_version(folder: StrPath) -> pathlib.Path:
    """The folder of a model's next version."""
    return pathlib.Path(folder) / str(max(versions_in(folder), default=0) + 1)


@contextlib.contextmanager
def whole(target: pathlib.Path, *, overwrite: bool) -> Iterator[pathlib.Path]:
    """A place to write to, that becomes `target` when the block ends well.

    Everything is flushed to disk before it gets its name, so neither a killed process
    nor a power cut leaves a part under it. What dead processes have left is removed.

    Args:
        target: The folder or file.
        overwrite: Whether there may be one.

    Raises:
        FileExistsError: If there is one, and it may not be replaced.
    """
    check_free(target, overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(target.parent)
    partial = target.parent / _partial_name(target)
    try:
        yield partial
        flush(partial)
        check_free(target, overwrite)
        _put(partial, target)
    finally:
        _remove(partial)


def remove_left_over(folder: pathlib.Path) -> None:
    """Removes what exports on this machine that were killed have left in a folder."""
    for path in folder.glob(f".*{_PARTIAL}*"):
        host, _, process = (
            path.name.rpartition(_PARTIAL)[2].rpartition("-")[0].rpartition("-")
        )
        if host == _host() and process.isdigit() and not alive(int(process)):
            _remove(path)


def flush(path: pathlib.Path) -> None:
    """Waits until a file, or a folder with all that is in it, is on disk."""
    if path.is_dir():
        for inner in path.iterdir():
            flush(inner)
    sync(path)


def check_free(target: pathlib.Path, overwrite: bool) -> None:
    """Says that something is there which may not be replaced.

    Raises:
        FileExistsError: If so.
    """
    if target.exists() and not overwrite:
        raise FileExistsError(
            "`path` must be that of a new version: a server may be serving the one "
            f"that is there. Received: path={target}. Remedy: take the next number, "
            "or overwrite=True (--overwrite)."
        )


def _put(partial: pathlib.Path, target: pathlib.Path) -> None:
    # A folder cannot be replaced in one step: for a moment there is none.
    old = None
    if target.is_dir():
        old = target.with_name(_partial_name(target))
        os.rename(target, old)
    os.replace(partial, target)
    sync(target.parent)  # the name, too
    if old is not None:
        _remove(old)


def _partial_name(target: pathlib.Path) -> str:
    # Hidden, and no number: no server takes it for a version.
    suffix = target.suffix  # formats are told by it
    unique = f"{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return f".{target.stem}{_PARTIAL}{unique}{suffix}"


def _host() -> str:
    return socket.gethostname().replace("-", "_")


def _remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
