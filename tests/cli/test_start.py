"""How the command line starts: at once where it can."""

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

ROOT = pathlib.Path(__file__).parents[2]
HEAVY = {"keras_ssp", "keras", "tensorflow", "jax", "torch", "numpy", "rich"}
# Runs a program as Python does, and writes down what was imported meanwhile.
WATCHED = """
    import atexit, pathlib, runpy, sys
    _, modules, program, *sys.argv[1:] = sys.argv
    names = lambda: "\\n".join({name.partition(".")[0] for name in sys.modules})
    atexit.register(lambda: pathlib.Path(modules).write_text(names()))
    runpy.run_module(program, run_name="__main__", alter_sys=True)
"""


def python(code, *arguments, where=None, **env):
    kept = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    paths = [str(ROOT)] if where is None else [str(where), str(ROOT)]
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={**kept, "PYTHONPATH": os.pathsep.join(paths), **env},
        cwd=where,
        capture_output=True,
        text=True,
    )


COMMANDS = ("demo", "train", "report", "spikes", "compare", "export", "serve")
COMMANDS += ("doctor", "completion")
SEARCHES = ("search", "status", "report", "export", "local", "chief", "worker")


@pytest.mark.parametrize(
    ("program", "arguments", "status", "text"),
    [
        ("keras_ssp_start", "--help", 0, "Spiking neural networks in Keras 3"),
        ("keras_ssp_start", "--version", 0, "keras-ssp "),
        ("keras_ssp_start", "", 2, "arguments are required: COMMAND"),
        ("keras_ssp_start", "trian", 2, "COMMAND: invalid choice: 'trian'"),
        ("keras_ssp_start", "train --wieght 1", 2, "unrecognized arguments: --wieght"),
        ("keras_ssp_start", "train --penalty x", 2, "--penalty: invalid choice: 'x'"),
        ("keras_ssp_start", "train --epochs x", 2, "--epochs: invalid int value: 'x'"),
        ("keras_ssp_start", "compare x", 2, "arguments are required: --out"),
        *[
            ("keras_ssp_start", f"{name} --help", 0, f"usage: keras-ssp {name}")
            for name in COMMANDS
        ],
        ("tuning", "--help", 0, "Searches for the frontier"),
        ("tuning", "serach digits", 2, "COMMAND: invalid choice: 'serach'"),
        ("tuning", "search digits --sampler x", 2, "--sampler: invalid choice: 'x'"),
        *[
            ("tuning", f"{name} --help", 0, f"usage: python -m tuning {name}")
            for name in SEARCHES
        ],
    ],
)
def test_help_and_typing_errors_import_nothing(
    program, arguments, status, text, tmp_path
):
    modules = tmp_path / "modules"
    found = python(WATCHED, modules, program, *arguments.split())
    assert found.returncode == status
    assert text in (found.stderr if status else found.stdout)
    imported = set(modules.read_text().split())
    assert "argparse" in imported and not imported & HEAVY


def test_completion_imports_shtab_alone(tmp_path):
    pytest.importorskip("shtab")
    modules = tmp_path / "modules"
    found = python(WATCHED, modules, "keras_ssp_start", "completion", "bash")
    assert found.returncode == 0, found.stderr
    assert "synops_target" in found.stdout
    assert not set(modules.read_text().split()) & HEAVY


# In a process of its own: tests register names that no user has.
SAME = """
    import argparse, json, runpy
    from keras_ssp_start.parsers import from_record

    made = runpy.run_path("docs/make_commands.py")
    for path, text in made["records"]().items():
        where = f"{path.parent.name}/{path.name}"
        written = path.read_text(encoding="utf-8")
        assert written == text, f"{where}: run python docs/make_commands.py"
        pairs = [(made["PARSERS"][path](), from_record(json.loads(text)))]
        for whole, short in pairs:
            assert whole.format_help() == short.format_help()
            for each in whole._actions:
                if isinstance(each, argparse._SubParsersAction):
                    found = next(a for a in short._actions if a.dest == each.dest)
                    assert [*each.choices] == [*found.choices]
                    pairs += [(p, found.choices[n]) for n, p in each.choices.items()]
        print(len(pairs))
    try:
        import shtab
    except ImportError:
        pass
    else:
        (whole, short), *_ = pairs
        for shell in ("bash", "zsh"):
            assert shtab.complete(whole, shell) == shtab.complete(short, shell)
"""


def test_records_are_those_of_the_commands():
    found = python(f"import os; os.chdir({str(ROOT)!r})\n{textwrap.dedent(SAME)}")
    assert found.returncode == 0, found.stderr[-1000:]
    assert found.stdout.split() == [str(1 + len(c)) for c in (COMMANDS, SEARCHES)]
