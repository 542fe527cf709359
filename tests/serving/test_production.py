"""The files of docs/serving_production.md, checked by their own tools."""

import pathlib
import shutil
import subprocess
import sys

import pytest

from keras_ssp.cli import parser

DOCS = pathlib.Path(__file__).parents[2] / "docs"
MANIFESTS = [DOCS / "kubernetes/serve.yaml", DOCS / "kubernetes/kserve.yaml"]


def tool(name):
    """A program of this environment, or of this machine."""
    beside = pathlib.Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    return found or pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_yamllint_finds_nothing(path):
    rules = "{extends: default, rules: {document-start: disable}}"
    command = [tool("yamllint"), "--strict", "-d", rules, str(path)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def test_kubernetes_takes_the_deployment():
    validate = pytest.importorskip("kubernetes_validate")
    yaml = pytest.importorskip("yaml")
    documents = list(yaml.safe_load_all(MANIFESTS[0].read_text()))
    assert [d["kind"] for d in documents] == ["Deployment", "Service"]
    for document in documents:
        validate.validate(document, "1.33", strict=True)
    # The command is one of the program, and the port is the one it listens at.
    (container,) = documents[0]["spec"]["template"]["spec"]["containers"]
    program, *arguments = container["args"]
    asked = parser().parse_args(arguments)
    assert (program, asked.command, asked.port) == (
        *("keras-ssp", "serve", container["ports"][0]["containerPort"]),
    )


def test_the_inference_service_names_a_model():
    yaml = pytest.importorskip("yaml")
    (service,) = yaml.safe_load_all(MANIFESTS[1].read_text())
    model = service["spec"]["predictor"]["model"]
    assert model["modelFormat"]["name"] == "tensorflow"
    assert model["storageUri"].endswith("saved_models/digits")
