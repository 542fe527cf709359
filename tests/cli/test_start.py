"""How the command line starts: at once where it can, and without start-up lines."""

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


def run(program, *arguments):
    return python(
        f"import runpy; runpy.run_module({program!r}, run_name='__main__', "
        "alter_sys=True)",
        *arguments,
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


@pytest.mark.parametrize(
    ("program", "command"), [("keras_ssp_start", "report"), ("tuning", "status")]
)
def test_a_command_writes_no_start_up_lines(program, command):
    found = run(program, command, "nowhere")
    assert found.returncode == 2
    assert f"{command}: error: " in found.stderr
    assert len(found.stderr.splitlines()) == 1


REAL = "W0000 00:00:1.5 42 gpu_device.cc:2] Cannot dlopen some GPU libraries."
LINES = f"""\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1.5 42 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU.
I0000 00:00:1.5 42 port.cc:153] oneDNN custom operations are on. You may see slightly
I0000 00:00:1.5 42 cpu_feature_guard.cc:227] This TensorFlow binary is optimized to use
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow
{REAL}
E0000 00:00:1.5 42 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)
"""
OTHER = "failed call to cuInit: CUDA_ERROR_UNKNOWN (999)\n"
TENSORFLOW = f"""
    import os, types
    os.write(2, {LINES.encode()!r})
    def listed():
        os.write(2, {OTHER.encode()!r})
        raise RuntimeError("no devices")
    config = types.SimpleNamespace(list_physical_devices=listed)
"""
IMPORT = """
    from keras_ssp_start.quiet import quiet
    quiet()
    import os, importlib.util
    assert importlib.util.find_spec("tensorflow") is not None  # as who only looks
    import tensorflow
    os.write(2, b"cpu_feature_guard.cc, later\\n")
    print(os.environ["TF_CPP_MIN_LOG_LEVEL"])
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="nothing is held back")


@pytest.fixture
def instead(tmp_path):
    """A folder with a module in TensorFlow's place that only writes lines."""
    (tmp_path / "tensorflow.py").write_text(textwrap.dedent(TENSORFLOW))
    return tmp_path


@linux
def test_all_but_start_up_lines_is_written(instead):
    found = python(IMPORT, where=instead)
    assert found.returncode == 0, found.stderr
    assert found.stderr == f"{REAL}\n{OTHER}cpu_feature_guard.cc, later\n"
    assert found.stdout == "1\n"


@linux
@pytest.mark.parametrize(("level", "shown"), [("0", LINES), ("2", f"{REAL}\n{OTHER}")])
def test_a_level_of_the_users_own_is_kept(level, shown, instead):
    found = python(IMPORT, where=instead, TF_CPP_MIN_LOG_LEVEL=level)
    assert found.stderr == f"{shown}cpu_feature_guard.cc, later\n"
    assert found.stdout == f"{level}\n"


@linux
def test_tensorflow_that_cannot_be_imported_is_said(instead):
    with open(instead / "tensorflow.py", "a") as file:
        file.write("raise ImportError('libcudnn.so.9 is not there')\n")
    found = python(IMPORT, where=instead)
    assert found.returncode == 1 and REAL in found.stderr
    assert found.stderr.endswith("ImportError: libcudnn.so.9 is not there\n")


@linux
def test_processes_that_a_command_spawns_are_quiet_too(instead):
    """As `compare --jobs 2` does: they import the main module, and run no command."""
    script = instead / "script"  # as pip writes it
    script.write_text(
        "import importlib, multiprocessing\n"
        "from keras_ssp_start.__main__ import main\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    child = context.Process(\n"
        "        target=importlib.import_module, args=('tensorflow',)\n"
        "    )\n"
        "    child.start()\n"
        "    child.join()\n"
        "    raise SystemExit(child.exitcode)\n"
    )
    kept = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    found = subprocess.run(
        [sys.executable, str(script)],
        env={**kept, "PYTHONPATH": f"{instead}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0
    assert found.stderr == f"{REAL}\n{OTHER}"
