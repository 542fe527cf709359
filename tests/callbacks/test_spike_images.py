"""Pictures of the spikes, as TensorBoard reads them."""

import io

import numpy as np
import pytest

from keras_ssp import _extras
from keras_ssp.callbacks import SpikeImages
from tests.helpers import images, small_snn

pytest.importorskip("tensorboard")
pytestmark = pytest.mark.every_backend


def fit(callback, epochs=2):
    model = small_snn(threshold=0.3)
    model.compile("sgd", "mse")
    x = images(8)
    model.fit(x, np.zeros((8, 5)), epochs=epochs, verbose=0, callbacks=[callback])


def pictures(folder):
    """Tag to steps and images, as TensorBoard's own reader finds them."""
    from tensorboard.backend.event_processing import event_file_loader

    found = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for event in event_file_loader.LegacyEventFileLoader(str(file)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.image))
    return found


def test_every_epoch_has_its_pictures(tmp_path):
    from PIL import Image

    fit(SpikeImages(tmp_path / "logs", images(4)))
    found = pictures(tmp_path / "logs")
    assert set(found) == {"spikes/raster", "spikes/rates", "spikes/time"}
    for steps in found.values():
        assert [step for step, _ in steps] == [0, 1]
        for _, image in steps:
            opened = Image.open(io.BytesIO(image.encoded_image_string))
            assert opened.size == (image.width, image.height)
            assert len(np.unique(np.asarray(opened.convert("L")))) > 5


def test_chosen_kinds_every_other_epoch(tmp_path):
    callback = SpikeImages(tmp_path, images(4), kinds=["rates"], every=2)
    fit(callback, epochs=4)
    found = pictures(tmp_path)
    assert [step for step, _ in found["spikes/rates"]] == [1, 3] and len(found) == 1


def test_bad_arguments_and_missing_tensorboard(tmp_path, monkeypatch):
    x = images(4)
    with pytest.raises(
        ValueError, match="`kinds` must be one of.*Did you mean 'raster'"
    ):
        SpikeImages(tmp_path, x, kinds=["rastr"])
    with pytest.raises(ValueError, match="`kinds` must be a list"):
        SpikeImages(tmp_path, x, kinds="raster")
    with pytest.raises(ValueError, match="`every` must be"):
        SpikeImages(tmp_path, x, every=0)
    load = _extras.importlib.import_module

    def missing(module):
        if module.startswith("tensorboard"):
            raise ModuleNotFoundError(name="tensorboard")
        return load(module)

    monkeypatch.setattr(_extras.importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r'pip install "keras-ssp\[tensorboard\]"'):
        fit(SpikeImages(tmp_path, x))
