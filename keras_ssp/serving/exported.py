"""Exported models, run with TensorFlow: what a server and `keras-ssp report` need."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from keras_ssp._units import PICOJOULE
from keras_ssp.datasets import ImageData
from keras_ssp.datasets.inputs import fits
from keras_ssp.energy import EnergyModel, EnergyModelLike, EnergyReport, hardware
from keras_ssp.energy.counting import LayerFacts
from keras_ssp.energy.prices import prices_of
from keras_ssp.serving.card import read_card
from keras_ssp.serving.writers import COUNTS, DEFAULT, ENERGY
from keras_ssp.types import Array, Config, StrPath

Arrays = dict[str, Array]
# Quantities of `energy.counting.count`, in `layer_counts` after the layer's name.
_QUANTITIES = ("spikes", "synops", "penalty", "active", "uncountable", "neurons")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """An input or output of a signature.

    Args:
        name: Its name.
        shape: With the batch axis first; `None` where free.
        dtype: As TensorFlow has it.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: tf.DType


class ExportedModel:
    """A SavedModel and its energy card.

    Args:
        path: The folder of a version, as `keras_ssp.export` writes it. A SavedModel
            without a card can be run, too.

    Raises:
        OSError: If there is no SavedModel, or it cannot be read.
        ValueError: If its card is none.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dense(8), DirectEncoding(2), LIF(name="a"),
    ...     keras.layers.Dense(3), RateReadout()], name="small")
    >>> from keras_ssp import export
    >>> path = export(model, "saved_models/small/1")
    >>> exported = ExportedModel(path)
    >>> exported.run("energy_report", {"inputs": np.ones((2, 4))})["synops"].shape
    (2,)
    >>> exported.report(np.ones((2, 4), "float32")).samples
    2
    """

    def __init__(self, path: StrPath) -> None:
        self.path = pathlib.Path(path)
        try:
            self.card: Config | None = read_card(self.path)
        except FileNotFoundError:
            self.card = None
        self._loaded = tf.saved_model.load(str(self.path))
        self._functions = dict(self._loaded.signatures)
        if not self._functions:
            raise ValueError(
                "`path` must be a SavedModel with signatures. Received: "
                f"path={self.path}, which has none."
            )
        self.inputs = {n: _inputs(f) for n, f in self._functions.items()}
        self.outputs = {n: _outputs(f) for n, f in self._functions.items()}

    @property
    def signatures(self) -> tuple[str, ...]:
        """The names of its signatures."""
        return tuple(self._functions)

    @property
    def data_name(self) -> str | None:
        """The data set that it was measured on, `None` if the card names none."""
        evaluation = (self.card or {}).get("evaluation") or {"dataset": {}}
        found: str | None = evaluation["dataset"].get("type")
        return found

    def run(self, signature: str, inputs: Mapping[str, Array]) -> Arrays:
        """What a signature answers.

        Args:
            signature: Its name.
            inputs: The inputs by name, each with the samples as its first axis.
        """
        wanted = self.inputs[signature]
        fed = {
            name: tf.convert_to_tensor(np.asarray(x, wanted[name].dtype.as_numpy_dtype))
            for name, x in inputs.items()
        }
        found = self._functions[signature](**fed)
        return {name: tensor.numpy() for name, tensor in found.items()}

    def warm_up(self, rows: int) -> None:
        """Runs the first signatures once on zeros, as the first call takes longest."""
        for name in (DEFAULT, ENERGY):
            wanted = self.inputs.get(name)
            if wanted is None or any(None in i.shape[1:] for i in wanted.values()):
                continue
            self.run(
                name,
                {
                    info.name: np.zeros((rows, *info.shape[1:]))
                    for info in wanted.values()
                },
            )

    def report(
        self,
        data: Array | Mapping[str, Array] | ImageData,
        *,
        energy_model: EnergyModelLike | None = None,
        batch_size: int = 128,
        samples: int | None = None,
    ) -> EnergyReport:
        """The energy report of the network, without the model that it was made of.

        Args:
            data: What the exported model is fed: an array, arrays by the name of
                the input, or an `ImageData`, whose test part it is, as it is stored
                if the normalisation is inside.
            energy_model: Defaults to the one that it was exported with.
            batch_size: Rows per batch. Defaults to 128.
            samples: Samples to use at most. Defaults to all.

        Returns:
            What `energy_report` returns for the original.

        Raises:
            ValueError: If it was not exported by `keras_ssp.export`, or the data does
                not fit.
        """
        if self.card is None or COUNTS not in self._functions:
            raise ValueError(
                "`path` must be a model that keras_ssp exported. Received: "
                f"path={self.path}, without an energy card."
            )
        arrays = {n: x[:samples] for n, x in self._arrays(data).items()}
        layers = self.card["layers"]
        energy = hardware.get(energy_model or self.card["energy_model"])
        if energy_model is None:
            self._check_prices(energy)
        keys = [layer["key"] for layer in layers]
        sums: list[dict[str, Array]] = [{} for _ in layers]
        total = 0
        for batch in _batches(arrays, batch_size):
            total += len(next(iter(batch.values())))
            counted = self.run(COUNTS, batch)
            for key, row, layer in zip(keys, sums, layers, strict=True):
                _add(row, key, counted, str(layer["name"]))
        model = self.card["model"]
        return EnergyReport(
            model_name=model["name"],
            energy_model=energy,
            samples=total,
            time_steps=model["time_steps"],
            layers=tuple(
                LayerFacts.from_dict(layer).row(row, total, energy)
                for layer, row in zip(layers, sums, strict=True)
            ),
            ann_macs=model["ann_macs"],
            data_steps=model.get("data_steps"),
            notes=tuple(model["notes"]),
        )

    def _check_prices(self, energy: EnergyModel) -> None:
        """Whether the card's energy model is what the card's prices are from."""
        for layer in (self.card or {})["layers"]:
            found = prices_of(LayerFacts.from_dict(layer), energy).to_dict()
            known = layer["price_joules"]
            if not all(math.isclose(PICOJOULE * found[k], v) for k, v in known.items()):
                raise ValueError(
                    "`energy_model` must be given: the model was exported with one of "
                    "a class of its own, which its energy card cannot hold. Received: "
                    f"energy_model=None, for '{energy.name}'."
                )

    def _arrays(self, data: Array | Mapping[str, Array] | ImageData) -> Arrays:
        card = self.card or {}
        if isinstance(data, ImageData):
            inputs = data.inputs("test")
            data = inputs.split.x if card["preprocessing"]["inside"] else inputs.x
        wanted = self.inputs[COUNTS]
        if not isinstance(data, Mapping):
            if len(wanted) != 1:
                raise ValueError(
                    "`data` must be arrays by the name of the input. Received: one "
                    f"array, for the inputs {', '.join(wanted)}."
                )
            data = {next(iter(wanted)): data}
        arrays = {str(n): np.asarray(x) for n, x in data.items()}
        check_inputs(arrays, wanted)
        return arrays


def check_inputs(arrays: Mapping[str, Array], wanted: Mapping[str, TensorInfo]) -> None:
    """Says which input is missing, unknown, of another shape or not finite.

    Raises:
        ValueError: If one is.
    """
    if set(arrays) != set(wanted):
        raise ValueError(
            f"The inputs must be {', '.join(map(repr, sorted(wanted)))}. Received: "
            f"{', '.join(map(repr, sorted(arrays))) or 'none'}."
        )
    rows = set()
    for name, x in arrays.items():
        shape = wanted[name].shape
        if not fits(x.shape, shape):
            text = ", ".join("?" if n is None else str(n) for n in shape)
            raise ValueError(
                f"Input '{name}' must be of shape ({text}), the samples first. "
                f"Received: shape={x.shape}."
            )
        if np.issubdtype(x.dtype, np.floating) and not np.isfinite(x).all():
            raise ValueError(
                f"Input '{name}' must hold finite numbers. Received: NaN or infinity."
            )
        rows.add(len(x))
    if len(rows) != 1 or rows == {0}:
        raise ValueError(
            "The inputs must hold the same number of samples, at least one. Received: "
            f"{', '.join(map(str, sorted(rows)))}."
        )


def _inputs(function: tf.types.experimental.ConcreteFunction) -> dict[str, TensorInfo]:
    _, named = function.structured_input_signature
    return {name: _info(name, spec) for name, spec in named.items()}


def _outputs(function: tf.types.experimental.ConcreteFunction) -> dict[str, TensorInfo]:
    return {n: _info(n, spec) for n, spec in function.structured_outputs.items()}


def _info(name: str, spec: tf.TensorSpec) -> TensorInfo:
    shape = () if spec.shape.rank is None else tuple(spec.shape.as_list())
    return TensorInfo(name=name, shape=shape, dtype=spec.dtype)


def _batches(arrays: Arrays, size: int) -> Iterator[Arrays]:
    rows = len(next(iter(arrays.values())))
    for start in range(0, rows, size):
        yield {name: x[start : start + size] for name, x in arrays.items()}


def _add(row: dict[str, Array], key: str, counted: Arrays, name: str) -> None:
    """Adds a batch's counts of one layer to its sums."""
    for quantity in _QUANTITIES:
        value = counted.get(f"{key}_{quantity}")
        if value is None:
            continue
        if quantity == "uncountable" and value.any():
            raise ValueError(
                f"Layer '{name}' states that its input are event counts, so `data` "
                "must hold whole numbers of at least 0. Received: other values."
            )
        row[quantity] = row.get(quantity, 0.0) + np.sum(value, axis=0, dtype="float64")
