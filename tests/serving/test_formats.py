"""LiteRT and ONNX files, run by their own runtimes."""

import keras
import numpy as np
import pytest

import keras_ssp
from keras_ssp import energy_report
from keras_ssp.serving import read_card
from tests.serving.helpers import LABELS, network

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="written by TensorFlow"
)


def litert(path, x, signature="energy_report"):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    found = interpreter.Interpreter(str(path))
    operations = {each["op_name"] for each in found._get_ops_details()}
    assert not [name for name in operations if name.startswith("Flex")]
    return found.get_signature_runner(signature)(inputs=x)


def onnx(path, x):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path))
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"inputs": x}), strict=True))


@pytest.mark.parametrize("steps", [4, 32])
@pytest.mark.parametrize("suffix, run", [(".tflite", litert), (".onnx", onnx)])
def test_files_hold_the_whole_time_loop(tmp_path, suffix, run, steps):
    if suffix == ".onnx":
        pytest.importorskip("tf2onnx")
    model, x = network(steps)
    path = keras_ssp.export(model, tmp_path / f"small{suffix}", labels=LABELS)
    assert path.is_file()
    report = energy_report(model, x)
    found = run(path, x)
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(found["logits"], expected, atol=1e-5)
    assert 1e12 * found["energy_joules"].mean() == pytest.approx(report.energy_pj)
    assert found["synops"].mean() == pytest.approx(report.synops)
    for rows in (1, 3):  # any batch
        few = run(path, x[:rows])["logits"]
        np.testing.assert_allclose(few, expected[:rows], atol=1e-5)
    card = read_card(tmp_path / "small.energy_card.json")
    assert card["model"]["time_steps"] == steps
    assert card["labels"] == list(LABELS)
    with pytest.raises(FileExistsError, match="`path` must be that of a new"):
        keras_ssp.export(model, path)
    assert {each.name for each in tmp_path.iterdir()} == {
        *(path.name, "small.energy_card.json"),
    }


def test_plain_litert_of_many_steps(tmp_path):
    model, x = network(32)
    path = tmp_path / "plain.tflite"
    model.export(str(path), format="litert", verbose=False)
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    found = interpreter.Interpreter(str(path))
    runner = found.get_signature_runner("serving_default")
    (name,) = runner.get_input_details()
    (values,) = runner(**{name: x}).values()
    np.testing.assert_allclose(values, model.predict(x, verbose=0), atol=1e-5)


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    model, _ = network()
    with pytest.raises(ImportError, match=r"keras-ssp\[onnx\]"):
        keras_ssp.export(model, tmp_path / "small.onnx")
    assert not list(tmp_path.iterdir())
