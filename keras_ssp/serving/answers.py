"""The functions that an exported model consists of: what it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import keras
from keras import ops, tree

from keras_ssp._units import PICOJOULE
from keras_ssp.energy.counting import LayerFacts
from keras_ssp.energy.meter import EnergyMeter, SiteKey
from keras_ssp.energy.prices import Prices
from keras_ssp.energy.rows import ENCODING
from keras_ssp.serving.spec import ExportSpec, symbolic_inputs
from keras_ssp.types import Tensor, Tensors

#: Outputs by name, each with the samples as its first axis.
Answer: TypeAlias = dict[str, Tensor]


class Answers:
    """What an exported model answers, as functions of tensors of `keras.ops`.

    Each takes the served inputs in the order of `spec.inputs`.

    Args:
        model: The model.
        spec: What is exported.
    """

    def __init__(self, model: keras.Model, spec: ExportSpec) -> None:
        self.model = model
        self.spec = spec
        self.meter = EnergyMeter(model)
        self._structure = symbolic_inputs(model)
        self._preprocess = spec.preprocess()

    def default(self, *inputs: Tensor) -> Answer:
        """What the model answers."""
        return self._named(self.model(self._fed(inputs), training=False))

    def energy_report(self, *inputs: Tensor) -> Answer:
        """The same, and what each sample costs.

        Per sample: `synops`, `macs`, `spikes`, `energy_joules`,
        `synaptic_energy_joules`; per layer `<layer>_spikes` and `<layer>_synops`. The
        energies of a sample whose outputs are not finite are NaN: what cannot be
        right is never cheap.
        """
        counts, returned = self.meter.run(self._fed(inputs))
        answer = self._named(returned)
        finite = _all_finite(tree.flatten(returned))
        # What no penalty moves: analogue synapses, and the data's own events.
        fixed, spiking = ops.zeros_like(finite), ops.zeros_like(finite)
        spikes, synops = ops.zeros_like(finite), ops.zeros_like(finite)
        macs, layers = 0.0, {}
        for key, facts, prices, name in self.rows():
            macs += facts.macs
            if key is None:
                fixed = fixed + prices.constant * PICOJOULE
                continue
            fired, executed = counts[key]["spikes"], counts[key]["synops"]
            layers[f"{name}_spikes"] = fired
            layers[f"{name}_synops"] = executed
            spikes, synops = spikes + fired, synops + executed
            # The small unit last: float32 has no room below 1e-38.
            energy = PICOJOULE * prices.energy(fired, executed)
            if facts.kind == ENCODING:
                fixed = fixed + energy
            else:
                spiking = spiking + energy
        wrong = ops.where(finite > 0, 0.0, float("nan"))
        totals = {
            "synops": synops,
            "macs": ops.zeros_like(finite) + macs,
            "spikes": spikes,
            "energy_joules": spiking + fixed + wrong,
            "synaptic_energy_joules": spiking + wrong,
        }
        taken = {*answer} & {*totals, *layers}
        if taken:
            raise ValueError(
                "The model's outputs must have other names than what is counted. "
                f"Received: {', '.join(map(repr, sorted(taken)))}."
            )
        return {**answer, **totals, **layers}

    def layer_counts(self, *inputs: Tensor) -> Answer:
        """What a report over many samples is made of, `<layer>_<quantity>`."""
        rasters, counts = self._rasters(inputs)
        names = self._site_names()
        answer: Answer = {}
        for key, counted in counts.items():
            for quantity, value in counted.items():
                if quantity == "neurons":  # there summed over the batch
                    value = ops.sum(ops.cast(rasters[key], "float32"), axis=1)
                answer[f"{names[key]}_{quantity}"] = value
        return answer

    def spikes(self, *inputs: Tensor) -> Answer:
        """The spikes of each layer, `(batch, T, ...)`; events of an encoding, too."""
        rasters, _ = self._rasters(inputs)
        names = self._site_names()
        return {names[key]: ops.cast(r, "float32") for key, r in rasters.items()}

    def rows(self) -> list[tuple[SiteKey | None, LayerFacts, Prices, str]]:
        """The rows of the report: site, facts, prices, and name in the answers.

        Those of a subclassed model are known when it has run.
        """
        facts = self.meter.facts()
        names = answer_names([each for _, each in facts])
        return [
            (key, each, prices, name)
            for (key, each), prices, name in zip(
                facts, self.spec.prices, names, strict=True
            )
        ]

    def _site_names(self) -> dict[SiteKey, str]:
        return {key: name for key, _, _, name in self.rows() if key is not None}

    def _rasters(
        self, inputs: Sequence[Tensor]
    ) -> tuple[dict[SiteKey, Tensor], dict[SiteKey, dict[str, Tensor]]]:
        rasters: dict[SiteKey, Tensor] = {}

        def keep(key: SiteKey, spikes: Tensor) -> None:
            steps = self.meter.sites[key].steps
            shape = ops.shape(spikes)
            rasters[key] = ops.reshape(spikes, (-1, steps, *shape[1:]))

        counts, _ = self.meter.run(self._fed(inputs), also=keep)
        return rasters, counts

    def _fed(self, inputs: Sequence[Tensor]) -> Tensors:
        flat = tree.flatten(self._structure)
        fed = [
            self._preprocess(x, str(wanted.dtype))
            for x, wanted in zip(inputs, flat, strict=True)
        ]
        return tree.pack_sequence_as(self._structure, fed)

    def _named(self, returned: Tensors) -> Answer:
        flat = tree.flatten(returned)
        spec = self.spec
        if len(flat) != 1:
            if spec.softmax or spec.labels:
                raise ValueError(
                    "`output` must be 'values', and `labels` left out, for a model "
                    f"with several outputs. Received: {len(flat)} outputs."
                )
            names = self._output_names(returned, len(flat))
            return {
                str(n): ops.cast(x, "float32") for n, x in zip(names, flat, strict=True)
            }
        values = ops.cast(flat[0], "float32")
        if spec.softmax:
            values = ops.softmax(values, axis=-1)
        return {spec.output: values}

    def _output_names(self, returned: Tensors, count: int) -> list[str]:
        if isinstance(returned, Mapping) and len(returned) == count:
            return [str(name) for name in sorted(returned)]  # the order of `flatten`
        names = [str(n) for n in getattr(self.model, "output_names", None) or ()]
        if len(set(names)) == count:
            return names
        return [f"output_{k}" for k in range(count)]


def answer_names(facts: Sequence[LayerFacts]) -> list[str]:
    """Names of layers as keys of an answer: letters, digits and `_`, no two alike.

    Example:

    >>> row = LayerFacts(name="block/lif:1", kind="lif", neurons=1, time_steps=1,
    ...     updates=1, fan_out=1.0, weights=0, dense=1.0)
    >>> answer_names([row, row])
    ['block_lif_1', 'block_lif_1_2']
    """
    found: dict[str, None] = {}
    for each in facts:
        base = re.sub(r"\W", "_", each.name, flags=re.ASCII)
        name, k = base, 1
        while name in found:
            k += 1
            name = f"{base}_{k}"
        found[name] = None
    return list(found)


def _all_finite(outputs: Sequence[Tensor]) -> Tensor:
    """1.0 for each sample whose outputs are all finite, else 0.0; `(batch,)`."""
    found = None
    for values in outputs:
        values = ops.cast(values, "float32")
        rows = ops.reshape(values, (ops.shape(values)[0], -1))
        each = ops.all(ops.isfinite(rows), axis=1)
        found = each if found is None else ops.logical_and(found, each)
    return ops.cast(found, "float32")


Function: TypeAlias = Callable[..., Answer]
