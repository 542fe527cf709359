"""Writes docs/tutorial.ipynb from docs/tutorial.md, runs it, and keeps what it shows.

python docs/make_notebook.py
"""

import hashlib
import json
import pathlib
import re
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PAGE, NOTEBOOK = HERE / "tutorial.md", HERE / "tutorial.ipynb"
BLOCK = re.compile(r"<!-- test -->\n```python\n(.*?)```\n", re.DOTALL)


def cells():
    """The cells of the notebook, without outputs."""
    text, place = PAGE.read_text(encoding="utf-8"), 0
    for block in BLOCK.finditer(text):
        yield _cell("markdown", text[place : block.start()])
        inline = "" if place else "%matplotlib inline\n"  # so that pictures show
        yield _cell("code", inline + block[1])
        place = block.end()
    yield _cell("markdown", text[place:])


def _cell(kind, source):
    source = source.strip("\n")
    digest = hashlib.blake2b((kind + source).encode(), digest_size=6).hexdigest()
    cell = {"cell_type": kind, "id": digest, "metadata": {}, "source": source}
    return cell | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def main():
    """Runs the notebook and writes it."""
    import nbclient
    import nbformat

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.from_dict(
        {
            "cells": list(cells()),
            "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )
    with tempfile.TemporaryDirectory() as folder:  # it writes files of its own
        place = {"metadata": {"path": folder}}
        nbclient.NotebookClient(notebook, timeout=600, resources=place).execute()
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":  # what a backend says of itself is not the lesson
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
