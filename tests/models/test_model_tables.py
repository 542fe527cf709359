"""The tables in docs/models.md are those that the code makes."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_tables_are_up_to_date():
    path = DOCS / "make_model_tables.py"
    spec = importlib.util.spec_from_file_location("make_model_tables", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = (DOCS / "models.md").read_text(encoding="utf-8")
    assert script.page(text) == text, "run: python docs/make_model_tables.py"
