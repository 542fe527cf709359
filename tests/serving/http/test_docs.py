"""The commands of docs/serving.md, run against a server of the committed models."""

import doctest
import json
import pathlib
import re
import shutil
import subprocess
import sys

import keras
import pytest

from keras_ssp.datasets import load
from tests.serving.helpers import running

pytest.importorskip("starlette")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the server runs TensorFlow"
)
ROOT = pathlib.Path(__file__).parents[3]
PAGE = ROOT / "docs" / "serving.md"
PORT = "127.0.0.1:8501"


def commands():
    """The commands of the page, and what each prints."""
    each = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n?)*)", re.MULTILINE)
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        yield from each.findall(block)


@pytest.fixture(scope="module")
def server():
    with running(ROOT / "saved_models", poll=0) as address:
        yield address.removeprefix("http://")


def run(command, server, tmp_path):
    """What a command prints in the shell, the address of the page changed."""
    client = ROOT / "docs" / "serving" / "client.py"
    ours = tmp_path / "client.py"
    ours.write_text(client.read_text().replace(PORT, server))
    text = command.replace(PORT, server).replace(
        str(client.relative_to(ROOT)), str(ours)
    )
    text = re.sub(r"^python|(?<=\| )python", sys.executable, text)
    done = subprocess.run(
        ["bash", "-c", text], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    return done.stdout.replace("\r", "")


def test_every_command_prints_what_the_page_says(server, tmp_path):
    for program in ("bash", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    found = list(commands())
    assert len(found) == 9
    check = doctest.OutputChecker().check_output
    for command, printed in found:
        output = run(command, server, tmp_path)
        if not output.endswith("\n"):
            output += "\n"
        assert check(printed, output, doctest.ELLIPSIS), f"{command}\n{output}"


def test_the_digit_of_the_page_is_one_of_the_data():
    pytest.importorskip("sklearn")
    (digit,) = json.loads((ROOT / "docs/serving/digit.json").read_text())["instances"]
    test = load("digits").test
    assert test.x[3].tolist() == digit and test.y[3] == 0
