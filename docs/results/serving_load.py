"""How much of a network's own speed the server hands on, under load.

    python docs/results/serving_load.py saved_models digits

Starts `keras-ssp serve`, and asks it from 16 connections for predictions, 60 seconds
with one sample a request and 60 with 16; before and after, the bare SavedModel is
called from Python. Prints the numbers of docs/results/serving.md.
"""

import argparse
import asyncio
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))  # from a clone
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CLIENTS = 16


def bare(path, batch, seconds):
    """Samples per second of the bare signature, and of `energy_report`."""
    import tensorflow as tf

    from keras_ssp.serving.exported import ExportedModel

    model = ExportedModel(path)
    (info,) = model.inputs["serving_default"].values()
    shape = (batch, *info.shape[1:])
    x = tf.cast(tf.random.uniform(shape, 0, 255), info.dtype)
    found = {}
    for name in ("serving_default", "energy_report"):
        function = model._functions[name]
        for _ in range(10):
            function(**{info.name: x})
        calls, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            {k: v.numpy() for k, v in function(**{info.name: x}).items()}
            calls += 1
        found[name] = calls * batch / seconds
    return found, shape


def body_of(shape, rows):
    """A request of so many random samples."""
    import numpy as np

    x = np.random.default_rng(0).integers(0, 256, (rows, *shape[1:]))
    return json.dumps({"instances": x.tolist()}, separators=(",", ":")).encode()


async def client(port, path, body, until, times, wrong):
    """One connection that asks all the time; plain HTTP, so that it costs little."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(head + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in answer.lower().splitlines()
            if line.startswith(b"content-length:")
        )
        await reader.readexactly(length)
        times.append(time.perf_counter() - started)
        if b" 200 " not in answer.splitlines()[0]:
            wrong.append(answer)
    writer.close()


def clients(port, path, file, seconds, count):
    """Runs clients in this process; prints their times as JSON."""
    body = pathlib.Path(file).read_bytes()
    times, wrong = [], []

    async def main():
        until = time.perf_counter() + seconds
        found = (client(port, path, body, until, times, wrong) for _ in range(count))
        await asyncio.gather(*found)

    asyncio.run(main())
    print(json.dumps({"times": times, "wrong": len(wrong)}))


def resident(pid):
    """MiB of memory that a process has."""
    text = pathlib.Path(f"/proc/{pid}/statm").read_text().split()
    return int(text[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def load(port, name, body, rows, seconds, server):
    """Asks for `seconds` from 16 connections; a row of the table."""
    file = pathlib.Path(tempfile.mkdtemp()) / "body.json"
    file.write_bytes(body)
    path = f"/v1/models/{name}:predict"
    command = [sys.executable, __file__, "--clients", str(port), path, str(file)]
    before = resident(server.pid)
    run = subprocess.run(
        [*command, str(seconds), str(CLIENTS)], capture_output=True, text=True
    )
    after = resident(server.pid)
    found = json.loads(run.stdout)
    times = sorted(found["times"])
    shutil.rmtree(file.parent)
    return {
        "requests": len(times),
        "errors": found["wrong"],
        "samples/s": len(times) * rows / seconds,
        "p50 ms": 1e3 * statistics.median(times),
        "p99 ms": 1e3 * times[int(0.99 * len(times))],
        "MiB before": before,
        "MiB after": after,
    }


def start(root):
    """A server at a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "keras_ssp", "serve", root, "--port", str(port)]
    started = time.perf_counter()
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server, port, time.perf_counter() - started
        except OSError:
            time.sleep(0.1)


def main():
    if "--clients" in sys.argv:
        port, path, file, seconds, count = sys.argv[2:]
        clients(int(port), path, file, float(seconds), int(count))
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root")
    parser.add_argument("name")
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    from keras_ssp.serving.versions import versions_in

    folder = pathlib.Path(arguments.root) / arguments.name
    path = versions_in(folder)[max(versions_in(folder))]
    found, shape = bare(path, 16, 5)
    print(f"bare call, batch 16: {found}")
    server, port, seconds = start(arguments.root)
    print(f"listens after {seconds:.1f} s")
    try:
        for rows in (1, 16):
            row = load(
                port,
                arguments.name,
                body_of(shape, rows),
                rows,
                arguments.seconds,
                server,
            )
            share = row["samples/s"] / found["serving_default"]
            print(f"{CLIENTS} clients, {rows} samples a request: {row}, {share:.2f}")
    finally:
        server.terminate()
        server.wait()
    print(f"bare call again: {bare(path, 16, 5)[0]}")


if __name__ == "__main__":
    main()
