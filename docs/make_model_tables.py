"""Writes the layer tables of docs/models.md, counted from the networks themselves."""

import math
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # from a clone, not installed
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from keras_ssp import models
from keras_ssp.synapses.analysis import Synapses, analyze

TARGET = Path(__file__).parent / "models.md"
BEGIN = "<!-- The tables below are written by docs/make_model_tables.py. -->\n"
END = "<!-- End of the tables. -->\n"

INPUTS = {
    "small_cnn": (28, 28, 1),
    "cnn7": (28, 28, 1),
    "vgg11": (32, 32, 3),
    "resnet18": (32, 32, 3),
}
CLASSES = 10
HEADER = ("layer", "output", "parameters", "neurons", "ψ", "MACs")
KINDS = ("conv", "dense")


def main() -> None:
    TARGET.write_text(page(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {TARGET.name}")


def page(text: str) -> str:
    """The page with new tables between the two markers."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    sections = "\n".join(section(name) for name in models.names())
    return f"{before}{BEGIN}\n{sections}\n{END}{after}"


def section(name: str) -> str:
    """Heading, table and totals of one network."""
    model = models.get(name)(INPUTS[name], CLASSES)
    synapses = analyze(model)
    rows = [HEADER, tuple("---" if k < 2 else "---:" for k in range(len(HEADER)))]
    rows += layer_rows(model, synapses)
    neurons = sum(math.prod(site.size) for site in synapses.spiking)
    fan_out = sum(tap.total for site in synapses.spiking for tap in site.taps)
    macs = sum(layer.dense for layer in synapses.layers)
    trained = parameters(model)
    rows.append(
        (
            "total",
            "",
            count(trained),
            count(neurons),
            mean(fan_out, neurons),
            count(macs),
        )
    )
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    stem = sum(layer.macs for layer in synapses.layers)
    return f"""### `{name}`, input {shape(INPUTS[name])}, {CLASSES} classes

{table}

Of the MACs, {count(stem)} belong to the stem, once per image; the others become at
most {count(fan_out)} accumulates per time step, if every neuron fires.
"""


def layer_rows(model: keras.Model, synapses: Synapses) -> list[tuple[str, ...]]:
    """One row for each weight layer, with its norm and neurons, and for each pool."""
    sites = {site.name: site for site in synapses.spiking}
    weighted = {layer.name: layer for layer in synapses.layers}
    layers = {layer.name: layer for layer in model.layers}
    rows = []
    for name, layer in layers.items():
        if "pool" in name:
            rows.append((name, shape(layer.output.shape[1:]), "", "", "", ""))
        if name not in weighted:
            continue
        kind = next(kind for kind in KINDS if kind in name)
        unit = [layers.get(name.replace(kind, part)) for part in (kind, "norm", "lif")]
        unit = [part for part in unit if part is not None]
        neurons, fan_out = "", ""
        if unit[-1].name in sites:
            site = sites[unit[-1].name]
            size = math.prod(site.size)
            neurons = count(size)
            fan_out = mean(sum(tap.total for tap in site.taps), size)
        rows.append(
            (
                ", ".join(part.name for part in unit),
                shape(layer.output.shape[1:]),
                count(sum(parameters(part) for part in unit)),
                neurons,
                fan_out,
                count(weighted[name].dense),
            )
        )
    return rows


def parameters(layer: keras.Layer) -> int:
    return sum(math.prod(w.shape) for w in layer.trainable_weights)


def shape(sizes: tuple[int, ...]) -> str:
    return "×".join(map(str, sizes))


def count(number: float) -> str:
    return f"{number:,.0f}"


def mean(total: float, number: int) -> str:
    return f"{total / number:,.1f}"


if __name__ == "__main__":
    main()
