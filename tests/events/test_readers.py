"""Files of event cameras: every kind, read back as it was written."""

import pathlib
import struct

import keras
import numpy as np
import pytest

from keras_ssp import _extras, energy_report
from keras_ssp.events import Events, FrameSequence, read, to_frames
from keras_ssp.layers import LIF, EventFrames, RateReadout
from tests.events.recordings import real_recordings, written_aedat4

RNG = np.random.default_rng(0)
N = 60
COLUMNS = {
    "x": RNG.integers(0, 34, N),
    "y": RNG.integers(0, 34, N),
    "t": np.sort(RNG.integers(0, 300_000, N)),
    "p": RNG.integers(0, 2, N),
}
DTYPE = [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def structured():
    found = np.zeros(N, DTYPE)
    for name, values in COLUMNS.items():
        found[name] = values
    return found


def check(path, polarity=True):
    found = read(path)
    for name in ("x", "y", "t"):
        np.testing.assert_array_equal(getattr(found, name), COLUMNS[name])
    if polarity:
        np.testing.assert_array_equal(found.polarity, COLUMNS["p"])
    else:
        assert found.polarity is None


def test_nmnist_files():
    with open("00001.bin", "wb") as file:
        for x, y, t, p in zip(*(COLUMNS[k] for k in "xytp"), strict=True):
            file.write(struct.pack(">BBI", x, y, int(p) << 23 | int(t))[:2])
            file.write(struct.pack(">I", int(p) << 23 | int(t))[1:])
    check("00001.bin")


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"t": "timestamps", "p": "polarity"},
        {"t": "ts", "p": "pol", "x": "xs", "y": "ys"},
        {"x": "X", "y": "Y", "t": "T", "p": "P"},
    ],
)
def test_named_arrays(names):
    import h5py

    arrays = {names.get(k, k): v for k, v in COLUMNS.items()}
    np.savez("a.npz", **arrays)
    check("a.npz")
    for group in ("/", "events", "CD"):
        with h5py.File("a.h5", "w") as file:
            for name, values in arrays.items():
                file.require_group(group).create_dataset(name, data=values)
        check("a.h5")


def test_structured_arrays_and_missing_polarity():
    import h5py

    np.save("a.npy", structured())
    np.savez("a.npz", events=structured())
    with h5py.File("a.hdf5", "w") as file:
        file["events"] = structured()
    for path in ("a.npy", "a.npz", "a.hdf5"):
        check(path)
    np.savez("b.npz", **{k: COLUMNS[k] for k in "xyt"})
    check("b.npz", polarity=False)


@pytest.mark.parametrize(
    ("encoding", "path"), [("dat", "a.dat"), ("evt2", "a.raw"), ("evt3", "b.raw")]
)
def test_prophesee_files(encoding, path):
    from expelliarmus import Wizard

    events = structured()
    if encoding == "evt3":  # what writes it loses the high bits of time in gaps
        events["t"] //= 20
    Wizard(encoding=encoding).save(path, events)
    file = pathlib.Path(path)
    if path.endswith(".raw") and b"% evt" not in file.read_bytes():
        file.write_bytes(f"% evt {encoding[-1]}.0\n".encode() + file.read_bytes())
    found = read(path)
    for name, values in (("x", found.x), ("t", found.t), ("p", found.polarity)):
        np.testing.assert_array_equal(values, events[name])


def test_aedat4_files():
    written_aedat4("a.aedat4", structured())
    check("a.aedat4")


def test_what_is_no_recording_is_refused():
    with pytest.raises(FileNotFoundError, match="`path` must be a recording"):
        read("none.bin")
    pathlib.Path("a.txt").write_text("hello")
    with pytest.raises(ValueError, match="must end in one of .bin, .npz.*a.txt"):
        read("a.txt")
    for name in ("a.bin", "a.npz", "a.h5", "a.aedat4", "a.raw"):
        pathlib.Path(name).write_bytes(b"not a recording!")
        with pytest.raises(ValueError, match=f"{name} is no recording, or damaged"):
            read(name)
    np.savez("b.npz", x=[0], y=[0], frames=[0])
    with pytest.raises(ValueError, match="there is no t, but 'x', 'y', 'frames'"):
        read("b.npz")


@pytest.mark.parametrize("name", ["a.aedat4", "a.dat"])
def test_missing_extra_is_named(name, monkeypatch):
    def missing(module):
        raise ModuleNotFoundError(name=module)

    pathlib.Path(name).write_bytes(b"x")
    monkeypatch.setattr(_extras.importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r'pip install "keras-ssp\[events\]"'):
        read(name)


def test_recordings_are_read_while_a_network_trains():
    files, labels = [], []
    for k, events in enumerate(real_recordings(24)):
        files.append(f"{k}.npz")
        labels.append(k % 2)
        np.savez(files[-1], x=events.x, y=events.y, t=events.t, p=events.polarity)
    how = {"shape": (34, 34), "time_steps": 4, "downsample": 2}
    batches = FrameSequence(files, labels, batch_size=10, **how)
    whole = to_frames([read(f) for f in files], **how)
    x = np.concatenate([batches[k][0] for k in range(len(batches))])
    np.testing.assert_array_equal(x, whole)
    model = keras.Sequential(
        [keras.Input((4, 17, 17, 2)), EventFrames(), keras.layers.Flatten()]
        + [keras.layers.Dense(16), LIF(), keras.layers.Dense(2), RateReadout()]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    model.fit(batches, epochs=1, verbose=0)
    assert (
        energy_report(model, batches).to_dict()
        == energy_report(model, whole, batch_size=10).to_dict()
    )
    unlabelled = FrameSequence(files, batch_size=24, **how)
    np.testing.assert_array_equal(unlabelled[0], whole)


def test_each_epoch_has_an_order_of_its_own():
    for k in range(9):
        np.savez(f"{k}.npz", x=[k], y=[0], t=[0], p=[1])
    how = {"shape": (1, 9), "time_steps": 1, "batch_size": 9, "shuffle": True}
    files = [f"{k}.npz" for k in range(9)]
    first, again = (FrameSequence(files, range(9), seed=3, **how) for _ in "ab")
    orders = []
    for _ in range(3):
        x, y = first[0]
        np.testing.assert_array_equal(x[:, 0, 0, :, 1].argmax(1), y)
        np.testing.assert_array_equal(again[0][1], y)
        orders.append(tuple(y))
        first.on_epoch_end(), again.on_epoch_end()
    assert len(set(orders)) == 3


def test_bad_arguments_of_a_sequence():
    how = {"shape": (1, 9), "time_steps": 1}
    with pytest.raises(ValueError, match="`files` must be a list"):
        FrameSequence([], **how)
    with pytest.raises(ValueError, match="one for each file.*2 labels of 1"):
        FrameSequence(["a.npz"], [0, 1], **how)
    with pytest.raises(ValueError, match="`bins` must be one of"):
        FrameSequence(["a.npz"], bins="all", **how)
    assert isinstance(Events([0], [0], [0]), Events)
