"""What an index would show: one version everywhere, extras that errors name."""

import pathlib
import re
import tomllib

import keras_ssp
from keras_ssp._extras import INSTALLED_BY

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_one_version():
    version = keras_ssp.__version__
    assert f"\nversion: {version}\n" in read("CITATION.cff")
    headings = re.findall(r"^## \[(.+?)\]", read("CHANGELOG.md"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", version]


def test_what_the_command_line_starts_with_is_in_the_wheel():
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    module, function = PROJECT["scripts"]["keras-ssp"].split(":")
    package = module.split(".")[0]
    assert package in whole["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    path = ROOT / f"{module.replace('.', '/')}.py"
    assert f"def {function}() -> int:" in path.read_text("utf-8")


def test_every_extra_that_an_error_names_exists():
    named = set()
    for path in (ROOT / "keras_ssp").rglob("*.py"):
        named |= set(re.findall(r'extra="(\w+)"', path.read_text(encoding="utf-8")))
    extras = PROJECT["optional-dependencies"]
    assert named <= set(extras)
    for extra, package in INSTALLED_BY.items():
        assert any(package.lower() in each.lower() for each in extras[extra]), extra
    everything = next(d for d in extras["dev"] if d.startswith("keras-ssp["))
    of_dev = set(everything[len("keras-ssp[") : -1].split(","))
    assert of_dev >= set(extras) - {"dev", "plots"}  # [demo] has what [plots] has


def test_what_people_install_from_a_clone_exists():
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for extras in re.findall(
            r'pip install "?\.\[([\w,]+)\]', page.read_text("utf-8")
        ):
            assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_readme_is_short_and_its_program_too():
    text = read("README.md")
    assert len(text.splitlines()) < 100
    program = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    assert len([line for line in program.splitlines() if line]) <= 17
