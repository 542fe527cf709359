"""What every program of commands does: reads them, runs one, says what went wrong."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import pathlib
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from keras_ssp_start.parsers import from_record

_AtOnce: TypeAlias = Callable[[argparse.ArgumentParser, argparse.Namespace], bool]

#: A variable of the environment: where it is set, an unexpected error is not caught.
TRACEBACK = "KERAS_SSP_TRACEBACK"


def run(
    name: str,
    parser: Callable[[], argparse.ArgumentParser],
    argv: Sequence[str] | None = None,
    *,
    known: pathlib.Path | None = None,
    at_once: _AtOnce | None = None,
) -> int:
    """Runs one command; returns the exit status.

    Args:
        name: What the program is called, for error messages.
        parser: Makes the parser of all commands; called when the modules of `--import`
            have been imported.
        argv: The arguments. Defaults to those of the process.
        known: File of the record of that parser (`parsers.recorded`). With it the
            arguments of the process are read before anything large is imported, so
            help and typing errors come at once.
        at_once: Called with the parser of the record and what it read; runs commands
            that need no more, and returns whether this was one.
    """
    # A command builds many models; TensorFlow takes each one's trace for a retracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    command, go_on = name, ""
    try:
        # Who passes arguments may have registered names that are not on record.
        given = sys.argv[1:] if argv is None else list(argv)
        imports = imported_modules(given)
        if known is not None and argv is None and not imports:
            short = from_record(json.loads(known.read_text(encoding="utf-8")))
            arguments = short.parse_args(given)
            command = f"{name} {arguments.command}"
            if at_once is not None and at_once(short, arguments):
                sys.stdout.flush()
                return 0
        # What these register decides what the flags may be, so they come first.
        _import(imports)
        arguments = parser().parse_args(given)
        command = f"{name} {arguments.command}"
        # With an abbreviated flag, the parser alone has seen them.
        _import(getattr(arguments, "imports", ()))
        if getattr(arguments, "verbose", 0) is None:
            # Bars are for a terminal; in a file they are control characters.
            arguments.verbose = 1 if sys.stdout.isatty() else 2
        go_on = getattr(arguments, "go_on", "")
        arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        return _nobody_reads()
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        print(
            f"{command}: error: {_said(error)}{_if_full(error, go_on)}", file=sys.stderr
        )
        return 2
    except KeyboardInterrupt:
        print(f"\n{command}: interrupted{go_on}", file=sys.stderr)
        return 130
    except Exception as error:
        # A file that nobody thought could be damaged like that, or a mistake of ours.
        if os.environ.get(TRACEBACK):
            raise
        print(
            f"{command}: error: {type(error).__name__}: {error}\n"
            f"This was not expected. Set {TRACEBACK}=1 to see where it happened.",
            file=sys.stderr,
        )
        return 2
    return 0


def imported_modules(argv: Sequence[str]) -> list[str]:
    """The modules that `--import` names, which decide what other flags may be."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--import", dest="imports", action="append", default=[])
    found: list[str] = early.parse_known_args(argv)[0].imports
    return found


def _import(names: Iterable[str]) -> None:
    from keras_ssp._imports import import_modules

    import_modules(names)


def _said(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _if_full(error: Exception, go_on: str) -> str:
    # HDF5 tells it in its own way, in the middle of much else.
    full = getattr(error, "errno", None) == errno.ENOSPC
    if not (full or f"errno = {errno.ENOSPC}," in str(error)):
        return ""
    return f" The disk is full: make room{go_on or ' and try again'}."


def _nobody_reads() -> int:
    """What `... | head` leaves: not an error, and nothing more can be written."""
    try:
        # Or Python says so once more, when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # a stream without a file, as in a notebook
        pass
    return 128 + 13  # as the shell counts who was ended by SIGPIPE
