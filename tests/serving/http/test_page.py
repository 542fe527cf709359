"""The page at /, in a browser."""

import json

import keras
import numpy as np
import pytest

import keras_ssp
from keras_ssp.layers import LIF, DirectEncoding, RateReadout
from tests.browser import browser
from tests.helpers import images
from tests.serving.helpers import (
    LABELS,
    event_network,
    exported,
    load,
    running,
    until,
)
from tests.serving.http.helpers import frontier

pytest.importorskip("starlette")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the server runs TensorFlow"
)
POINTS = {"eco": (0.80, 10.0), "knee": (0.90, 20.0), "accurate": (0.95, 90.0)}
NASTY = "<b onload=alert(1)>&"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = frontier(tmp_path_factory.mktemp("models"), POINTS)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            DirectEncoding(2),
            LIF(name="lif"),
            keras.layers.Dense(5),
            RateReadout(),
        ],
        name="gray",
    )
    labels = [NASTY, *LABELS[1:]]
    keras_ssp.export(model, root / "gray" / "1", labels=labels, input_dtype="uint8")
    model, x = event_network()
    keras_ssp.export(model, root / "events" / "1", data=x)
    with running(root, poll=0) as address:
        yield address


@pytest.fixture(scope="module")
def tab():
    with browser() as found:
        yield found


def show(tab, server, width, model):
    tab.open(f"{server}/", width)
    until(lambda: tab.evaluate("document.querySelectorAll('#models button').length"))
    tab.evaluate(
        "[...document.querySelectorAll('#models button')]"
        f".find(b => b.textContent === {json.dumps(model)}).click()"
    )
    assert tab.evaluate("document.querySelector('#name').textContent") == model


def predict(tab):
    tab.evaluate("document.querySelector('#answer').hidden = true")
    tab.evaluate("document.querySelector('#run').click()")
    until(
        lambda: tab.evaluate(
            "!document.querySelector('#answer').hidden"
            " || document.querySelector('#message').textContent !== ''"
        )
    )
    assert tab.evaluate("document.querySelector('#message').textContent") == ""
    return tab.evaluate("document.querySelector('#verdict').textContent")


def give(tab, name, content):
    """Chooses a file, as a person does."""
    tab.evaluate(
        f"""(bytes => {{
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], {json.dumps(name)}));
            const input = document.querySelector('#file');
            input.files = data.files;
            input.dispatchEvent(new Event('change'));
        }})({json.dumps([*content])})"""
    )
    tab.evaluate("new Promise(f => setTimeout(f, 200))")


def npy(array):
    import io

    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("width", [1280, 400])
def test_it_is_shown_whole_without_a_complaint(server, tab, width):
    show(tab, server, width, "small")
    assert tab.complaints() == []
    assert tab.foreign_requests(server, "data:") == []
    assert tab.fits()
    rows = "document.querySelectorAll('#versions tbody tr').length"
    assert tab.evaluate(rows) == 3
    assert tab.evaluate("document.querySelectorAll('#frontier .dot').length") == 3
    assert tab.evaluate("document.querySelectorAll('#layers .bar').length") == 3
    text = tab.evaluate("document.body.innerText")
    for shown in ("95.00 %", "90 nJ", "accurate", "AVAILABLE", "Horowitz"):
        assert shown in text


@pytest.mark.parametrize("width", [1280, 400])
def test_a_prediction_with_its_spikes(server, tab, width):
    import tensorflow as tf

    show(tab, server, width, "small")
    x = images(1)
    give(tab, "sample.npy", npy(x))
    verdict = predict(tab)
    loaded = load(exported())
    exact = loaded.signatures["energy_report"](inputs=tf.constant(x))
    label = exact["label"].numpy()[0].decode()
    assert verdict.startswith(f"{label}, for ") and verdict.endswith("3 (accurate)")
    energy = 1e9 * float(exact["energy_joules"][0])
    assert float(verdict.split()[2]) == pytest.approx(energy, rel=1e-3)
    captions = tab.evaluate(
        "[...document.querySelectorAll('#raster figcaption')].map(c => c.textContent)"
    )
    spikes = loaded.signatures["spikes"](inputs=tf.constant(x))
    for name, caption in zip(("lif1", "lif2"), captions, strict=True):
        fired = int(np.asarray(spikes[name]).sum())
        assert caption.startswith(f"{name}{fired} spikes, ")
    bars = "document.querySelectorAll('#spent .bar').length"
    assert tab.evaluate(bars) == 3
    assert tab.fits()
    assert tab.complaints() == []


def test_a_budget_chooses_the_version(server, tab):
    show(tab, server, 1280, "small")
    give(tab, "sample.npy", npy(images(1)))
    tab.evaluate("document.querySelector('#budget').value = '25'")
    assert predict(tab).endswith("2 (knee)")
    selected = "document.querySelector('#versions tr[aria-selected=true] td').innerText"
    assert tab.evaluate(selected) == "2"
    tab.evaluate("document.querySelector('#budget').value = '1'")
    tab.evaluate("document.querySelector('#run').click()")
    message = "document.querySelector('#message').textContent"
    told = until(lambda: tab.evaluate(message))
    assert "the cheapest, version 1, spends 10 nJ" in told


def test_a_drawing(server, tab):
    show(tab, server, 1280, "gray")
    assert predict(tab)
    for step, (x, y) in {
        "mousePressed": (0.2, 0.2),
        "mouseMoved": (0.8, 0.8),
        "mouseReleased": (0.8, 0.8),
    }.items():
        left, top, width = tab.evaluate(
            "(e => { e.scrollIntoView({block: 'center'});"
            " const b = e.getBoundingClientRect(); return [b.x, b.y, b.width]; })"
            "(document.querySelector('#pad'))"
        )
        at = {"x": left + x * width, "y": top + y * width}
        tab.call(
            "Input.dispatchMouseEvent", type=step, button="left", clickCount=1, **at
        )
    inked = tab.evaluate(
        "[...document.querySelector('#pad').getContext('2d')"
        ".getImageData(0, 0, 8, 8).data].filter((v, k) => k % 4 === 0 && v > 0).length"
    )
    assert 5 < inked < 30
    assert predict(tab)
    tab.evaluate("document.querySelector('#clear').click()")
    # Names are text, whatever they are.
    assert tab.evaluate("document.querySelectorAll('[onload]').length") == 0
    assert NASTY in tab.evaluate("document.querySelector('#classes').innerText")


def test_recorded_events(server, tab):
    show(tab, server, 400, "events")
    assert tab.evaluate("document.querySelector('#pad').parentElement.hidden")
    events = event_network()[1][:1]
    give(tab, "events.npy", npy(events[0].astype("uint8")))
    predict(tab)
    captions = tab.evaluate(
        "[...document.querySelectorAll('#raster figcaption')].map(c => c.textContent)"
    )
    assert captions[0].startswith(
        f"events{int(events.sum())} spikes, 32 neurons, T = 3"
    )
    give(tab, "wrong.npy", npy(np.zeros((2, 2))))
    message = tab.evaluate("document.querySelector('#message').textContent")
    assert "must be of shape (3, 4, 4, 2)" in message
