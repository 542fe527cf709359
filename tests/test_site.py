"""The documentation site: no warning, whole in a browser, searched with no network."""

import json
import os
import pathlib
import runpy
import subprocess
import sys

import keras
import pytest

from tests.browser import browser

ROOT = pathlib.Path(__file__).parents[1]
WIDE = ("tutorial", "coming_from", "counting_elsewhere", "energy", "api/layers")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the site has no backend"
)


def script(name):
    return runpy.run_path(str(ROOT / "docs" / name))


def test_api_pages_have_every_public_name():
    for name, text in script("make_api.py")["pages"]():
        written = (ROOT / "docs" / "api" / name).read_text(encoding="utf-8")
        assert written == text, f"docs/api/{name}: run python docs/make_api.py"


def test_the_notebook_is_the_tutorial_and_has_run():
    notebook = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text("utf-8"))
    cells = [(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]
    page = [
        (c["cell_type"], c["source"]) for c in script("make_notebook.py")["cells"]()
    ]
    assert cells == page, "run python docs/make_notebook.py"
    outputs = [o for cell in notebook["cells"] for o in cell.get("outputs", ())]
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert [o for o in outputs if "image/png" in o.get("data", {})]


def test_examples_of_docstrings_become_blocks():
    pytest.importorskip("griffe")
    fenced = script("make_examples.py")["fenced"]
    text = ["Text.", "", ">>> 1", "1", "", "    >>> 2", "    2"]
    assert list(fenced(text)) == [
        *("Text.", "", "```pycon", ">>> 1", "1", "```", ""),
        *("    ```pycon", "    >>> 2", "    2", "    ```"),
    ]
    already = ["```python", ">>> 1", "```"]
    assert list(fenced(already)) == already


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs")
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING -" not in done.stderr
    return out


@pytest.fixture(scope="module")
def tab():
    with browser() as found:
        yield found


@pytest.mark.parametrize("width", [1280, 400])
def test_pages_are_whole_and_ask_for_nothing(site, tab, width):
    for name in ("index", *WIDE):
        tab.open(site / f"{name}.html", width)
        assert tab.complaints() == [], name
        assert tab.foreign_requests("file:", "data:", "blob:") == [], name
        assert tab.fits(), name
        assert tab.evaluate("document.querySelectorAll('article h1').length") == 1, name


@pytest.mark.parametrize(("word", "page"), [("fan-out", "fan_out"), ("LIF", "layers")])
def test_search_finds_without_a_network(site, tab, word, page):
    tab.open(site / "index.html", 1280)
    tab.evaluate("document.querySelector('#__search').click()")
    tab.evaluate(
        "(e => { e.focus(); e.value = " + json.dumps(word) + ";"
        "e.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true}));"
        "e.dispatchEvent(new Event('input', {bubbles: true})); })"
        "(document.querySelector('.md-search__input'))"
    )
    found = tab.evaluate(
        "new Promise(done => { let left = 100; const look = () => {"
        "const links = [...document.querySelectorAll('.md-search-result__link')]"
        ".map(a => a.href); left -= 1;"
        "links.length || !left ? done(links) : setTimeout(look, 100); }; look(); })"
    )
    assert any(f"{page}.html" in link for link in found), found
