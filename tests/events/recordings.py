"""Recordings for the tests: some of N-MNIST where they are, else moving bars."""

import os
import pathlib

import flatbuffers
import numpy as np

from keras_ssp.events import Events

# 300 recordings of N-MNIST in one file: `count` events each, `x`, `y`, packed bits `p`,
# steps of time in `dt_low` and `dt_high`, `label`.
FILE = pathlib.Path(
    os.environ.get("TFDS_DATA_DIR", "."), "nmnist_small", "nmnist_small.npz"
)


def real_recordings(n):
    """The first `n` recordings of N-MNIST, or as many generated ones."""
    if not FILE.is_file():
        return [moving_bar(seed) for seed in range(n)]
    with np.load(FILE) as file:
        kept = {name: file[name] for name in file.files}
    ends = np.cumsum(kept["count"].astype("int64"))
    p = np.unpackbits(kept["p"])[: ends[-1]]
    dt = kept["dt_low"] + (kept["dt_high"].astype("int64") << 8)
    found = []
    for start, stop in zip([0, *ends[: n - 1]], ends[:n], strict=True):
        part = slice(start, stop)
        t = np.cumsum(dt[part])
        found.append(Events(kept["x"][part], kept["y"][part], t, p[part]))
    return found


def moving_bar(seed, n=400):
    """A bar that moves through 34 x 34 pixels, up or to the side."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 300_000, n))
    place = 4 + t * 26 // 300_000
    along = rng.integers(4, 30, n)
    x, y = (place, along) if seed % 2 else (along, place)
    return Events(x, y, t, rng.integers(0, 2, n))


def written_aedat4(path, events, shape=(34, 34)):
    """Writes an AEDAT 4 file of one packet, not compressed."""
    info = f"""<dv version="2.0"><node name="outInfo" path="/outInfo/">
        <node name="0" path="/outInfo/0/">
        <attr key="compression" type="string">NONE</attr>
        <attr key="typeIdentifier" type="string">EVTS</attr>
        <node name="info" path="/outInfo/0/info/">
        <attr key="sizeX" type="int">{shape[1]}</attr>
        <attr key="sizeY" type="int">{shape[0]}</attr>
        </node></node></node></dv>"""
    head = flatbuffers.Builder()
    text = head.CreateString(info)
    head.StartObject(3)  # compression, position of the table, information
    head.PrependInt32Slot(0, 0, 0)
    head.PrependInt64Slot(1, -1, -1)
    head.PrependUOffsetTRelativeSlot(2, text, 0)
    head.FinishSizePrefixed(head.EndObject(), file_identifier=b"IOHE")
    body = flatbuffers.Builder()
    body.StartVector(16, len(events), 8)
    for event in events[::-1]:
        body.Prep(8, 16)
        body.Pad(3)
        body.PrependBool(bool(event["p"]))
        body.PrependInt16(int(event["y"]))
        body.PrependInt16(int(event["x"]))
        body.PrependInt64(int(event["t"]))
    elements = body.EndVector()
    body.StartObject(1)
    body.PrependUOffsetTRelativeSlot(0, elements, 0)
    body.FinishSizePrefixed(body.EndObject(), file_identifier=b"EVTS")
    packet = bytes(body.Output())
    with open(path, "wb") as file:
        file.write(b"#!AER-DAT4.0\r\n" + bytes(head.Output()))
        file.write(np.array([0, len(packet)], "<i4").tobytes() + packet)
