"""Every example runs: in the docstrings of the package, in docs/ and in README.md;
the scripts in docs/ load."""

import doctest
import gc
import importlib
import io
import re
import runpy
import sys
import traceback
import types
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_ssp
import keras_ssp.studies
from keras_ssp import models
from keras_ssp._registry import Registry

ROOT = Path(__file__).parents[1]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
BACKENDS = {"keras_ssp.kernels.jax", "keras_ssp.kernels.torch"}
FENCE = re.compile(r"^( *)```(\w*)\s*$")
# `type`, not `isinstance`: that would ask every object there is for its class, and some
# of other libraries warn then.
REGISTRIES = [found for found in gc.get_objects() if type(found) is Registry]
PROMPT = re.compile(r"^ *>>> ", re.MULTILINE)

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="examples show TensorFlow's output"
)


def module_names():
    folders = (ROOT / "keras_ssp", ROOT / "keras_ssp_start", ROOT / "tuning")
    paths = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    names = [name.removesuffix(".__init__") for name in names]
    return [n for n in names if n not in BACKENDS and not n.endswith("__main__")]


def pages():
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(autouse=True)
def _contained(tmp_path, monkeypatch):
    """Files and registrations of an example end with it."""
    monkeypatch.chdir(tmp_path)
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))


def run(tests):
    """Runs doctests; fails with the report of everything that went wrong."""
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    report = io.StringIO()
    for test in tests:
        runner.run(test, out=report.write, clear_globs=False)
    if runner.failures:
        pytest.fail(report.getvalue(), pytrace=False)


# --- docstrings -------------------------------------------------------------------


@pytest.mark.parametrize("name", module_names())
def test_docstring_examples(name):
    module = importlib.import_module(name)
    # What a reader of the API pages has imported, and what the module itself has.
    globs = {"np": np, "keras": keras}
    for public in (keras_ssp, keras_ssp.layers):
        globs |= {k: v for k, v in vars(public).items() if not k.startswith("_")}
    globs |= vars(module)
    tests = doctest.DocTestFinder(exclude_empty=True).find(module, name, globs=globs)
    found = sum(len(test.examples) for test in tests)
    written = len(PROMPT.findall(Path(module.__file__).read_text(encoding="utf-8")))
    assert found == written, f"{written} examples in {name}, {found} can be run"
    run(tests)


# --- pages ------------------------------------------------------------------------


def blocks(page):
    """The Python blocks of a page: `(first line number, text, is marked)`."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start = None
    for k, line in enumerate(lines):
        fence = FENCE.match(line)
        if fence is None:
            continue
        if start is None:
            start, indent, language = k + 1, len(fence[1]), fence[2]
            above = next((a.strip() for a in reversed(lines[:k]) if a.strip()), "")
            continue
        if language in ("python", "pycon"):
            text = "".join(f"{row[indent:]}\n" for row in lines[start:k])
            yield start + 1, text, above == "<!-- test -->"
        start = None
    if start is not None:
        pytest.fail(f"{page}:{start}: a fence that is never closed", pytrace=False)


def check_page(page):
    """Runs a page from top to bottom, all in one namespace that starts empty."""
    where = page.relative_to(ROOT) if page.is_relative_to(ROOT) else page
    globs = vars(types.ModuleType("__main__"))
    examples = 0
    for line, text, marked in blocks(page):
        test = doctest.DocTestParser().get_doctest(
            text, globs, f"{where}:{line}", str(where), line - 1
        )
        test.globs = globs  # not a copy: later blocks see the names of earlier ones
        examples += len(test.examples)
        if test.examples:
            run([test])
        elif marked:
            run_script(where, line, text, globs)
    written = len(PROMPT.findall(page.read_text(encoding="utf-8")))
    assert examples == written, f"{where}: an example outside a ```python block"


def run_script(where, line, text, globs):
    """Runs a whole script for one epoch per `fit`."""
    fit = keras.Model.fit

    def short(self, *args, **kwargs):
        # epochs is the fourth argument, behind x, y and batch_size.
        args = (*args[:3], 1, *args[4:]) if len(args) > 3 else args
        return fit(self, *args, **(kwargs | ({} if len(args) > 3 else {"epochs": 1})))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "fit", short)
        try:
            exec(compile("\n" * (line - 1) + text, str(where), "exec"), globs)
        except Exception as error:
            frames = [
                f.lineno
                for f in traceback.extract_tb(error.__traceback__)
                if f.filename == str(where)
            ]
            at = frames[-1] if frames else getattr(error, "lineno", line)
            pytest.fail(f"{where}:{at}: {type(error).__name__}: {error}", pytrace=False)


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_page(page):
    check_page(page)


LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def headings(page):
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    kept = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
    return {title.replace(" ", "-") for title in kept}


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    missing = []
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if ":" in path:
            continue
        target = page.parent / path if path else page
        found = target.exists() and (not anchor or anchor in headings(target))
        if not found:
            missing.append(f"{path}#{anchor}" if anchor else path)
    assert not missing


def load_script(path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])  # scripts put the clone in front
    return runpy.run_path(str(path))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs").rglob("*.py")), ids=lambda p: p.name
)
def test_scripts_load(path, monkeypatch):
    assert callable(load_script(path, monkeypatch)["main"])


def test_networks_of_the_fan_out_study(monkeypatch):
    """Most spikes are not where most of the energy is: what the study is about."""
    script = load_script(ROOT / "docs/results/fan_out_spread.py", monkeypatch)
    for name in script["BUDGETS"]:
        assert script["study"](name, 2).base.model == name
        keras.utils.set_random_seed(0)
        options = {"width": 1.0, "time_steps": 4, "pooling": "average"}
        net = models.get(name)((16, 16, 1), 10, activation="lif", **options)
        images = np.random.default_rng(0).normal(size=(32, 16, 16, 1))
        rows = keras_ssp.energy_report(net, images).layers
        rows = {row.name: row for row in rows if row.kind == "lif"}
        assert min(row.spikes for row in rows.values()) > 0
        spikes = max(rows, key=lambda name: rows[name].spikes)
        energy = max(rows, key=lambda name: rows[name].energy_pj)
        assert spikes != energy
        assert rows[energy].fan_out > 10 * rows[spikes].fan_out
        with pytest.raises(ValueError, match="Received: activation='relu'"):
            models.get(name)((16, 16, 1), 10, activation="relu", **options)


# --- the checks themselves --------------------------------------------------------

FAIL = pytest.fail.Exception


def written(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def test_wrong_output_fails_and_names_page_and_line(tmp_path):
    page = written(tmp_path, "# Title\n\n```python\n>>> 1 + 1\n3\n```\n")
    with pytest.raises(FAIL, match=r'page.md", line 4(.|\n)*Expected:\n +3\nGot:\n +2'):
        check_page(page)


def test_names_go_on_from_block_to_block(tmp_path):
    text = "<!-- test -->\n```python\na = 2\n```\n\n```python\n>>> a\n2\n```\n"
    check_page(written(tmp_path, text))


def test_marked_script_fails_with_page_and_line(tmp_path):
    text = "# Title\n\n<!-- test -->\n```python\na = 1\n\nb = a / 0\n```\n"
    with pytest.raises(FAIL, match="page.md:7: ZeroDivisionError"):
        check_page(written(tmp_path, text))
    check_page(written(tmp_path, text.replace("<!-- test -->", "")))


def test_marked_script_trains_for_one_epoch(tmp_path):
    text = """<!-- test -->
```python
import keras
import numpy as np
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
x, y = np.zeros((4, 2)), np.zeros((4, 1))
epochs = len(model.fit(x, y, epochs=50, verbose=0).epoch)
epochs += len(model.fit(x, y, 2, 50, 2).epoch)
```

```python
>>> epochs
2
```
"""
    check_page(written(tmp_path, text))


def test_example_outside_a_block_fails(tmp_path):
    with pytest.raises(AssertionError, match="outside"):
        check_page(written(tmp_path, "Text\n\n>>> 1 + 1\n2\n"))
    with pytest.raises(FAIL, match="never closed"):
        check_page(written(tmp_path, "```python\n>>> 1\n1\n"))
