"""Writes the records of the commands, by which the command line starts at once."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # from a clone, not installed
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_ssp import cli
from keras_ssp_start.__main__ import COMMANDS
from keras_ssp_start.parsers import recorded
from tuning import __main__ as tuning

PARSERS = {COMMANDS: cli.parser, tuning.COMMANDS: tuning.parser}


def main() -> None:
    for path, text in records().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.parent.name}/{path.name}")


def records() -> dict[Path, str]:
    """What the files must be."""
    return {
        path: json.dumps(recorded(parser()), indent=1, ensure_ascii=False) + "\n"
        for path, parser in PARSERS.items()
    }


if __name__ == "__main__":
    main()
