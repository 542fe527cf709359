"""`export`: a trained network leaves Python."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Mapping

import keras
import numpy as np

from keras_ssp._checks import one_of
from keras_ssp.datasets import ImageData
from keras_ssp.energy import EnergyModelLike, hardware
from keras_ssp.energy.counting import LayerFacts
from keras_ssp.energy.meter import EnergyMeter
from keras_ssp.energy.prices import prices_of
from keras_ssp.serving.answers import answer_names
from keras_ssp.serving.card import (
    CARD_PATH,
    Evaluated,
    card_beside,
    make_card,
    write_card,
)
from keras_ssp.serving.spec import (
    FORMATS,
    SUFFIXES,
    ExportSpec,
    Preprocessing,
    spec_of,
    symbolic_inputs,
)
from keras_ssp.serving.twin import write_by_twin
from keras_ssp.serving.versions import check_free, next_version, version_of, whole
from keras_ssp.training.evaluation import EVALUATION_BATCH
from keras_ssp.types import Array, Config, Data, StrPath, Table


def export(
    model: keras.Model,
    path: StrPath,
    *,
    output: str | None = None,
    labels: Iterable[str] | None = None,
    preprocessing: Preprocessing = None,
    input_dtype: str | None = None,
    data: Data | ImageData = None,
    data_name: str | None = None,
    energy_model: EnergyModelLike = "cmos45",
    format: str | None = None,
    overwrite: bool = False,
    seed: int | None = None,
    config: Table | None = None,
    extra: Table | None = None,
    files: Mapping[str, Callable[[pathlib.Path], object]] | None = None,
) -> pathlib.Path:
    """Exports a trained network, so that it answers with what each answer cost.

    The SavedModel loads and runs with TensorFlow alone: TensorFlow Serving, KServe,
    `keras-ssp serve`. It has four signatures, all of any batch size:

    * `serving_default`: what the network answers, `logits`, `probabilities` or
      `values`, and `label` if labels are given;
    * `energy_report`: the same, and per sample `synops`, `macs`, `spikes`,
      `energy_joules`, `synaptic_energy_joules`, `<layer>_spikes` and
      `<layer>_synops`,

          energy_joules = 1e-12 * sum_l E_l,   E_l by the energy model

      NaN where the outputs are not finite;
    * `spikes`: `<layer>`, the spikes themselves, `(batch, T, ...)`;
    * `layer_counts`: what `keras-ssp report` makes its report of.

    `assets.extra/energy_card.json` tells the network, its penalty, what it was
    measured on and what it costs, layer by layer. The version appears when it is
    whole and on disk, and never replaces one unless it is told to.

    Args:
        model: Built Sequential or Functional model, or a subclassed one that was
            called on data and whose spiking layers were given `fan_out`.
        path: `"saved_models/name/1"`, the folder of a version; without a number at
            the end the next one is taken. A file `"name.tflite"` (LiteRT) or
            `"name.onnx"` gets its card beside it, `name.energy_card.json`.
        output: `"logits"` (what the model returns), `"probabilities"` (its softmax)
            or `"values"` (what it returns, for models that do not classify). Defaults
            to `"logits"`, `"probabilities"` for a model that ends in a softmax, and
            `"values"` for one with several outputs.
        labels: Names of the classes, in their order. Defaults to none.
        preprocessing: What turns a served input into what the network is fed: an
            `ImageData`, whose normalisation it is, or a Keras layer or model. Defaults
            to nothing.
        input_dtype: Dtype that is served, such as `"uint8"`. Defaults to that of the
            data or model of `preprocessing`, or to the model's.
        data: Data to measure the network on, for the card: an `ImageData`, whose test
            part it is, or as for `energy_report`; normalised as the network is fed
            it. Targets that are integers give the accuracy. Defaults to the
            `preprocessing` if that is an `ImageData`, else to none.
        data_name: Name of the data in the card. Defaults to that of the `ImageData`.
        energy_model: As for `energy_report`. Defaults to `"cmos45"`.
        format: `"saved_model"`, `"litert"` or `"onnx"`. Defaults to what the suffix of
            `path` says.
        overwrite: Whether an existing version may be replaced. Defaults to `False`.
        seed: Seed of the training, for the card.
        config: Config of the training, JSON-ready, for the card.
        extra: Further JSON-ready values for the card.
        files: Names of further files in `assets.extra/`, and functions that write each
            to a path. SavedModels only. Defaults to none.

    Returns:
        The path that was written.

    Raises:
        FileExistsError: If the version is there, and may not be replaced.
        ValueError: If the model's synapses cannot be counted, an argument is none of
            those that it may be, or the format does not know an operation.
        ImportError: If ONNX is asked for without the extra `onnx`.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dense(8), DirectEncoding(2), LIF(name="a"),
    ...     keras.layers.Dense(3), RateReadout()], name="small")
    >>> path = export(model, "saved_models/small/1")
    >>> import tensorflow as tf
    >>> energy_report = tf.saved_model.load(path).signatures["energy_report"]
    >>> answer = energy_report(inputs=tf.ones((5, 4)))
    >>> answer["logits"].shape, answer["a_spikes"].shape
    (TensorShape([5, 3]), TensorShape([5]))

    Reference: TensorFlow Serving's SavedModel layout; E = E_AC * SynOps of Suetake et
    al., arXiv 2302.01500.
    """
    target, format = _target(pathlib.Path(path), format)
    energy = hardware.get(energy_model)
    if data is None and isinstance(preprocessing, ImageData):
        data = preprocessing
    # What cannot be exported is told before anything is measured.
    check_free(target, overwrite)
    symbolic_inputs(model)
    meter = EnergyMeter(model)
    spec = spec_of(
        model,
        output=output,
        labels=labels,
        preprocessing=preprocessing,
        input_dtype=input_dtype,
        energy_model=energy.to_dict(),
        prices=[prices_of(facts, energy) for facts in _facts(meter)],
    )
    if files and format != "saved_model":
        raise ValueError(
            "`files` must be left out for a format that is one file. Received: "
            f"format={format!r}, files={list(files)}."
        )
    evaluation = _evaluate(meter, data, data_name, energy)
    card = _card(model, meter, spec, evaluation, preprocessing, seed, config, extra)
    with whole(target, overwrite=overwrite) as partial:
        _write(model, spec, format, partial)
        if format == "saved_model":
            write_card(partial / CARD_PATH, card)
            for name, write in (files or {}).items():
                write(partial / "assets.extra" / name)
        else:
            with whole(card_beside(target), overwrite=True) as place:
                write_card(place, card)
    return target


def _target(path: pathlib.Path, format: str | None) -> tuple[pathlib.Path, str]:
    suffix = SUFFIXES.get(path.suffix)
    format = one_of("format", format or suffix or "saved_model", FORMATS)
    if (suffix or "saved_model") != format:
        wanted = {v: k for k, v in SUFFIXES.items()}.get(format, "a folder")
        raise ValueError(
            f"`path` must end in what the format asks for, {wanted}. Received: "
            f"path={path}, format={format!r}."
        )
    if format == "saved_model" and version_of(path) is None:
        path = next_version(path)
    return path, format


def _write(
    model: keras.Model, spec: ExportSpec, format: str, path: pathlib.Path
) -> None:
    if keras.backend.backend() == "tensorflow":
        from keras_ssp.serving.writers import write

        write(model, spec, format, path)
    else:
        write_by_twin(model, spec, format, path)


def _card(
    model: keras.Model,
    meter: EnergyMeter,
    spec: ExportSpec,
    evaluation: Evaluated | None,
    preprocessing: Preprocessing,
    seed: int | None,
    config: Table | None,
    extra: Table | None,
) -> Config:
    facts = _facts(meter)
    card = make_card(
        model,
        spec,
        list(zip(facts, spec.prices, answer_names(facts), strict=True)),
        time_steps=meter.time_steps,
        ann_macs=meter.ann_macs,
        data_steps=meter.data_steps,
        notes=meter.notes,
        evaluation=evaluation,
        seed=seed,
        config=config,
        extra=extra,
    )
    if isinstance(preprocessing, ImageData):
        card["preprocessing"]["peak"] = float(preprocessing.peak)
    return card


def _facts(meter: EnergyMeter) -> list[LayerFacts]:
    if not meter.readable and not meter.sites:
        # The layers of a subclassed model are known when it has run.
        zeros = keras.tree.map_structure(
            lambda t: np.zeros([1, *(n or 1 for n in t.shape[1:])], str(t.dtype)),
            symbolic_inputs(meter.model),
        )
        meter.run(zeros)
    return [facts for _, facts in meter.facts()]


def _evaluate(
    meter: EnergyMeter, data: Data, name: str | None, energy: hardware.EnergyModel
) -> Evaluated | None:
    if data is None:
        return None
    dataset: Config = {"type": None, "name": name, "split": None, "fingerprint": None}
    x, y = data, None
    if isinstance(data, ImageData):
        inputs = data.inputs("test")
        x, y = inputs.x, inputs.y
        dataset |= {
            "type": data.name,
            "name": name or data.name,
            "split": "test",
            "fingerprint": data.fingerprint,
        }
    elif isinstance(data, tuple) and len(data) > 1:
        y = np.asarray(data[1])
    report, outputs = meter.report_and_outputs(
        x, energy_model=energy, batch_size=EVALUATION_BATCH
    )
    return Evaluated(report, _accuracy(outputs, y), dataset)


def _accuracy(outputs: object, y: Array | None) -> float | None:
    """The share of right classes; `None` where the targets are no classes."""
    if y is None or not isinstance(outputs, np.ndarray) or outputs.ndim != 2:
        return None
    if y.ndim == 2 and y.shape == outputs.shape:
        y = np.argmax(y, axis=-1)
    y = np.ravel(y)
    if len(y) != len(outputs) or not np.all(y == np.floor(y)):
        return None
    return float(np.mean(np.argmax(outputs, axis=-1) == y))
