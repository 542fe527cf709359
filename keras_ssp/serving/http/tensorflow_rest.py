"""TensorFlow Serving's REST API, version 1, over plain values: no HTTP here.

Requests and answers as in its documentation (`api_rest.md`); paths are matched in any
case.
"""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict

from keras_ssp.serving.exported import ExportedModel, TensorInfo
from keras_ssp.serving.http.errors import ServingError, invalid
from keras_ssp.serving.http.targets import Target
from keras_ssp.serving.http.tensors import (
    from_array,
    is_base64,
    parse_json,
    shown,
    to_array,
    unknown_signature,
)
from keras_ssp.serving.http.versions import Version
from keras_ssp.serving.writers import DEFAULT
from keras_ssp.types import Array, Config

_TARGET = (
    r"/v1/models(?:/(?P<name>[^/:]+))?"
    r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
)
_PREDICT = re.compile(_TARGET + r":(?P<method>classify|regress|predict)", re.I)
_STATUS = re.compile(_TARGET + r"(?P<metadata>/metadata)?", re.I)
_LARGEST_VERSION = 2**63 - 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What a path asks for.

    Args:
        target: Which model.
        method: `"predict"`, `"classify"`, `"regress"`, `"status"` or `"metadata"`.
    """

    target: Target
    method: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictRequest:
    """The body of a `predict` request.

    Args:
        signature: Name of the signature.
        arrays: The inputs by name.
        rows: Whether the answer lists samples, rather than outputs.
    """

    signature: str
    arrays: dict[str, Array]
    rows: bool


def parse_path(method: str, path: str) -> Asked:
    """What a request asks for.

    Args:
        method: `"GET"` or `"POST"`.
        path: The path as it was sent, percent-encoded.

    Raises:
        ServingError: If it is none of the API.
    """
    found = (_PREDICT if method == "POST" else _STATUS).fullmatch(path)
    if found is None:
        raise invalid(f"Malformed request: {method} {path}")
    values = found.groupdict()
    if values["name"] is None:
        raise invalid("Missing model name in request.")
    version = values["version"]
    if version is not None and int(version[:20]) > _LARGEST_VERSION:
        raise invalid(f"Failed to convert version: {version[:40]} to numeric.")
    asked = (values.get("method") or "").lower()
    if method != "POST":
        asked = "metadata" if values["metadata"] else "status"
    label = values["label"]
    target = Target(
        name=urllib.parse.unquote(values["name"]),
        version=None if version is None else int(version),
        label=None if label is None else urllib.parse.unquote(label),
    )
    return Asked(target=target, method=asked)


def parse_predict(body: bytes, model: ExportedModel) -> PredictRequest:
    """Reads the body of a `predict` request.

    Raises:
        ServingError: As TensorFlow Serving says it.
    """
    document = parse_json(body)
    signature = document.get("signature_name", "")
    if not isinstance(signature, str):
        raise invalid(
            f"JSON Value: {shown(document)} not formatted correctly. 'signature_name' "
            "key must be a string value."
        )
    signature = signature or DEFAULT
    if signature not in model.signatures:
        raise unknown_signature(signature)
    wanted = model.inputs[signature]
    # Only then can there be one among numbers, where NumPy takes it for 1.
    strict = b"true" in body or b"false" in body
    if "instances" in document and "inputs" in document:
        raise _format(
            document,
            "Not formatted correctly expecting only one of 'inputs' or 'instances' "
            "keys to exist ",
        )
    if "instances" in document:
        instances = document["instances"]
        if not isinstance(instances, list):
            raise _format(document, "Excepting 'instances' to be an list/array")
        if not instances:
            raise _format(document, "No values in 'instances' array")
        arrays = _from_rows(instances, wanted, strict)
        return PredictRequest(signature=signature, arrays=arrays, rows=True)
    if "inputs" in document:
        arrays = _from_columns(document["inputs"], wanted, strict)
        return PredictRequest(signature=signature, arrays=arrays, rows=False)
    raise invalid("Missing 'inputs' or 'instances' key")


def _from_rows(
    instances: list[Any], wanted: Mapping[str, TensorInfo], strict: bool
) -> dict[str, Array]:
    objects = isinstance(instances[0], dict) and not is_base64(instances[0])
    if not objects and len(wanted) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    if not objects:
        for k, each in enumerate(instances):
            if isinstance(each, dict) and not is_base64(each):
                raise invalid(
                    f"Expecting value/list but got object at item {k} of input list"
                )
        name, info = next(iter(wanted.items()))
        return {name: _rows(instances, info, strict, "")}
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    for k, each in enumerate(instances):
        if not isinstance(each, dict) or is_base64(each):
            raise invalid(f"Expecting object but got list at item {k} of input list")
        if set(each) != set(wanted):
            raise invalid(
                f"Failed to process element: {k} of 'instances' list. JSON object: "
                f"{shown(each)} keys must be equal to: {','.join(sorted(wanted))}"
            )
        for name, value in each.items():
            columns[name].append(value)
    return {
        name: _rows(values, wanted[name], strict, f" key: {name}")
        for name, values in columns.items()
    }


def _rows(values: list[Any], info: TensorInfo, strict: bool, key: str) -> Array:
    try:
        return to_array(values, info, strict=strict)
    except ServingError:
        # Which one it is: each is one tensor, of the first one's shape.
        shape = None
        for k, each in enumerate(values):
            try:
                array = to_array(each, info, strict=True)
                shape = array.shape if shape is None else shape
                if array.shape != shape:
                    raise invalid(
                        f"Expecting shape {_listed(shape)} but got: "
                        f"{_listed(array.shape)}"
                    )
            except ServingError as error:
                raise invalid(
                    f"Failed to process element: {k}{key} of 'instances' list. Error: "
                    f"INVALID_ARGUMENT: {error.message}"
                ) from None
        raise


def _listed(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _from_columns(
    value: Any, wanted: Mapping[str, TensorInfo], strict: bool
) -> dict[str, Array]:
    if not isinstance(value, dict) or is_base64(value):
        if len(wanted) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        value = {next(iter(wanted)): value}
    for name in wanted:
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {n: to_array(value[n], info, strict=strict) for n, info in wanted.items()}


def _format(document: Any, text: str) -> ServingError:
    return invalid(f"JSON Value: {shown(document)} {text}")


def predict_answer(outputs: Mapping[str, Array], *, rows: bool) -> Config:
    """The body of the answer to a `predict` request.

    Args:
        outputs: The outputs by name, each with the samples as its first axis.
        rows: As in the request.
    """
    found = {name: from_array(name, array) for name, array in sorted(outputs.items())}
    if len(found) == 1:
        only = next(iter(found.values()))
        return {"predictions" if rows else "outputs": only}
    if not rows:
        return {"outputs": found}
    samples = zip(*found.values(), strict=True)
    names = list(found)
    return {"predictions": [dict(zip(names, row, strict=True)) for row in samples]}


def no_such_method(method: str) -> ServingError:
    """What TensorFlow Serving says to `classify` on a model that only predicts."""
    noun = {"classify": "classification", "regress": "regression"}[method]
    return invalid(
        f"Expected {noun} signature method_name to be tensorflow/serving/{method}. "
        "Was: tensorflow/serving/predict"
    )


def status_answer(versions: list[Version]) -> Config:
    """The body of the answer to a status request, the newest version first."""
    ordered = sorted(versions, key=lambda version: -version.number)
    return {
        "model_version_status": [
            {
                "version": str(version.number),
                "state": version.state,
                "status": {
                    "error_code": version.error_code,
                    "error_message": version.error_message,
                },
            }
            for version in ordered
        ]
    }


def metadata_answer(name: str, version: Version) -> Config:
    """The body of the answer to a metadata request."""
    signatures = {
        signature: MessageToDict(
            definition,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        for signature, definition in sorted(version.signature_defs().items())
    }
    return {
        "model_spec": {
            "name": name,
            "signature_name": "",
            "version": str(version.number),
        },
        "metadata": {"signature_def": {"signature_def": signatures}},
    }
