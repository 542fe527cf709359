"""The Open Inference Protocol, version 2, over plain values: no HTTP here."""

from __future__ import annotations

import dataclasses
import math
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

import numpy as np

import keras_ssp
from keras_ssp.serving.exported import ExportedModel, TensorInfo
from keras_ssp.serving.http.errors import ServingError, invalid
from keras_ssp.serving.http.targets import Target
from keras_ssp.serving.http.tensors import (
    from_array,
    parse_json,
    shown,
    to_array,
    unknown_signature,
)
from keras_ssp.serving.http.versions import Version
from keras_ssp.serving.writers import DEFAULT
from keras_ssp.types import Array, Config

PLATFORM = "tensorflow_savedmodel"
_PATH = re.compile(
    r"/v2/models/(?P<name>[^/]+)(?:/versions/(?P<version>[^/]+))?"
    r"(?:/(?P<method>ready|infer))?"
)
_TYPES = {
    "BOOL": "bool",
    **{f"UINT{n}": f"uint{n}" for n in (8, 16, 32, 64)},
    **{f"INT{n}": f"int{n}" for n in (8, 16, 32, 64)},
    **{f"FP{n}": f"float{n}" for n in (16, 32, 64)},
    "BYTES": "string",
}
_NAMES = {dtype: name for name, dtype in _TYPES.items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class InferRequest:
    """The body of an inference request.

    Args:
        id: What the client calls it.
        signature: Name of the signature.
        arrays: The inputs by name.
        outputs: Names of the outputs that are wanted, all if empty.
    """

    id: str | None
    signature: str
    arrays: dict[str, Array]
    outputs: tuple[str, ...]


def parse_path(path: str) -> tuple[Target, str]:
    """The model that a path names, and `"ready"`, `"infer"` or `"metadata"`.

    Raises:
        ServingError: If it is none of the protocol.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise ServingError("NOT_FOUND", f"Malformed request: {path}")
    name, version, method = found.group("name", "version", "method")
    number = None
    if version is not None:
        if not (version.isascii() and version.isdigit() and len(version) < 20):
            raise ServingError("NOT_FOUND", f"There is no version {version[:40]!r}.")
        number = int(version)
    target = Target(name=urllib.parse.unquote(name), version=number)
    return target, method or "metadata"


def read_body(body: bytes) -> tuple[Config, float | None]:
    """The document of an inference request, and the budget that it states."""
    document = parse_json(body)
    parameters = document.get("parameters", {})
    if not isinstance(parameters, dict):
        raise invalid(f"`parameters` must be an object. Received: {shown(parameters)}.")
    budget = parameters.get("energy_budget_nj")
    return document, None if budget is None else check_budget(budget)


def check_budget(value: object) -> float:
    """A budget as a request states it, a number above 0.

    Raises:
        ServingError: If it is none.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise invalid(
            "`energy_budget_nj` must be a number above 0, in nJ per sample. Received: "
            f"{shown(value)}."
        )
    return number


def parse_infer(document: Config, model: ExportedModel) -> InferRequest:
    """Reads an inference request.

    Raises:
        ServingError: If it does not fit the model.
    """
    parameters = document.get("parameters", {})
    signature = parameters.get("signature", parameters.get("signature_name", DEFAULT))
    if not isinstance(signature, str) or signature not in model.signatures:
        raise unknown_signature(str(signature)[:100])
    wanted = model.inputs[signature]
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise invalid("`inputs` must be a list of tensors.")
    arrays = {}
    for each in inputs:
        name, array = _tensor(each, wanted)
        if name in arrays:
            raise invalid(f"Input '{name}' must be given once.")
        arrays[name] = array
    identifier = document.get("id")
    return InferRequest(
        id=None if identifier is None else str(identifier)[:1000],
        signature=signature,
        arrays=arrays,
        outputs=_outputs(document.get("outputs"), model.outputs[signature]),
    )


def _tensor(tensor: Any, wanted: Mapping[str, TensorInfo]) -> tuple[str, Array]:
    if not isinstance(tensor, dict):
        raise invalid(f"An input must be an object. Received: {shown(tensor)}.")
    name = tensor.get("name")
    if not isinstance(name, str) or name not in wanted:
        raise invalid(
            f"The inputs must be {', '.join(map(repr, wanted))}. Received: "
            f"{shown(name)}."
        )
    info = wanted[name]
    kind = tensor.get("datatype")
    if kind not in _TYPES:
        raise invalid(
            f"`datatype` must be one of {', '.join(_TYPES)}. Received: {shown(kind)}."
        )
    if _TYPES[kind] != info.dtype.name:
        raise invalid(
            f"Input '{name}' must be of datatype {_NAMES.get(info.dtype.name)}. "
            f"Received: {kind}."
        )
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(
        isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**31 for n in shape
    ):
        raise invalid(
            f"`shape` must be a list of whole numbers. Received: {shown(shape)}."
        )
    array = to_array(tensor.get("data"), info)
    if array.size != math.prod(shape):
        raise invalid(
            f"Input '{name}' must hold as many values as its shape says, "
            f"{math.prod(shape)}. Received: {array.size}."
        )
    return name, array.reshape(shape)


def _outputs(asked: Any, known: Mapping[str, TensorInfo]) -> tuple[str, ...]:
    if asked is None:
        return ()
    if not isinstance(asked, list):
        raise invalid(f"`outputs` must be a list. Received: {shown(asked)}.")
    names: list[Any]
    names = [each.get("name") if isinstance(each, dict) else each for each in asked]
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise invalid(
                f"The outputs are {', '.join(map(repr, sorted(known)))}. Received: "
                f"{shown(name)}."
            )
    return tuple(names)


def infer_answer(
    name: str, version: Version, request: InferRequest, outputs: Mapping[str, Array]
) -> Config:
    """The body of the answer to an inference request."""
    names = request.outputs or sorted(outputs)
    answer: Config = {"model_name": name, "model_version": str(version.number)}
    if request.id is not None:
        answer["id"] = request.id
    answer["outputs"] = [_written(each, outputs[each]) for each in names]
    return answer


def _written(name: str, array: Array) -> Config:
    kind = "BYTES" if array.dtype == object else _NAMES[array.dtype.name]
    flat = from_array(name, np.ravel(array))
    return {"name": name, "shape": list(array.shape), "datatype": kind, "data": flat}


def server_metadata() -> Config:
    """What the server is."""
    return {"name": "keras-ssp", "version": keras_ssp.__version__, "extensions": []}


def model_metadata(name: str, versions: list[Version], version: Version) -> Config:
    """What a model takes and answers."""
    model = version.model
    if model is None:
        raise ServingError("UNAVAILABLE", f"Model {name} is being unloaded.")
    return {
        "name": name,
        "versions": [str(n) for n in sorted(each.number for each in versions)],
        "platform": PLATFORM,
        "inputs": _described(model.inputs[DEFAULT]),
        "outputs": _described(model.outputs[DEFAULT]),
    }


def _described(tensors: Mapping[str, TensorInfo]) -> list[Config]:
    return [
        {
            "name": name,
            "datatype": _NAMES[info.dtype.name],
            "shape": [-1 if n is None else n for n in info.shape],
        }
        for name, info in sorted(tensors.items())
    ]
