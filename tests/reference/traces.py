"""The stored traces of other libraries; `make_traces.py` made them."""

import json
import pathlib


def load_traces():
    """One dict per trace, see `make_traces.py`."""
    path = pathlib.Path(__file__).with_name("traces.json")
    return json.loads(path.read_text(encoding="utf-8"))
