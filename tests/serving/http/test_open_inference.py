"""The Open Inference Protocol, version 2; and budgets of energy."""

import keras
import numpy as np
import pytest

from tests.serving.helpers import LABELS, exported, load, network, running
from tests.serving.http.helpers import frontier

httpx = pytest.importorskip("httpx")
pytest.importorskip("starlette")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the server runs TensorFlow"
)
POINTS = {"eco": (0.80, 10.0), "knee": (0.90, 20.0), "accurate": (0.95, 90.0)}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = frontier(tmp_path_factory.mktemp("models"), POINTS)
    with running(root, poll=0) as address:
        yield address


def infer(server, rows=2, *, path="/v2/models/small/infer", headers=None, **more):
    _, x = network()
    x = x[:rows]
    tensor = {
        "name": "inputs",
        "shape": list(x.shape),
        "datatype": "FP32",
        "data": x.ravel().tolist(),
    }
    body = {"inputs": [{**tensor, **more.pop("tensor", {})}], **more}
    answer = httpx.post(server + path, json=body, headers=headers, timeout=30)
    return answer, x


def test_the_server_and_its_health(server):
    assert httpx.get(f"{server}/v2").json()["name"] == "keras-ssp"
    assert httpx.get(f"{server}/v2/health/live").json() == {"live": True}
    assert httpx.get(f"{server}/v2/health/ready").json() == {"ready": True}
    assert httpx.get(f"{server}/v2/health/other").status_code == 404
    ready = httpx.get(f"{server}/v2/models/small/ready")
    assert ready.json() == {"name": "small", "ready": True}
    assert httpx.get(f"{server}/v2/models/none/ready").status_code == 404


def test_metadata(server):
    found = httpx.get(f"{server}/v2/models/small").json()
    assert found == {
        "name": "small",
        "versions": ["1", "2", "3"],
        "platform": "tensorflow_savedmodel",
        "inputs": [{"name": "inputs", "datatype": "FP32", "shape": [-1, 8, 8, 2]}],
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "logits", "datatype": "FP32", "shape": [-1, 5]},
        ],
    }


def test_inference(server):
    import tensorflow as tf

    answer, x = infer(server, id="mine", outputs=[{"name": "logits"}])
    found = answer.json()
    assert (found["id"], found["model_name"], found["model_version"]) == (
        *("mine", "small", "3"),
    )
    (output,) = found["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == (
        *("logits", "FP32", [2, 5]),
    )
    loaded = load(exported())
    exact = loaded.signatures["serving_default"](inputs=tf.constant(x))["logits"]
    np.testing.assert_allclose(output["data"], np.ravel(exact), rtol=1e-6, atol=1e-6)


def test_any_signature(server):
    parameters = {"signature": "energy_report"}
    answer, _ = infer(server, parameters=parameters)
    outputs = {each["name"]: each for each in answer.json()["outputs"]}
    assert outputs["energy_joules"]["shape"] == [2]
    assert outputs["label"]["datatype"] == "BYTES"
    assert set(outputs["label"]["data"]) <= set(LABELS)
    total = sum(outputs["energy_joules"]["data"])
    assert float(answer.headers["X-Energy-Joules"]) == pytest.approx(total)
    spikes = infer(server, parameters={"signature": "spikes"})[0].json()["outputs"]
    assert {each["name"]: each["shape"] for each in spikes} == {
        "lif1": [2, 4, 8, 8, 4],
        "lif2": [2, 4, 4, 4, 6],
    }


@pytest.mark.parametrize(
    "budget, version", [(1000, "3"), (90, "3"), (89.9, "2"), (20, "2"), (19, "1")]
)
def test_a_budget_takes_the_most_accurate_that_keeps_it(server, budget, version):
    answer, _ = infer(server, parameters={"energy_budget_nj": budget})
    assert answer.json()["model_version"] == version
    answer, _ = infer(server, headers={"X-Energy-Budget-nJ": str(budget)})
    assert answer.json()["model_version"] == version
    # And the same by TensorFlow Serving's protocol.
    _, x = network()
    answer = httpx.post(
        f"{server}/v1/models/small:predict",
        json={"instances": x[:1].tolist()},
        headers={"X-Energy-Budget-nJ": str(budget)},
    )
    assert answer.headers["X-Model-Version"] == version


def test_a_budget_below_all_names_the_cheapest(server):
    answer, _ = infer(server, parameters={"energy_budget_nj": 9})
    assert answer.status_code == 400
    assert answer.json()["error"] == (
        "No version of model small spends at most 9 nJ per sample: the cheapest, "
        "version 1, spends 10 nJ."
    )


@pytest.mark.parametrize("label, version", [("eco", 1), ("knee", 2), ("accurate", 3)])
def test_labels(server, label, version):
    _, x = network()
    path = f"{server}/v1/models/small/labels/{label}:predict"
    answer = httpx.post(path, json={"instances": x[:1].tolist()})
    assert answer.headers["X-Model-Version"] == str(version)
    status = httpx.get(f"{server}/v1/models/small/labels/{label}").json()
    assert [v["version"] for v in status["model_version_status"]] == [str(version)]


WRONG = [
    ({"parameters": []}, "`parameters` must be an object"),
    ({"parameters": {"energy_budget_nj": "much"}}, "`energy_budget_nj` must be"),
    ({"parameters": {"energy_budget_nj": -1}}, "`energy_budget_nj` must be"),
    ({"parameters": {"energy_budget_nj": True}}, "`energy_budget_nj` must be"),
    ({"parameters": {"signature": "other"}}, "not found in signature def"),
    ({"parameters": {"signature": 5}}, "not found in signature def"),
    ({"outputs": [{"name": "other"}]}, "The outputs are"),
    ({"outputs": "logits"}, "`outputs` must be a list"),
    ({"tensor": {"name": "image"}}, "The inputs must be 'inputs'"),
    ({"tensor": {"name": ["inputs"]}}, "The inputs must be 'inputs'"),
    ({"tensor": {"datatype": "INT8"}}, "must be of datatype FP32"),
    ({"tensor": {"datatype": "F4"}}, "`datatype` must be one of"),
    ({"tensor": {"shape": [2, 8, 8]}}, "as many values as its shape says"),
    ({"tensor": {"shape": "2"}}, "`shape` must be a list"),
    ({"tensor": {"shape": [-2, 8, 8, 2]}}, "`shape` must be a list"),
    ({"tensor": {"shape": [4, 8, 8, 1]}}, "must be of shape (?, 8, 8, 2)"),
    ({"tensor": {"data": None}}, "is not of expected type: float"),
    ({"tensor": {"data": {"b64": "YQ=="}}}, "is not of expected type: float"),
]


@pytest.mark.parametrize("more, message", WRONG)
def test_wrong_requests(server, more, message):
    answer, _ = infer(server, **more)
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]


def test_wrong_paths(server):
    for path, status in (
        ("/v2/models/small/versions/9/infer", 404),
        ("/v2/models/small/versions/x/infer", 404),
        ("/v2/models/none/infer", 404),
        ("/v2/models/small/other", 404),
        ("/v2/models/small", 405),
    ):
        assert infer(server, path=path)[0].status_code == status
    assert httpx.get(f"{server}/v2/models/small/infer").status_code == 405
