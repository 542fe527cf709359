"""Nested lists of JSON to arrays and back, with TensorFlow Serving's messages."""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any

import numpy as np
import orjson
import tensorflow as tf

from keras_ssp.serving.exported import TensorInfo
from keras_ssp.serving.http.errors import ServingError, invalid
from keras_ssp.types import Array

_BYTES = "_bytes"  # names of outputs that end so hold bytes, no text
_DEEPEST = 32  # axes of an array
_LONGEST = 200  # characters of a value in a message


def to_array(value: Any, info: TensorInfo, *, strict: bool = True) -> Array:
    """The array that a nested list stands for.

    Args:
        value: Lists of numbers, strings or `{"b64": ...}`; or one such value.
        info: The input that it is for.
        strict: Whether `true` and `false` may be among numbers; looking for them
            takes a while.

    Raises:
        ServingError: As TensorFlow Serving says it.
    """
    dtype = info.dtype
    if len(shape_of(value)) > _DEEPEST:
        raise invalid(f"The list is nested deeper than {_DEEPEST} levels.")
    if dtype == tf.string:
        return _strings(value, dtype)
    try:
        found = np.array(value)
    except (ValueError, OverflowError, RecursionError):
        found = np.array(None)
    if strict or not _fits(found, dtype):
        walk(value, shape_of(value), 0, dtype)
        # Every value is right by itself, as one beyond 64 bits may be.
        found = np.array(value, dtype="float64" if dtype.is_floating else None)
    return _narrowed(found, info)


def _fits(found: Array, dtype: tf.DType) -> bool:
    kinds = "iuf" if dtype.is_floating else "b" if dtype.is_bool else "iu"
    return found.dtype.kind in kinds or found.size == 0


def _narrowed(found: Array, info: TensorInfo) -> Array:
    wanted = info.dtype.as_numpy_dtype
    if found.size == 0:
        return found.astype(wanted)
    if info.dtype.is_integer:
        limits = np.iinfo(wanted)
        low, high = int(found.min()), int(found.max())
        if low < limits.min or high > limits.max:
            raise invalid(
                f"Input '{info.name}' must hold values of {info.dtype.name}, from "
                f"{limits.min} to {limits.max}. Received: {low} to {high}."
            )
    with np.errstate(over="ignore"):
        narrow = found.astype(wanted)
    if info.dtype.is_floating and np.isinf(narrow).any() and np.isfinite(found).all():
        raise invalid(
            f"Cannot convert JSON value: {shown(float(np.abs(found).max()))} to "
            f"{_cpp_name(info.dtype)} without loss of precision."
        )
    return narrow


def shape_of(value: Any) -> list[int]:
    """The shape that the first elements of nested lists have."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def walk(value: Any, shape: list[int], level: int, dtype: tf.DType) -> None:
    """Says which value of nested lists is wrong; TensorFlow Serving's messages."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in "
                f"the JSON DOM. Expected at level: {len(shape)}"
            )
        _check_value(value, dtype)
        return
    if level >= len(shape):
        raise invalid(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    for each in value:
        walk(each, shape, level + 1, dtype)


def _check_value(value: Any, dtype: tf.DType) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if dtype == tf.string:
        right = isinstance(value, str)
    elif dtype.is_bool:
        right = isinstance(value, bool)
    elif dtype.is_floating:
        right = number
        if number and math.isfinite(value) and abs(value) > float(dtype.max):
            raise invalid(
                f"Cannot convert JSON value: {shown(value)} to "
                f"{_cpp_name(dtype)} without loss of precision."
            )
    else:
        right = number and isinstance(value, int) and -(2**63) <= value < 2**64
    if not right:
        raise invalid(
            f"JSON Value: {shown(value)} Type: {type_name(value)} is not of expected "
            f"type: {_cpp_name(dtype)}"
        )


def _strings(value: Any, dtype: tf.DType) -> Array:
    """Text, or bytes as `{"b64": ...}`, as an array of bytes."""

    def decoded(value: Any) -> Any:
        if isinstance(value, list):
            return [decoded(each) for each in value]
        if is_base64(value):
            return _from_base64(value["b64"])
        if isinstance(value, dict):
            raise invalid(
                f"JSON Value: {shown(value)} not formatted correctly for base64 data"
            )
        _check_value(value, dtype)
        return value.encode("utf-8", "surrogatepass")

    found = decoded(value)
    shape = shape_of(found)
    flat: list[bytes] = []

    def flatten(value: Any, level: int) -> None:
        if (
            isinstance(value, list)
            and level < len(shape)
            and len(value) == shape[level]
        ):
            for each in value:
                flatten(each, level + 1)
        elif isinstance(value, list) or level != len(shape):
            raise invalid(
                f"Encountered list at unexpected level: {level} expected < {len(shape)}"
            )
        else:
            flat.append(value)

    flatten(found, 0)
    array = np.empty(len(flat), dtype=object)
    array[:] = flat
    return array.reshape(shape)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("Unable to base64 decode") from error


def is_base64(value: Any) -> bool:
    """Whether a value stands for bytes: `{"b64": "..."}`."""
    return (
        isinstance(value, dict)
        and set(value) == {"b64"}
        and isinstance(value["b64"], str)
    )


def from_array(name: str, array: Array) -> Any:
    """An output for JSON; strings as text, or as base64 where they are bytes."""
    if array.dtype != object:
        return np.ascontiguousarray(array)

    def encoded(value: Any) -> Any:
        if isinstance(value, list):
            return [encoded(each) for each in value]
        raw = value if isinstance(value, bytes) else str(value).encode()
        if name.endswith(_BYTES):
            return {"b64": base64.b64encode(raw).decode()}
        return raw.decode("utf-8", "replace")

    return encoded(array.tolist())


def parse_json(body: bytes) -> Any:
    """The JSON object in a body; NaN and Infinity are allowed.

    Raises:
        ServingError: If there is none.
    """
    if not body.strip():
        raise invalid("JSON Parse error: The document is empty")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = _parse_slowly(body)  # which knows NaN, and where an error is
    if not isinstance(found, dict):
        raise invalid(f"JSON Value: {shown(found)} Is not object")
    return found


def _parse_slowly(body: bytes) -> Any:
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from None
    except UnicodeDecodeError as error:
        raise invalid(
            f"JSON Parse error: The document is not UTF-8 at offset: {error.start}"
        ) from None
    except RecursionError:
        raise invalid("JSON Parse error: The document is nested too deep") from None
    except ValueError as error:  # a number of thousands of digits
        raise invalid(f"JSON Parse error: {error}") from None


def write_json(values: object) -> bytes:
    """Values as JSON; NaN and Infinity are tokens, as TensorFlow Serving writes them.

    Arrays of float32 get as many digits as tell them apart, no more.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray | np.generic):
            return value.tolist()
        raise TypeError(f"not JSON: {value!r}")

    def finite(value: Any) -> bool:
        if isinstance(value, dict):
            return all(map(finite, value.values()))
        if isinstance(value, list):
            return all(map(finite, value))
        if isinstance(value, np.ndarray):
            return bool(value.dtype.kind != "f" or np.isfinite(value).all())
        return not isinstance(value, float) or math.isfinite(value)

    if finite(values):
        return orjson.dumps(values, default=plain, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(values, separators=(",", ":"), default=plain).encode()


def shown(value: Any) -> str:
    """A value of JSON in a message, the beginning of a long one."""
    try:
        text = json.dumps(value)
    except (RecursionError, ValueError):
        text = "..."
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def type_name(value: Any) -> str:
    """What TensorFlow Serving calls the type of a value."""
    if value is None or isinstance(value, bool):
        return {None: "Null", True: "True", False: "False"}[value]
    names: dict[type, str] = {dict: "Object", list: "Array", str: "String"}
    return names.get(type(value), "Number")


def _cpp_name(dtype: tf.DType) -> str:
    return {"float32": "float", "float64": "double", "float16": "half"}.get(
        dtype.name, dtype.name
    )


def unknown_signature(name: str) -> ServingError:
    """What TensorFlow Serving says of a signature that the model lacks."""
    return invalid(f'Serving signature name: "{name}" not found in signature def')
