"""What every program of commands does: reads them, runs one, says what went wrong."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence

from keras_ssp._imports import import_modules
from keras_ssp.cli.flags import imported_modules

#: A variable of the environment: where it is set, an unexpected error is not caught.
TRACEBACK = "KERAS_SSP_TRACEBACK"


def run(
    name: str,
    parser: Callable[[], argparse.ArgumentParser],
    argv: Sequence[str] | None = None,
) -> int:
    """Runs one command; returns the exit status.

    Args:
        name: What the program is called, for error messages.
        parser: Makes the parser of all commands; called when the modules of `--import`
            have been imported.
        argv: The arguments. Defaults to those of the process.
    """
    # A command builds many models; TensorFlow takes each one's trace for a retracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    argv = sys.argv[1:] if argv is None else list(argv)
    command, go_on = name, ""
    try:
        # What these register decides what the flags may be, so they come first.
        import_modules(imported_modules(argv))
        arguments = parser().parse_args(argv)
        command = f"{name} {arguments.command}"
        # With an abbreviated flag, the parser alone has seen them.
        import_modules(getattr(arguments, "imports", ()))
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
