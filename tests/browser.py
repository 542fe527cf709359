"""A page in headless Chromium, by the DevTools protocol over two pipes."""

import base64
import contextlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

import pytest

PATIENCE = 60.0  # seconds for one answer, on a machine that does other things too


def chromium():
    """Path of the browser: of the variable CHROMIUM, or on PATH; else skips."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, names)), None
    )
    if found is None:
        pytest.skip("no chromium on PATH, and CHROMIUM names none: page not opened")
    return found


class Browser:
    """One tab; `seen` has everything that it reported."""

    def __init__(self, process, to, of):
        self.process, self.to, self.of = process, to, of
        self.seen, self._buffer, self._id = [], b"", 0
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    session = None

    def call(self, method, **params):
        self._id += 1
        message = {"id": self._id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            found = self._receive()
            if found.get("id") == self._id:
                assert "error" not in found, found
                return found["result"]

    def _receive(self):
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self.of], [], [], end - time.monotonic())
            assert ready, "chromium does not answer"
            more = os.read(self.of, 1 << 16)
            assert more, "chromium has ended"
            self._buffer += more
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        if "method" in message:
            self.seen.append(message)
        return message

    def open(self, path, width, height=900):
        """Opens a file or address in a window of so many pixels; waits for it."""
        self.seen.clear()
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        self.call("Emulation.setDeviceMetricsOverride", mobile=width < 600, **metrics)
        remote = str(path).startswith("http")
        url = str(path) if remote else pathlib.Path(path).resolve().as_uri()
        self.call("Page.navigate", url=url)
        while not any(m["method"] == "Page.loadEventFired" for m in self.seen):
            self._receive()
        frames = (
            "new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))"
        )
        self.evaluate(frames)

    def evaluate(self, script):
        found = self.call(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def point_at(self, selector):
        """Moves the mouse onto an element, and waits until the page has answered."""
        box = self.evaluate(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); "
            "const b = e.getBoundingClientRect(); "
            "return [b.x + b.width / 2, b.y + b.height / 2]; })"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        for shift in (3, 0):
            at = {"x": box[0] + shift, "y": box[1]}
            self.call("Input.dispatchMouseEvent", type="mouseMoved", **at)
            self.evaluate("new Promise(f => setTimeout(f, 150))")

    def complaints(self):
        """What the console or the browser complained about."""
        kinds = {
            "Runtime.exceptionThrown": lambda p: p["exceptionDetails"],
            "Runtime.consoleAPICalled": lambda p: (
                p["type"] in ("error", "warning") and p
            ),
            "Log.entryAdded": lambda p: p["entry"]["level"] != "verbose" and p["entry"],
        }
        known = [(kinds[m["method"]], m) for m in self.seen if m["method"] in kinds]
        return [found for kind, m in known if (found := kind(m["params"]))]

    def requests(self):
        """The addresses that were asked for something."""
        return [
            m["params"]["request"]["url"]
            for m in self.seen
            if m["method"] == "Network.requestWillBeSent"
        ]

    def foreign_requests(self, *near):
        """The addresses that were asked for something and do not begin as these."""
        return [url for url in self.requests() if not url.startswith(near)]

    def fits(self):
        """Whether nothing makes the page scroll sideways."""
        return self.evaluate(
            "document.documentElement.scrollWidth <= window.innerWidth"
        )

    def screenshot(self, path):
        """The whole page as PNG."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))


@contextlib.contextmanager
def browser():
    """A running browser; ended when the block is left."""
    program = chromium()
    ours, theirs = os.pipe(), os.pipe()  # they read of `ours`, write into `theirs`
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        flags += ["--disable-dev-shm-usage"]  # small in containers
        flags += ["--remote-debugging-pipe", f"--user-data-dir={home}"]
        # The protocol's pipes are 3 and 4: the shell puts them there.
        script = f'exec "$0" "$@" 3<&{ours[0]} 4>&{theirs[1]}'
        process = subprocess.Popen(
            ["bash", "-c", script, program, *flags],
            pass_fds=(ours[0], theirs[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        try:
            yield Browser(process, ours[1], theirs[0])
        finally:
            process.terminate()
            process.wait(PATIENCE)
            os.close(ours[1])
            os.close(theirs[0])
