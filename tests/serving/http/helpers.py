"""Folders of models to serve."""

import json
import shutil

from keras_ssp.serving.card import CARD_PATH
from keras_ssp.serving.front import FRONT, model_config
from tests.serving.helpers import exported


def folder_of(root, name="small", versions=(1,)):
    """A folder with copies of one exported network as versions."""
    for number in versions:
        add_version(root / name / str(number))
    return root


def add_version(path):
    """A copy of an exported network, that appears whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.copy")
    shutil.copytree(exported(), partial)
    partial.rename(path)
    return path


def change_card(path, **values):
    """Other values in the energy card of a version: `accuracy`, `energy_nj`."""
    file = path / CARD_PATH
    card = json.loads(file.read_text())
    card["evaluation"]["accuracy"] = values["accuracy"]
    card["energy"]["energy_joules"] = values["energy_nj"] * 1e-9
    file.write_text(json.dumps(card))


def frontier(root, points, name="small"):
    """A frontier: label to (accuracy, energy in nJ)."""
    labels = {}
    for number, (label, (accuracy, energy)) in enumerate(points.items(), 1):
        path = add_version(root / name / str(number))
        change_card(path, accuracy=accuracy, energy_nj=energy)
        labels[label] = number
    front = {"labels": labels, "versions": [{"version": n} for n in labels.values()]}
    (root / name / FRONT).write_text(json.dumps(front))
    text = model_config(name, f"/models/{name}", list(labels.values()), labels)
    (root / name / "model_config").write_text(text)
    return root
