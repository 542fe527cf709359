"""Exports from another Keras backend, through a model of TensorFlow's.

The model is saved, and a process of its own, with TensorFlow as the backend, loads it
with the same weights and writes it. `python -m keras_ssp.serving.twin FILE` is that
process.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import keras

from keras_ssp import graph
from keras_ssp._imports import import_modules
from keras_ssp.serving.spec import ExportSpec

_OWN = ("keras", "keras_ssp")


def write_by_twin(
    model: keras.Model, spec: ExportSpec, format: str, path: pathlib.Path
) -> None:
    """Writes a model of the JAX or torch backend; arguments as for `writers.write`.

    Raises:
        ValueError: If a layer of the model is defined where no other process finds it.
        RuntimeError: If the other process fails; its last words are in the message.
    """
    modules = modules_of(model)
    with tempfile.TemporaryDirectory() as folder:
        saved = pathlib.Path(folder) / "model.keras"
        model.save(saved)
        order = pathlib.Path(folder) / "order.json"
        order.write_text(
            json.dumps(
                {
                    "model": str(saved),
                    "spec": spec.to_dict(),
                    "format": format,
                    "path": str(path.absolute()),
                    "imports": modules,
                }
            ),
            encoding="utf-8",
        )
        run = subprocess.run(
            [sys.executable, "-m", "keras_ssp.serving.twin", str(order)],
            env=_environment(),
            capture_output=True,
            text=True,
        )
    if run.returncode:
        lines = [line for line in run.stderr.splitlines() if line.strip()]
        raise RuntimeError(
            "The model must load with KERAS_BACKEND=tensorflow to be exported. "
            f"Received: {' '.join(lines[-3:])[-800:]}"
        )


def modules_of(model: keras.Model) -> list[str]:
    """The modules that define a model's own layers; the twin imports them."""
    found = set()
    for layer in (model, *graph.inner_layers(model)):
        module = type(layer).__module__
        if module.partition(".")[0] in _OWN:
            continue
        if module == "__main__":
            raise ValueError(
                "`model` must consist of layers that are defined in modules: it is "
                "exported by another process, which imports them. Received: "
                f"{type(layer).__name__}, defined in the program that runs. Remedy: "
                "move it to a module, or export with KERAS_BACKEND=tensorflow."
            )
        found.add(module)
    return sorted(found)


def _environment() -> dict[str, str]:
    paths = [p for p in (os.getcwd(), *sys.path) if p]
    return {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        # What a library tells by the way is no error.
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
    }


def main(file: str) -> None:
    """Does what an order says."""
    from keras_ssp.serving.writers import write

    order = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
    import_modules(order["imports"])
    model = keras.saving.load_model(order["model"])
    spec = ExportSpec.from_dict(order["spec"])
    write(model, spec, order["format"], pathlib.Path(order["path"]))


if __name__ == "__main__":
    main(sys.argv[1])
