"""What is to be exported, in plain JSON: another process can be handed it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import keras
import numpy as np
from keras import ops, tree

from keras_ssp import graph
from keras_ssp._checks import one_of
from keras_ssp.datasets import ImageData
from keras_ssp.datasets.inputs import fits
from keras_ssp.energy.prices import Prices
from keras_ssp.types import Config, Sizes, Table, Tensor, Tensors

OUTPUTS = ("logits", "probabilities", "values")
FORMATS = ("saved_model", "litert", "onnx")
#: The suffix of a file to its format; a folder is a SavedModel.
SUFFIXES = {".tflite": "litert", ".onnx": "onnx"}

#: What turns a served input into what the network is fed.
Preprocessing: TypeAlias = ImageData | keras.layers.Layer | None

_AUTOMATIC = re.compile(r"(keras_tensor|input_layer)(_\d+)?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputSpec:
    """One input of an exported model.

    Args:
        name: Its name, the key of requests.
        shape: Features of one sample, without the batch axis; `None` where free.
        dtype: What is sent, such as `"uint8"`.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def to_dict(self) -> Config:
        """The input as plain JSON types."""
        return {"name": self.name, "shape": list(self.shape), "dtype": self.dtype}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportSpec:
    """Everything that decides what an export answers, but the model.

    Args:
        inputs: The inputs as they are sent.
        output: `"logits"`, `"probabilities"` or `"values"`.
        softmax: Whether a softmax is still to be taken.
        labels: Names of the classes, if the label is to be answered.
        scale, shift: The normalisation `x * scale + shift` inside, if any.
        layer: A preprocessing layer in its stead, as Keras serializes it.
        energy_model: As `EnergyModel.to_dict` returns it.
        prices: What spikes and SynOps cost in each row of the report, in order.
    """

    inputs: tuple[InputSpec, ...]
    output: str
    softmax: bool = False
    labels: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    shift: tuple[float, ...] = ()
    layer: Config | None = None
    energy_model: Config = dataclasses.field(default_factory=dict)
    prices: tuple[Prices, ...] = ()

    def to_dict(self) -> Config:
        """The spec as plain JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Table) -> ExportSpec:
        """Builds a spec from what `to_dict` returned."""
        inputs = tuple(
            InputSpec(**{**each, "shape": tuple(each["shape"])})
            for each in values["inputs"]
        )
        listed = {k: tuple(values[k]) for k in ("labels", "scale", "shift")}
        prices = tuple(Prices(**each) for each in values["prices"])
        return cls(**{**values, "inputs": inputs, "prices": prices, **listed})

    def preprocess(self) -> Callable[[Tensor, str], Tensor]:
        """A function of a served input and a dtype: what the network is fed."""
        layer = None
        if self.layer is not None:
            layer = keras.saving.deserialize_keras_object(self.layer)

        def fed(x: Tensor, dtype: str) -> Tensor:
            if layer is not None:
                return ops.cast(layer(x), dtype)
            if self.scale:
                # In float32, as `ImageData.normalized` does it.
                scale = np.asarray(self.scale, "float32")
                shift = np.asarray(self.shift, "float32")
                x = ops.cast(x, "float32") * scale + shift
            return ops.cast(x, dtype)

        return fed


def spec_of(
    model: keras.Model,
    *,
    output: str | None,
    labels: Iterable[str] | None,
    preprocessing: Preprocessing,
    input_dtype: str | None,
    energy_model: Config,
    prices: Sequence[Prices],
) -> ExportSpec:
    """Works out the spec of an export; arguments as for `export`."""
    normalised = ends_in_softmax(model)
    if output is None:
        several = len(getattr(model, "outputs", None) or [None]) > 1
        softmax = "probabilities" if normalised else "logits"
        output = "values" if several else softmax
    one_of("output", output, OUTPUTS)
    if output == "logits" and normalised:
        raise ValueError(
            "`output` must be 'probabilities' for a model that ends in a softmax. "
            "Received: output='logits'."
        )
    spec = ExportSpec(
        inputs=_inputs(model, preprocessing, input_dtype),
        output=output,
        softmax=output == "probabilities" and not normalised,
        labels=_labels(labels, model),
        energy_model=energy_model,
        prices=tuple(prices),
    )
    return dataclasses.replace(spec, **_preprocessing(preprocessing, spec.inputs))


def ends_in_softmax(model: keras.Model) -> bool:
    """Whether the last thing that a model does to its output is a softmax.

    A readout that averages over time keeps probabilities what they are.
    """
    if not graph.is_graph_model(model):
        return False
    for call in reversed(graph.trace(model).calls):
        layer = call.layer
        if getattr(layer, "time_role", None) == "readout":
            continue
        activation = getattr(layer, "activation", None)
        name = getattr(activation, "__name__", type(layer).__name__)
        return str(name).lower() == "softmax"
    return False


def symbolic_inputs(model: keras.Model) -> Tensors:
    """The model's inputs as symbolic tensors, in the structure that it takes.

    Raises:
        ValueError: If the model was never called, or takes several arguments.
    """
    found = graph.symbolic_inputs(model)
    if found is None:
        raise ValueError(
            "`model` must have been called on data, and take its inputs as one "
            "argument (a tensor, a list or a dict of tensors). Received: "
            f"model={model.name!r} of type {type(model).__name__}, whose inputs are "
            "not known. Remedy: call it once on data."
        )
    return found


def _inputs(
    model: keras.Model, preprocessing: Preprocessing, input_dtype: str | None
) -> tuple[InputSpec, ...]:
    tensors = tree.flatten(symbolic_inputs(model))
    names = [
        t.name if t.name and not _AUTOMATIC.fullmatch(t.name) else f"inputs_{k}"
        for k, t in enumerate(tensors)
    ]
    if names == ["inputs_0"]:
        names = ["inputs"]
    found = []
    for tensor, name in zip(tensors, names, strict=True):
        features, kind = tuple(tensor.shape)[1:], str(tensor.dtype)
        if isinstance(preprocessing, ImageData):
            kind = str(preprocessing.test.x.dtype)
            _check_shape(preprocessing.sample_shape, features)
        elif isinstance(preprocessing, keras.Model) and preprocessing.built:
            (own, *_) = tree.flatten(symbolic_inputs(preprocessing))
            features, kind = tuple(own.shape)[1:], str(own.dtype)
        kind = str(np.dtype(_dtype(input_dtype or kind)))
        found.append(InputSpec(name=name, shape=features, dtype=kind))
    return tuple(found)


def _dtype(name: str) -> str:
    if name not in _DTYPES:
        raise ValueError(
            f"`input_dtype` must be one of {', '.join(map(repr, _DTYPES))}. "
            f"Received: input_dtype={name!r}."
        )
    return name


_DTYPES = (
    *("float32", "float64", "float16", "uint8", "int8", "uint16", "int16"),
    *("int32", "int64", "bool"),
)


def _check_shape(sample: Sizes, features: tuple[int | None, ...]) -> None:
    if not fits((1, *sample), (None, *features)):
        raise ValueError(
            "`preprocessing` must be of the data that the model takes. Received: "
            f"samples of shape {sample} for a model of inputs {features}."
        )


def _labels(labels: Iterable[str] | None, model: keras.Model) -> tuple[str, ...]:
    if labels is None:
        return ()
    found = tuple(map(str, labels))
    # A subclassed model tells only when it runs; `Answers` looks again.
    outputs = [tuple(t.shape) for t in getattr(model, "outputs", None) or ()]
    wrong = len(outputs) > 1 or any(o[-1] not in (None, len(found)) for o in outputs)
    if wrong or not found:
        raise ValueError(
            "`labels` must hold a name for each class of a model with one output. "
            f"Received: {len(found)} labels, outputs of shapes "
            f"{', '.join(map(str, outputs))}."
        )
    return found


def _preprocessing(preprocessing: Preprocessing, inputs: Sequence[InputSpec]) -> Config:
    if preprocessing is None:
        return {}
    if len(inputs) != 1:
        raise ValueError(
            "`preprocessing` must be left out for a model with several inputs. "
            f"Received: {len(inputs)} inputs."
        )
    if isinstance(preprocessing, ImageData):
        scale, shift = preprocessing.scale_and_shift()
        return {
            "scale": tuple(map(float, np.ravel(scale))),
            "shift": tuple(map(float, np.ravel(shift))),
        }
    if not isinstance(preprocessing, keras.layers.Layer):
        raise ValueError(
            "`preprocessing` must be an ImageData, whose normalisation it is, or a "
            f"Keras layer or model. Received: {preprocessing!r}."
        )
    return {"layer": keras.saving.serialize_keras_object(preprocessing)}
