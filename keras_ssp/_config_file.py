"""Files that hold the values of a config, a study or a search."""

from __future__ import annotations

import json
import pathlib
import tomllib
from collections.abc import Callable
from typing import Any

from keras_ssp._extras import require
from keras_ssp.types import Config, StrPath


def read_config(path: StrPath) -> Config:
    """Reads the values of a config file: `.toml`, `.json`, `.yaml` or `.yml`.

    Raises:
        ValueError: If the ending is another one, or the file does not parse to a
            table of names and values.
        ImportError: If a YAML file is read without PyYAML.
        OSError: If the file cannot be read.
    """
    path = pathlib.Path(path)
    readers: dict[str, Callable[[str], Any]] = {
        ".toml": tomllib.loads,
        ".json": json.loads,
        ".yaml": _yaml,
        ".yml": _yaml,
    }
    if path.suffix not in readers:
        raise ValueError(
            f"`config` must be a file that ends in {', '.join(readers)}. "
            f"Received: config={str(path)!r}."
        )
    text = path.read_text(encoding="utf-8")
    try:
        values = readers[path.suffix](text)
    except ImportError:
        raise
    except Exception as error:  # each format has errors of its own
        raise ValueError(f"`config` does not parse: {path}: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(
            "`config` must be a table of names and values. "
            f"Received: {type(values).__name__} in {path}."
        )
    return values


def _yaml(text: str) -> Any:
    return require("yaml", extra="yaml").safe_load(text)
