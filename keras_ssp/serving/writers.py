"""Writes a model in each format; runs on the TensorFlow backend alone."""

from __future__ import annotations

import contextlib
import io
import logging
import pathlib
import tempfile
import warnings
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

from keras_ssp import graph
from keras_ssp._extras import require
from keras_ssp.kernels.exporting import exporting
from keras_ssp.layers import PoissonEncoding
from keras_ssp.serving.answers import Answer, Answers, Function
from keras_ssp.serving.spec import ExportSpec
from keras_ssp.types import Array, Tensor

DEFAULT, ENERGY = "serving_default", "energy_report"
COUNTS, SPIKES = "layer_counts", "spikes"
_ONNX_OPSET = 17


def write(
    model: keras.Model, spec: ExportSpec, format: str, path: pathlib.Path
) -> None:
    """Writes a model, and compares what was written with the model.

    Args:
        model: The model, on the TensorFlow backend.
        spec: What is exported.
        format: `"saved_model"`, `"litert"` or `"onnx"`.
        path: The folder, or the file.
    """
    if format == "saved_model":
        write_saved_model(model, spec, path)
    elif format == "litert":
        write_litert(model, spec, path)
    else:
        write_onnx(model, spec, path)


def write_saved_model(
    model: keras.Model, spec: ExportSpec, path: pathlib.Path, *, portable: bool = False
) -> None:
    """Writes a SavedModel with its signatures.

    Args:
        model: The model.
        spec: What is exported.
        path: The folder.
        portable: Whether to leave out what other formats do not know: strings, and the
            signatures with spikes.
    """
    answers = Answers(model, spec)
    signature = input_signature(spec)
    endpoints: dict[str, Function] = {
        DEFAULT: answers.default,
        ENERGY: answers.energy_report,
    }
    if not portable:
        endpoints |= {COUNTS: answers.layer_counts, SPIKES: answers.spikes}
    module = tf.Module()
    functions = {}
    for name, function in endpoints.items():
        if name in (DEFAULT, ENERGY) and spec.labels and not portable:
            function = with_label(function, spec)
        traced = tf.function(function, input_signature=signature, autograph=False)
        # Who trains on goes through what the model answers, not through counts.
        gradients = name == DEFAULT and not portable
        with exporting(gradients=gradients), quiet():
            functions[name] = traced.get_concrete_function()
    with quiet():
        # All that the functions read, which is what is saved.
        read = {id(v): v for f in functions.values() for v in f.graph.variables}
        module.read = list(read.values())
        tf.saved_model.save(module, str(path), signatures=functions)
    _check_runs_anywhere(path)
    if not portable:
        _check_equal(answers, spec, path)


def input_signature(spec: ExportSpec) -> list[tf.TensorSpec]:
    """The inputs as TensorFlow describes them; their names are the keys of requests."""
    return [
        tf.TensorSpec((None, *each.shape), each.dtype, name=each.name)
        for each in spec.inputs
    ]


def with_label(function: Function, spec: ExportSpec) -> Function:
    """Adds the name of the class to an answer."""

    def labelled(*inputs: Tensor) -> Answer:
        answer = function(*inputs)
        number = tf.argmax(answer[spec.output], axis=-1)
        return {**answer, "label": tf.gather(tf.constant(spec.labels), number)}

    return labelled


def write_litert(model: keras.Model, spec: ExportSpec, path: pathlib.Path) -> None:
    """Writes a LiteRT file with the signatures, of built-in operations alone."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        saved = pathlib.Path(folder) / "1"
        write_saved_model(model, spec, saved, portable=True)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(saved), signature_keys=[DEFAULT, ENERGY]
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            path.write_bytes(converter.convert())
        except Exception as error:
            raise ValueError(
                "`model` must consist of operations that LiteRT has built in. "
                f"Received: model={model.name!r}: {str(error)[-500:]}"
            ) from error


def write_onnx(model: keras.Model, spec: ExportSpec, path: pathlib.Path) -> None:
    """Writes an ONNX file whose outputs are those of `energy_report`."""
    tf2onnx = require("tf2onnx", extra="onnx")
    require("onnx", extra="onnx")
    answers = Answers(model, spec)
    with exporting(gradients=False), quiet():
        function = tf.function(
            answers.energy_report,
            input_signature=input_signature(spec),
            autograph=False,
        )
        tf2onnx.convert.from_function(
            function,
            input_signature=input_signature(spec),
            opset=_ONNX_OPSET,
            output_path=str(path),
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what the converters print about themselves."""
    loggers = [logging.getLogger(n) for n in ("tensorflow", "tf2onnx", "absl")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def meta_graph(path: pathlib.Path) -> MetaGraphDef:
    """The graph of a SavedModel, with its signatures, as it is on disk."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    return saved.meta_graphs[0]


def _check_runs_anywhere(path: pathlib.Path) -> None:
    """Looks for what needs an XLA compiler, or writes a variable."""
    for function in meta_graph(path).graph_def.library.function:
        nodes = function.node_def
        compiled = function.attr["_XlaMustCompile"].b or any(
            node.attr["_XlaMustCompile"].b for node in nodes
        )
        name = function.signature.name
        # Those that restore the weights write them, and are asked by no request.
        serves = "restore" not in name
        writes = [n.name for n in nodes if n.op.startswith("Assign") and serves]
        if compiled or writes:
            raise RuntimeError(
                "An exported model must need no XLA compiler and write no variable. "
                f"Received: function {name!r}"
                + (f", which writes in {', '.join(writes)}." if writes else ".")
            )


def _check_equal(answers: Answers, spec: ExportSpec, path: pathlib.Path) -> None:
    """What was written answers as the model does, unless its answer is random."""
    layers = graph.inner_layers(answers.model)
    if any(isinstance(layer, PoissonEncoding) for layer in layers):
        return
    samples = sample_inputs(spec, rows=2)
    if samples is None:
        return
    expected = answers.default(*map(tf.constant, samples))
    loaded = tf.saved_model.load(str(path))
    named = dict(zip((i.name for i in spec.inputs), samples, strict=True))
    found = loaded.signatures[DEFAULT](**{k: tf.constant(x) for k, x in named.items()})
    for name, values in expected.items():
        if not _close(np.asarray(values), found[name].numpy()):
            raise RuntimeError(
                f"The exported model must answer as the model does. Received: output "
                f"{name!r} differs by "
                f"{np.nanmax(np.abs(np.asarray(values) - found[name].numpy())):.3g}."
            )


def _close(expected: Array, found: Array) -> bool:
    return bool(np.allclose(expected, found, rtol=1e-4, atol=1e-5, equal_nan=True))


def sample_inputs(spec: ExportSpec, rows: int) -> list[Array] | None:
    """Random inputs, `None` where an axis is free."""
    rng = np.random.default_rng(0)
    found = []
    for each in spec.inputs:
        if None in each.shape:
            return None
        shape = (rows, *(int(n or 0) for n in each.shape))
        high = 255 if np.issubdtype(each.dtype, np.integer) else 1
        high = 1 if each.dtype == "bool" else high
        values = rng.uniform(0, min(high, 100), shape)
        found.append(values.astype(each.dtype))
    return found
