"""Batches of inputs out of arrays, `tf.data.Dataset`s, `PyDataset`s and the like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_ssp import graph


def input_batches(data: Any, model: Any, batch_size: int) -> Iterator[Any]:
    """Yields inputs of `model`, targets and sample weights left out.

    Args:
        data: Array, list or dict of arrays (several inputs), tuple `(x, y, ...)`,
            `keras.utils.PyDataset`, `tf.data.Dataset`, or an iterable of batches.
        model: The model that will see them; its input shapes are checked.
        batch_size: Rows per batch where `data` are arrays.

    Raises:
        ValueError: If there is no sample, a shape does not fit, arrays differ in
            length, or values are NaN or infinite.
    """
    found = False
    for batch in _raw_batches(data, batch_size):
        inputs = tree.map_structure(_to_numpy, _inputs_of(batch, model))
        if isinstance(inputs, list) and len(inputs) == 1:
            inputs = inputs[0]  # Keras warns of a list where one array is expected
        rows = _checked_rows(inputs, model)
        if rows:
            found = True
            yield inputs
    if not found:
        used_up = isinstance(data, Iterator)
        raise ValueError(
            "`data` must hold at least one sample. Received: "
            + (
                "an iterator with nothing left. Remedy: iterators can be read only "
                "once, give arrays or a dataset."
                if used_up
                else "none."
            )
        )


def first_inputs(data: Any, model: Any, batch_size: int) -> Any:
    """The inputs of the first batch of data that are to be read many times.

    Raises:
        ValueError: If they can be read once only, or are not what `input_batches`
            takes.
    """
    if isinstance(data, Iterator):
        raise ValueError(
            "`data` must be readable many times. Received: an iterator (of type "
            f"{type(data).__name__}). Remedy: give arrays or a dataset."
        )
    return next(input_batches(data, model, batch_size))


def _inputs_of(batch: Any, model: Any) -> Any:
    """The inputs of a batch, which may be `(x, y)` or `(x, y, sample_weight)`."""
    if isinstance(batch, list) and len(batch) in (2, 3):
        # As a torch DataLoader and Keras have it; a list of several inputs otherwise.
        wanted = len(model.inputs) if graph.is_graph_model(model) else 1
        batch = tuple(batch) if wanted != len(batch) else batch
    if isinstance(batch, tuple):
        if not batch:
            raise ValueError("`data` must hold batches. Received: an empty tuple.")
        return batch[0]
    return batch


def count_batches(data: Any, batch_size: int) -> int | None:
    """Batches in `data`, `None` if that is not known beforehand."""
    if _is_arrays(data):
        flat = tree.flatten(data[0] if isinstance(data, tuple) else data)
        if not flat or not flat[0].shape:
            return None  # an error, which reading them will tell
        return -(-len(flat[0]) // batch_size)
    if isinstance(data, keras.utils.PyDataset):
        return None if data.num_batches is None else int(data.num_batches)
    cardinality = getattr(data, "cardinality", None)
    if cardinality is not None:
        count = int(cardinality())
        return count if count >= 0 else None
    return len(data) if hasattr(data, "__len__") else None


def rows_of(inputs: Any) -> int:
    """Samples in one batch of inputs."""
    return len(tree.flatten(inputs)[0])


def _raw_batches(data: Any, batch_size: int) -> Iterator[Any]:
    if _is_arrays(data):
        inputs = data[0] if isinstance(data, tuple) else data
        inputs = tree.map_structure(_to_numpy, inputs)
        if any(x.ndim == 0 for x in tree.flatten(inputs)):
            raise ValueError(
                "`data` must hold arrays, their first axis being the samples. "
                "Received: single numbers. Remedy: `np.asarray([...])`."
            )
        lengths = {len(x) for x in tree.flatten(inputs)}
        if not lengths:
            raise ValueError("`data` must hold at least one sample. Received: none.")
        if len(lengths) != 1:
            raise ValueError(
                "`data` must hold arrays of one length. Received: lengths="
                f"{sorted(lengths)}."
            )
        for start in range(0, lengths.pop(), batch_size):
            stop = start + batch_size
            yield tree.map_structure(lambda x: x[start:stop], inputs)  # noqa: B023
    elif isinstance(data, keras.utils.PyDataset):
        if data.num_batches is None:
            raise ValueError(
                "`data` must be finite. Received: a PyDataset with num_batches=None."
            )
        for k in range(int(data.num_batches)):
            yield data[k]
    elif hasattr(data, "__iter__") and not isinstance(data, str):
        if (
            getattr(data, "cardinality", None) is not None
            and int(data.cardinality()) == -1
        ):
            raise ValueError(
                "`data` must be finite. Received: a dataset that repeats for ever."
            )
        yield from data
    else:
        raise ValueError(
            "`data` must be arrays, a tf.data.Dataset, a keras.utils.PyDataset or an "
            f"iterable of batches. Received: data of type {type(data).__name__}."
        )


def _is_arrays(data: Any) -> bool:
    if isinstance(data, tuple):
        return bool(data) and _is_arrays(data[0])
    if isinstance(data, list) and any(isinstance(x, (list, tuple, dict)) for x in data):
        return False  # a list of batches
    if isinstance(data, (list, dict)):
        return all(hasattr(x, "shape") for x in tree.flatten(data))
    return hasattr(data, "shape")


def _to_numpy(x: Any) -> np.ndarray:
    if isinstance(x, np.ndarray):
        return x
    return np.asarray(ops.convert_to_numpy(x))


def _checked_rows(inputs: Any, model: Any) -> int:
    arrays = _in_order(inputs, model)
    if any(x.ndim == 0 for x in arrays):
        raise ValueError(
            "`data` must hold arrays, their first axis being the samples. Received: "
            "single numbers. Remedy: `np.asarray(data)`."
        )
    if graph.is_graph_model(model):
        specs = [tuple(t.shape) for t in model.inputs]
        shapes = [x.shape for x in arrays]
        if len(specs) != len(shapes) or not all(map(fits, shapes, specs)):
            raise ValueError(
                f"`data` must hold batches of shape {_listed(specs)}, the inputs of "
                f"model '{model.name}'. Received: {_listed(shapes)}."
            )
    for x in arrays:
        if np.issubdtype(x.dtype, np.floating) and not np.all(np.isfinite(x)):
            bad = int(np.count_nonzero(~np.isfinite(x)))
            raise ValueError(
                "`data` must hold finite numbers only. Received: a batch with "
                f"{bad} NaN or infinite values."
            )
    return len(arrays[0])


def _in_order(inputs: Any, model: Any) -> list[np.ndarray]:
    """The arrays in the order of the model's inputs, as Keras matches them."""
    names = [t.name for t in model.inputs] if graph.is_graph_model(model) else []
    if isinstance(inputs, dict) and names and set(names) <= set(inputs):
        return [inputs[name] for name in names]
    found: list[np.ndarray] = tree.flatten(inputs)
    return found


def fits(shape: tuple[int, ...], spec: tuple[int | None, ...]) -> bool:
    """Whether a batch of this shape is one that is asked for; `None` fits any size."""
    return len(shape) == len(spec) and all(
        n is None or n == m for m, n in zip(shape[1:], spec[1:], strict=True)
    )


def _listed(shapes: Any) -> str:
    return ", ".join(str(tuple(s)) for s in shapes)
