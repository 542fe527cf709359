"""What a hostile client meets: a status, a message, and a server that lives on."""

import http.client
import json
import socket
import string
import urllib.parse

import hypothesis.strategies as st
import keras
import pytest
from hypothesis import HealthCheck, given, settings

from tests.serving.helpers import network, running
from tests.serving.http.helpers import folder_of

httpx = pytest.importorskip("httpx")
pytest.importorskip("starlette")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the server runs TensorFlow"
)
PREDICT = "/v1/models/small:predict"
KEY = "a key"


def limits(**values):
    from keras_ssp.serving.http.predicting import Limits

    return Limits(**{"body": 200_000, "rows": 8, "seconds": 2.0, **values})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = folder_of(tmp_path_factory.mktemp("models"))
    with running(root, poll=0, limits=limits()) as address:
        yield address
        assert alive(address)


def alive(address):
    return ask(address, rows=1).status_code == 200


def ask(address, rows=1, **headers):
    _, x = network()
    body = {"instances": x[:rows].tolist()}
    return httpx.post(address + PREDICT, json=body, headers=headers, timeout=30)


def test_huge_bodies(server):
    for content in (b"x" * 300_000, iter([b"x" * 50_000] * 10)):  # stated, and not
        answer = httpx.post(server + PREDICT, content=content, timeout=30)
        assert answer.status_code == 413
        assert answer.json() == {"error": "The body must be at most 200000 bytes long."}


def test_huge_batches(server):
    assert ask(server, rows=8).status_code == 200
    answer = ask(server, rows=9)
    assert answer.status_code == 400
    assert answer.json()["error"] == (
        "Task size 9 is larger than maximum input batch size 8"
    )


@pytest.mark.parametrize("opening, closing", ["[]", ('{"a":', "}")])
def test_deep_nesting(server, opening, closing):
    deep = opening * 20_000 + "1" + closing * 20_000
    for body in (f'{{"instances": {deep}}}', deep):
        answer = httpx.post(server + PREDICT, content=body.encode(), timeout=30)
        assert answer.status_code == 400
        assert set(answer.json()) == {"error"}
    for depth in (60, 70, 900):
        nested = "[" * depth + "1" + "]" * depth
        body = f'{{"instances": {nested}}}'.encode()
        answer = httpx.post(server + PREDICT, content=body, timeout=30)
        assert answer.status_code == 400


def test_numbers_of_thousands_of_digits(server):
    body = f'{{"instances": [{"9" * 10_000}]}}'.encode()
    answer = httpx.post(server + PREDICT, content=body, timeout=30)
    assert answer.status_code == 400


PATHS = [
    "/v1/models/..%2f..%2fetc/versions/1:predict",
    "/v1/models/%2e%2e:predict",
    "/v1/models/small%00:predict",
    "/v1/models/small/versions/../../../etc/passwd",
    "/v2/models/..%2f..%2fetc%2fpasswd",
    "/v2/models/small/versions/..%2f1/infer",
    "/static/..%2fapp.py",
    "/static/../app.py",
    "/static/app.py",
    "/../../etc/passwd",
    "//etc/passwd",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_paths_lead_nowhere_else(server, method, path):
    host = urllib.parse.urlsplit(server).netloc
    connection = http.client.HTTPConnection(host, timeout=10)  # sends it as it is
    connection.request(method, path, body=b"{}" if method == "POST" else None)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status in (400, 404, 405)
    assert b"root:" not in text and b"import" not in text
    connection.close()


def test_the_api_key(tmp_path):
    folder_of(tmp_path)
    with running(tmp_path, poll=0, api_key=KEY) as address:
        for headers in ({}, {"X-API-Key": "other"}, {"Authorization": "Bearer other"}):
            answer = ask(address, **headers)
            assert answer.status_code == 401
            assert "X-API-Key" in answer.json()["error"]
        assert ask(address, **{"X-API-Key": KEY}).status_code == 200
        assert ask(address, Authorization=f"Bearer {KEY}").status_code == 200
        for path, status in (
            ("/", 200),
            ("/static/page.js", 200),
            ("/v2/health/live", 200),
            ("/metrics", 401),
            ("/api/models", 401),
            ("/v2/models/small", 401),
            ("/v1/models/small", 401),
        ):
            assert httpx.get(address + path).status_code == status


def connect(server):
    where = urllib.parse.urlsplit(server)
    return socket.create_connection((where.hostname, where.port), timeout=20)


def test_a_slow_client_is_told(server):
    with connect(server) as connection:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
        connection.sendall(head.encode() + b"{")
        answer = connection.recv(4096)  # after the 2 seconds of the limit
    assert b" 408 " in answer.splitlines()[0]
    assert b"must have come within 2 s" in answer
    assert alive(server)


def test_half_closed_and_broken_connections(server):
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(head.encode() + b"{")
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4096)
        assert not answer or answer.split()[1] in (b"400", b"408")
    for _ in range(20):  # gone before their answer
        with connect(server) as connection:
            connection.sendall(head.encode())
    with connect(server) as connection:
        connection.sendall(b"no HTTP at all\r\n\r\n")
        assert b" 400 " in connection.recv(4096).splitlines()[0]
    assert alive(server)


def test_a_queue_that_is_full(tmp_path):
    folder_of(tmp_path)
    import threading

    full = limits(queue=1, batch=1)
    with running(tmp_path, poll=0, limits=full) as address:
        ask(address)
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(ask(address).status_code))
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert set(found) == {200, 429}
        assert alive(address)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["inputs", "instances", "b64", "FP32", "energy_report"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["inputs", "instances", "signature_name", "b64", "name", "shape"]
                + ["datatype", "data", "parameters", "outputs", "id", "signature"]
                + ["energy_budget_nj"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
BODIES = JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)
WORDS = st.sampled_from(
    ["v1", "v2", "models", "small", "none", "versions", "labels", "1", "2", "infer"]
    + ["ready", "metadata", "small:predict", "1:predict", "static", "page.js", "api"]
    + ["metrics", "health", "live", "monitoring"]
) | st.text(string.printable, max_size=6)
KNOWN = st.sampled_from(
    [PREDICT, "/v2/models/small/infer", "/v1/models/small/versions/1:predict"]
)


def quoted(words):
    return "/" + "/".join(urllib.parse.quote(word, safe=":") for word in words)


@given(
    method=st.sampled_from(["GET", "POST", "POST", "POST", "PUT", "DELETE", "PATCH"]),
    path=KNOWN
    | st.lists(WORDS, max_size=6).map(
        lambda words: (
            "/" + "/".join(urllib.parse.quote(word, safe=":") for word in words)
        )
    ),
    body=BODIES,
)
@settings(
    max_examples=1000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_any_request_gets_an_answer(server, client, method, path, body):
    """Never an internal error, and always JSON that says what is wrong."""
    answer = client.request(method, server + path, content=body)
    assert answer.status_code < 500, (method, path, body, answer.text)
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error"}
        assert answer.json()["error"]


@pytest.fixture(scope="module")
def client():
    with httpx.Client(timeout=30) as found:
        yield found
