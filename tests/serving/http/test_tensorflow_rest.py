"""TensorFlow Serving's REST API: requests and answers of its documentation."""

import json

import keras
import numpy as np
import pytest

from tests.serving.helpers import LABELS, exported, load, network, running
from tests.serving.http.helpers import folder_of

httpx = pytest.importorskip("httpx")
pytest.importorskip("starlette")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the server runs TensorFlow"
)


def save_other(root):
    """Models of other people: TensorFlow Serving's own example, and strings."""
    import tensorflow as tf

    class Half(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def half(self, x):
            return {"y": 0.5 * x + 3.0}

    class Text(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.string, name="tag"),
                tf.TensorSpec([None, 2], tf.int32, name="signal"),
            ]
        )
        def text(self, tag, signal):
            joined = tf.strings.join([tag, tf.constant("!")])
            total = tf.reduce_sum(signal, axis=1)
            return {"said": joined, "raw_bytes": tag, "total": total}

    for name, module, function in (
        ("half_plus_three", Half(), "half"),
        ("text", Text(), "text"),
    ):
        concrete = getattr(module, function).get_concrete_function()
        path = root / name / "123"
        tf.saved_model.save(module, str(path), signatures={"serving_default": concrete})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = folder_of(tmp_path_factory.mktemp("models"))
    save_other(root)
    with running(root, poll=0) as address:
        yield address


def get(server, path):
    answer = httpx.get(server + path, timeout=30)
    return answer.status_code, answer.json()


def post(server, path, body, **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = httpx.post(server + path, content=content, headers=headers, timeout=30)
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, answer.json()


# Requests and answers that stand in TensorFlow Serving's documentation and source.
GOLDEN = [
    (
        "GET",
        "/v1/models/half_plus_three",
        None,
        200,
        {
            "model_version_status": [
                {
                    "version": "123",
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ]
        },
    ),
    (
        "GET",
        "/v1/models/half_plus_three/versions/123",
        None,
        200,
        {
            "model_version_status": [
                {
                    "version": "123",
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ]
        },
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"instances": [1.0, 2.0, 5.0]},
        200,
        {"predictions": [3.5, 4.0, 5.5]},
    ),
    (
        "POST",
        "/V1/Models/half_plus_three/Versions/123:Predict",
        {"instances": [1]},
        200,
        {"predictions": [3.5]},
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"inputs": [1.0, 2.0]},
        200,
        {"outputs": [3.5, 4.0]},
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"inputs": {"x": [1.0]}},
        200,
        {"outputs": [3.5]},
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"signature_name": "serving_default", "instances": [{"x": 1.0}, {"x": 5}]},
        200,
        {"predictions": [3.5, 5.5]},
    ),
    (
        "POST",
        "/v1/models/text:predict",
        {
            "instances": [
                {"tag": "foo", "signal": [1, 2]},
                {"tag": {"b64": "YmFy"}, "signal": [3, 4]},
            ]
        },
        200,
        {
            "predictions": [
                {"said": "foo!", "raw_bytes": {"b64": "Zm9v"}, "total": 3},
                {"said": "bar!", "raw_bytes": {"b64": "YmFy"}, "total": 7},
            ]
        },
    ),
    (
        "POST",
        "/v1/models/text:predict",
        {"inputs": {"tag": ["foo"], "signal": [[1, 2]]}},
        200,
        {"outputs": {"said": ["foo!"], "raw_bytes": [{"b64": "Zm9v"}], "total": [3]}},
    ),
]
WRONG = [
    (
        "POST",
        "/v1/models/half:predict",
        {"instances": [1.0, 5.0]},
        404,
        "Servable not found for request: Latest(half)",
    ),
    (
        "POST",
        "/v1/models/half_plus_three/versions/7:predict",
        {"instances": [1]},
        404,
        "Servable not found for request: Specific(half_plus_three, 7)",
    ),
    (
        "POST",
        "/v1/models/half_plus_three/labels/stable:predict",
        {"instances": [1]},
        400,
        "Unrecognized servable version label: stable",
    ),
    ("GET", "/v1/models/half", None, 404, "Could not find any versions of model half"),
    (
        "GET",
        "/v1/models/half_plus_three/versions/7",
        None,
        404,
        "Could not find version 7 of model half_plus_three",
    ),
    ("GET", "/v1/models", None, 400, "Missing model name in request."),
    ("GET", "/v1/models/a/b/c", None, 400, "Malformed request: GET /v1/models/a/b/c"),
    (
        "POST",
        "/v1/models/half_plus_three",
        {},
        400,
        "Malformed request: POST /v1/models/half_plus_three",
    ),
    (
        "POST",
        "/v1/models/half_plus_three/versions/99999999999999999999:predict",
        {},
        400,
        "Failed to convert version: 99999999999999999999 to numeric.",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        b"",
        400,
        "JSON Parse error: The document is empty",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        b"[1]",
        400,
        "JSON Value: [1] Is not object",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {},
        400,
        "Missing 'inputs' or 'instances' key",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"instances": [1], "inputs": [1]},
        400,
        "expecting only one of 'inputs' or 'instances' keys to exist",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"instances": []},
        400,
        "No values in 'instances' array",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"instances": 5},
        400,
        "Excepting 'instances' to be an list/array",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"signature_name": "other", "instances": [1]},
        400,
        'Serving signature name: "other" not found in signature def',
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"signature_name": 5, "instances": [1]},
        400,
        "'signature_name' key must be a string value.",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"instances": [1.0, "a"]},
        400,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: "a" Type: String is not of expected type: float',
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"instances": [1.0, True]},
        400,
        "JSON Value: true Type: True is not of expected type: float",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"instances": [1.0, None]},
        400,
        "JSON Value: null Type: Null is not of expected type: float",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"instances": [1e39]},
        400,
        "Cannot convert JSON value: 1e+39 to float without loss of precision.",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"instances": [1.0, {"x": 1.0}]},
        400,
        "Expecting value/list but got object at item 1 of input list",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"instances": [{"x": 1}, [1.0]]},
        400,
        "Expecting object but got list at item 1 of input list",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"instances": [{"z": 1.0}]},
        400,
        "keys must be equal to: x",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:predict",
        {"inputs": {"z": [1.0]}},
        400,
        "Missing named input: x in 'inputs' object.",
    ),
    (
        "POST",
        "/v1/models/text:predict",
        {"instances": ["foo"]},
        400,
        "instances is a plain list, but expecting list of objects as multiple",
    ),
    (
        "POST",
        "/v1/models/text:predict",
        {"inputs": ["foo"]},
        400,
        "inputs is a plain value/list, but expecting an object as multiple",
    ),
    (
        "POST",
        "/v1/models/text:predict",
        {"inputs": {"tag": [{"b64": "?"}], "signal": [[1, 2]]}},
        400,
        "Unable to base64 decode",
    ),
    (
        "POST",
        "/v1/models/text:predict",
        {"inputs": {"tag": ["a"], "signal": [[1, 2.5]]}},
        400,
        "JSON Value: 2.5 Type: Number is not of expected type: int32",
    ),
    (
        "POST",
        "/v1/models/text:predict",
        {"inputs": {"tag": ["a"], "signal": [[1], [2, 3]]}},
        400,
        "Encountered list at unexpected size: 2 at level: 1 expected size: 1",
    ),
    (
        "POST",
        "/v1/models/text:predict",
        {"inputs": {"tag": ["a"], "signal": [[1, 2**40]]}},
        400,
        "must hold values of int32",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:classify",
        {"examples": [{"x": 1}]},
        400,
        "Expected classification signature method_name to be tensorflow/serving/class",
    ),
    (
        "POST",
        "/v1/models/half_plus_three:regress",
        {"examples": [{"x": 1}]},
        400,
        "Expected regression signature method_name to be tensorflow/serving/regress",
    ),
    (
        "PUT",
        "/v1/models/half_plus_three:predict",
        {"instances": [1]},
        405,
        "Malformed request: PUT",
    ),
]


@pytest.mark.parametrize("method, path, body, status, expected", GOLDEN)
def test_golden_answers(server, method, path, body, status, expected):
    found = get(server, path) if method == "GET" else post(server, path, body)
    assert found == (status, expected)


@pytest.mark.parametrize("method, path, body, status, message", WRONG)
def test_golden_errors(server, method, path, body, status, message):
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    answer = httpx.request(method, server + path, content=content, timeout=30)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    assert message in answer.json()["error"]


def test_metadata_is_that_of_the_protocol_buffers(server):
    """A client of `tensorflow-serving-api` reads it into its own messages."""
    metadata = pytest.importorskip("tensorflow_serving.apis.get_model_metadata_pb2")
    from google.protobuf import json_format
    from tensorflow.core.protobuf import saved_model_pb2

    status, found = get(server, "/v1/models/small/metadata")
    assert status == 200
    assert found["model_spec"] == {
        "name": "small",
        "signature_name": "",
        "version": "1",
    }
    signatures = json_format.ParseDict(
        found["metadata"]["signature_def"], metadata.SignatureDefMap()
    )
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((exported() / "saved_model.pb").read_bytes())
    expected = saved.meta_graphs[0].signature_def
    assert {*signatures.signature_def} == {n for n in expected if n[:2] != "__"}
    for name, signature in signatures.signature_def.items():
        assert signature == expected[name]


def test_status_is_that_of_the_protocol_buffers(server):
    status = pytest.importorskip("tensorflow_serving.apis.get_model_status_pb2")
    from google.protobuf import json_format

    _, found = get(server, "/v1/models/small")
    parsed = json_format.ParseDict(found, status.GetModelStatusResponse())
    (version,) = parsed.model_version_status
    assert version.version == 1
    assert version.state == status.ModelVersionStatus.AVAILABLE


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_predictions_carry_their_energy(server, key):
    import tensorflow as tf

    _, x = network()
    path = f"{server}/v1/models/small:predict"
    answer = httpx.post(path, json={key: x.tolist()}, timeout=30)
    loaded = load(exported())
    exact = loaded.signatures["energy_report"](inputs=tf.constant(x))
    joules = float(np.sum(exact["energy_joules"]))
    assert float(answer.headers["X-Energy-Joules"]) == pytest.approx(joules, rel=1e-6)
    assert answer.headers["X-Model-Version"] == "1"
    body = {"signature_name": "energy_report", key: x.tolist()}
    costs = httpx.post(path, json=body, timeout=30).json()
    if key == "instances":
        rows = answer.json()["predictions"]
        assert {*rows[0]} == {"logits", "label"}
        found = np.array([row["logits"] for row in rows], "float32")
        energies = [row["energy_joules"] for row in costs["predictions"]]
        labels = [row["label"] for row in rows]
    else:
        found = np.array(answer.json()["outputs"]["logits"], "float32")
        energies = costs["outputs"]["energy_joules"]
        labels = answer.json()["outputs"]["label"]
    np.testing.assert_allclose(found, exact["logits"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(energies, exact["energy_joules"], rtol=1e-6)
    assert labels == [LABELS[k] for k in found.argmax(axis=1)]


def test_nan_is_an_error_of_the_client(server):
    body = b'{"instances": [NaN]}'
    status, found = post(server, "/v1/models/half_plus_three:predict", body)
    assert status == 400 and "finite numbers" in found["error"]


def test_wrong_shapes_are_named(server):
    body = {"instances": [[[1.0]]]}
    status, found = post(server, "/v1/models/small:predict", body)
    assert status == 400
    assert found["error"] == (
        "Input 'inputs' must be of shape (?, 8, 8, 2), the samples first. Received: "
        "shape=(1, 1, 1)."
    )
