"""Versions that come, go, are replaced and are broken, while others are answered."""

import json
import shutil
import threading

import keras
import pytest

from keras_ssp.serving.front import FRONT
from tests.serving.helpers import network, running, until
from tests.serving.http.helpers import add_version, change_card, folder_of, frontier

httpx = pytest.importorskip("httpx")
pytest.importorskip("starlette")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the server runs TensorFlow"
)


def states(address, name="small"):
    """Version to state, as the status request tells."""
    answer = httpx.get(f"{address}/v1/models/{name}").json()
    versions = answer.get("model_version_status", [])
    return {v["version"]: v["state"] for v in versions}


def answers(address, path="/v1/models/small:predict"):
    """The version that answers."""
    _, x = network()
    answer = httpx.post(address + path, json={"instances": x[:1].tolist()})
    return answer.headers.get("X-Model-Version")


def test_new_versions_are_taken_up_and_old_ones_let_go(tmp_path):
    folder_of(tmp_path)
    with running(tmp_path, poll=0.1) as address:
        assert states(address) == {"1": "AVAILABLE"}
        add_version(tmp_path / "small" / "2")
        until(lambda: states(address) == {"2": "AVAILABLE"})
        assert answers(address) == "2"
        gone = httpx.get(f"{address}/v1/models/small/versions/1")
        assert gone.status_code == 404
        # A model that was not there when the server started.
        add_version(tmp_path / "other" / "7")
        until(lambda: states(address, "other") == {"7": "AVAILABLE"})
        shutil.rmtree(tmp_path / "other")
        until(lambda: not states(address, "other"))
        # Back to the version before, by taking the newest one away.
        shutil.rmtree(tmp_path / "small" / "2")
        until(lambda: states(address) == {"1": "AVAILABLE"})
        assert answers(address) == "1"


@pytest.mark.parametrize("broken", ["empty", "torn", "card"])
def test_a_corrupt_version_is_told_and_the_last_good_one_answers(tmp_path, broken):
    folder_of(tmp_path)
    with running(tmp_path, poll=0.1) as address:
        path = tmp_path / "small" / "2"
        if broken == "empty":
            path.mkdir()
        else:
            add_version(path)
            file = path / "saved_model.pb"
            if broken == "torn":
                file.write_bytes(file.read_bytes()[:1000])
            else:
                (path / "assets.extra" / "energy_card.json").write_text("{}")
        if broken != "empty":  # its files may have been looked at before they broke
            later = tmp_path / "small" / "3"
            path.rename(later)
            path = later
        until(lambda: states(address).get(path.name) == "END")
        assert states(address) == {"1": "AVAILABLE", path.name: "END"}
        assert answers(address) == "1"
        status = httpx.get(f"{address}/v1/models/small/versions/{path.name}").json()
        (told,) = status["model_version_status"]
        assert told["status"]["error_code"] == "UNKNOWN"
        assert told["status"]["error_message"]
        asked = f"/v1/models/small/versions/{path.name}:predict"
        answer = httpx.post(address + asked, json={"instances": [1]})
        assert answer.status_code == 404
        add_version(tmp_path / "small" / "4")
        until(lambda: answers(address) == "4")


def test_the_newest_that_loads_is_served_from_the_start(tmp_path):
    folder_of(tmp_path, versions=(1, 2))
    (tmp_path / "small" / "3").mkdir()
    (tmp_path / "small" / "3" / "saved_model.pb").write_bytes(b"no model")
    (tmp_path / "small" / "notes.txt").write_text("no version")
    (tmp_path / "small" / "04").mkdir()
    with running(tmp_path, poll=0) as address:
        assert states(address) == {"2": "AVAILABLE", "3": "END"}
        assert answers(address) == "2"


def test_all_versions(tmp_path):
    folder_of(tmp_path, versions=(1, 2))
    with running(tmp_path, poll=0, policy="all") as address:
        assert states(address) == {"1": "AVAILABLE", "2": "AVAILABLE"}
        assert answers(address) == "2"
        assert answers(address, "/v1/models/small/versions/1:predict") == "1"


def test_the_folder_of_one_model(tmp_path):
    folder_of(tmp_path)
    with running(tmp_path / "small", poll=0) as address:
        assert answers(address) == "1"


def test_a_new_frontier_takes_over_at_once(tmp_path):
    frontier(tmp_path, {"eco": (0.8, 10.0), "accurate": (0.9, 20.0)})
    with running(tmp_path, poll=0.1) as address:
        assert states(address) == {"1": "AVAILABLE", "2": "AVAILABLE"}
        # Versions that the frontier does not name yet are not served.
        for number, energy in ((3, 5.0), (4, 15.0)):
            path = add_version(tmp_path / "small" / str(number))
            change_card(path, accuracy=0.5, energy_nj=energy)
        assert answers(address) == "2"
        file = tmp_path / "small" / FRONT
        front = {"labels": {"eco": 3, "accurate": 4}, "versions": []}
        front["versions"] = [{"version": 3}, {"version": 4}]
        partial = file.with_name(".front")
        partial.write_text(json.dumps(front))
        partial.replace(file)
        until(lambda: states(address) == {"3": "AVAILABLE", "4": "AVAILABLE"})
        assert answers(address, "/v1/models/small/labels/eco:predict") == "3"


def test_a_frontier_that_cannot_be_read_does_not_stop_the_server(tmp_path):
    folder_of(tmp_path, versions=(1, 2))
    (tmp_path / "small" / FRONT).write_text('{"labels": 5}')
    with running(tmp_path, poll=0) as address:
        assert answers(address) == "2"


def test_nothing_is_lost_while_versions_change(tmp_path):
    """Clients ask all the time; versions are replaced under them."""
    folder_of(tmp_path)
    _, x = network()
    body = {"instances": x[:1].tolist()}
    stop, wrong, seen = threading.Event(), [], set()
    with running(tmp_path, poll=0.05) as address:

        def ask():
            with httpx.Client(timeout=30) as client:
                while not stop.is_set():
                    answer = client.post(
                        f"{address}/v1/models/small:predict", json=body
                    )
                    if answer.status_code != 200:
                        wrong.append(answer.text)
                    seen.add(answer.headers.get("X-Model-Version"))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in (2, 3, 4):
            add_version(tmp_path / "small" / str(number))
            until(lambda number=number: str(number) in seen)
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not wrong
    assert seen == {"1", "2", "3", "4"}
