"""Names for what has no class of its own; annotations read better with them.

What Keras takes and gives has no type of its own that holds on every backend, so these
are aliases: they tell the reader, and leave the type checker as free as `Any` does.
Aliases of a package's own classes stand beside the class: `energy.EnergyModelLike`,
`surrogates.SurrogateLike`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

#: A tensor of the backend that Keras runs on, symbolic ones included.
Tensor: TypeAlias = Any
#: What can be made a tensor: a tensor, an array, a list of numbers, a number.
TensorLike: TypeAlias = Any
#: A tensor, or lists, tuples and dicts of them: inputs and outputs of a model.
Tensors: TypeAlias = Any
#: Sizes of the axes, `None` where one is not known.
Shape: TypeAlias = tuple[int | None, ...]
#: Sizes of the axes, all known.
Sizes: TypeAlias = tuple[int, ...]
#: An array of numbers of any dtype.
Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
#: A dtype as Keras takes it: a name, or what a backend calls it.
DType: TypeAlias = Any

#: Samples to measure on: arrays, a tuple `(x, y)`, a `tf.data.Dataset`, a
#: `keras.utils.PyDataset`, or an iterable of batches.
Data: TypeAlias = Any
#: JSON-ready arguments, as `get_config` returns them.
Config: TypeAlias = dict[str, Any]
#: What Keras hands to the methods of a callback.
Logs: TypeAlias = dict[str, Any] | None
#: Names and what was measured.
Metrics: TypeAlias = Mapping[str, float]
#: JSON-ready values by name, as a file holds them.
Table: TypeAlias = Mapping[str, Any]
#: A path of a file or folder.
StrPath: TypeAlias = str | os.PathLike[str]

#: A call of a layer or of an operation: both have a `name` and are called alike.
Operation: TypeAlias = Any
#: A matplotlib figure or its axes; matplotlib is an extra.
Figure: TypeAlias = Any
Axes: TypeAlias = Any
