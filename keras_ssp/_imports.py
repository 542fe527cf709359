"""Imports of a user's modules, which register names when they are imported."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable


def import_modules(names: Iterable[str]) -> None:
    """Imports modules by name, from the current folder too.

    Args:
        names: Dotted names, such as `"my_module"`.

    Raises:
        ImportError: If there is no such module, or it cannot be imported.

    Example:

    >>> import_modules(["json", "os.path"])
    """
    names = tuple(names)
    folder = os.getcwd()
    if names and not {"", folder} & set(sys.path):
        sys.path.append(folder)  # last: no file there hides an installed module
    for name in names:
        importlib.import_module(name)
