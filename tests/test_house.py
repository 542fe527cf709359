"""The house: imports point one way, rooms stay small, annotations read."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_ssp"
MODULES = sorted(PACKAGE.rglob("*.py"))
START = sorted((ROOT / "keras_ssp_start").rglob("*.py"))
PROGRAM = sorted((ROOT / "tuning").rglob("*.py"))

# From the bottom to the top; what stands in one line does not import each other.
LEVELS = (
    ("types", "_checks", "_extras", "_imports", "_public"),
    ("_units", "_rates", "_environment", "_files", "_config_file"),
    ("_registry", "_tensorboard", "tables", "pareto"),
    ("_picks",),
    ("figures",),
    ("graph",),
    ("surrogates",),
    ("kernels",),
    ("layers",),
    ("synapses",),
    ("datasets", "events"),
    ("penalties",),
    ("models", "energy"),
    ("conversion", "callbacks"),
    ("training",),
    ("studies", "tuner"),
    ("serving",),
    ("cli",),
    ("__main__", "__init__"),
)
LEVEL = {room: k for k, rooms in enumerate(LEVELS) for room in rooms}
LONGEST_MODULE, LONGEST_FUNCTION, MOST_ANY = 330, 50, 0.10


def trees():
    for path in MODULES:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def room_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


KNOWN = {name_of(path) for path in MODULES}


def imports_of(path, tree, *, anywhere=True):
    """Modules of this package that a module imports."""
    for node in ast.walk(tree) if anywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in KNOWN)
        elif isinstance(node, ast.ImportFrom) and (node.module or "") in KNOWN:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in KNOWN else node.module


def test_every_room_has_a_level():
    assert {room_of(name) for name in KNOWN} == {*LEVEL}


def test_no_import_upward_between_packages():
    upward = [
        f"{name_of(path)} imports {imported}"
        for path, tree in trees()
        for imported in imports_of(path, tree)
        # `from keras_ssp import x` asks the package itself only for its version.
        if imported != "keras_ssp"
        and room_of(imported) != room_of(name_of(path))
        and LEVEL[room_of(imported)] >= LEVEL[room_of(name_of(path))]
    ]
    assert not upward


def test_the_package_does_not_know_the_program_of_searches():
    upward = [
        name_of(path)
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for module in [getattr(node, "module", None) or node.names[0].name]
        if module.split(".")[0] == "tuning"
    ]
    assert not upward


def test_the_start_of_the_command_line_needs_the_standard_library_alone():
    """What it needs besides, it imports in a function, when the time has come."""
    found = {
        module.split(".")[0]
        for path in START
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for module in [getattr(node, "module", None) or node.names[0].name]
    }
    assert "argparse" in found
    assert found <= {*sys.stdlib_module_names, "keras_ssp_start"}


def test_no_import_cycle():
    graph = {
        name_of(path): {m for m in imports_of(path, tree) if m != "keras_ssp"}
        for path, tree in trees()
    }
    # A package's __init__ only hands out what its modules define; within the package
    # nobody may import it, or the order of its lines would matter.
    done, under_way = set(), []

    def visit(module):
        if module in done:
            return
        assert module not in under_way, f"cycle: {[*under_way, module]}"
        under_way.append(module)
        for imported in sorted(graph[module]):
            visit(imported)
        under_way.pop()
        done.add(module)

    for module in sorted(graph):
        visit(module)


@pytest.mark.parametrize("path", [*MODULES, *START, *PROGRAM], ids=name_of)
def test_modules_and_functions_stay_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_MODULE
    long = {
        node.name: lines
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (lines := code_lines(node)) > LONGEST_FUNCTION
    }
    assert not long


def code_lines(function):
    """Lines of a function without its signature and docstring."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def annotations(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
            yield from (a.annotation for a in every if a.annotation is not None)
            if node.returns is not None:
                yield node.returns
        elif isinstance(node, ast.AnnAssign):
            yield node.annotation


def test_few_annotations_say_just_any():
    found = [a for _, tree in trees() for a in annotations(tree)]
    bare = [a for a in found if isinstance(a, ast.Name) and a.id == "Any"]
    assert len(found) > 1000
    assert len(bare) / len(found) < MOST_ANY


def test_tensorflow_is_imported_where_it_belongs():
    allowed = (
        *("keras_ssp.kernels.tensorflow", "keras_ssp.datasets", "keras_ssp.serving"),
    )
    found = {
        name_of(path)
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for module in [getattr(node, "module", None) or node.names[0].name]
        if module.split(".")[0] in ("tensorflow", "tensorflow_datasets")
    }
    assert all(name.startswith(allowed) for name in found)


OPTIONAL = (
    *("matplotlib", "sklearn", "yaml", "rich", "tensorflow_datasets", "jax"),
    *("keras_tuner", "optuna", "plotly", "tensorboard", "starlette", "jsonschema"),
)


def test_import_needs_no_extra_and_brings_nothing_heavy_in():
    code = (
        "import sys, keras; before = set(sys.modules); import keras_ssp; "
        f"found = [m for m in {OPTIONAL} if m in sys.modules and m not in before]; "
        "sys.exit(str(found) if found else 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-500:]
