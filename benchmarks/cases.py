"""What is measured: neurons alone, whole networks, and what this package adds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

#: Bytes of the input of a neuron layer: more than any cache holds.
NEURON_BYTES = {"cpu": 2**26, "gpu": 2**30}
NEURON_STEPS = (1, 2, 4, 8, 16, 32, 100, 500)
NETWORK_STEPS = (4, 16)
_NEURONS = 1024
#: Networks, and the shape of their images.
NETWORKS = {
    "readme": (28, 28, 1),
    "cnn7": (28, 28, 1),
    "resnet18": (32, 32, 3),
}
#: (T, batch, neurons) of a dense layer and its neurons, `batch, T, inputs` in.
LINEAR = ((4, 64, 1024), (16, 32, 512), (100, 16, 512), (256, 64, 128))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One thing to measure.

    Args:
        part: `"neuron"`, `"linear"` or `"network"`.
        steps: T.
        batch: Samples of a batch.
        shape: Shape of a sample: `(neurons,)`, or that of an image.
        network: Name of the network, one of `NETWORKS`.
        width: Multiplies the filters of the network.
        dtype: Dtype of a layer's input, gradient and output.
    """

    part: str
    steps: int
    batch: int
    shape: tuple[int, ...]
    network: str = ""
    width: float = 1.0
    dtype: str = "float32"

    @property
    def name(self) -> str:
        if self.part != "network":
            dtype = "" if self.dtype == "float32" else f" {self.dtype}"
            return f"{self.part} T={self.steps} {self.batch}x{self.shape[0]}{dtype}"
        width = "" if self.width == 1.0 else f" width {self.width:g}"
        return f"{self.network}{width} T={self.steps} batch {self.batch}"

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Case:
        return cls(**{**values, "shape": tuple(values["shape"])})


def neuron_cases(
    device: str, steps: tuple[int, ...] = NEURON_STEPS, dtype: str = "float32"
) -> list[Case]:
    """The layer of neurons alone, arrays of the same bytes for each T and dtype."""
    values = NEURON_BYTES[device] // (4 if dtype == "float32" else 2)
    return [
        Case(
            part="neuron",
            steps=t,
            batch=values // (t * _NEURONS),
            shape=(_NEURONS,),
            dtype=dtype,
        )
        for t in steps
    ]


def linear_cases() -> list[Case]:
    """A dense layer and its neurons."""
    return [Case(part="linear", steps=t, batch=b, shape=(n,)) for t, b, n in LINEAR]


def network_cases(device: str, steps: Sequence[int] = NETWORK_STEPS) -> list[Case]:
    """README's network, CNN7 and ResNet18, on images of their data sets' shapes."""
    batch, width = (32, 0.25) if device == "cpu" else (128, 1.0)
    return [
        case
        for t in steps
        for case in (
            network_case("readme", t, 128),
            network_case("cnn7", t, batch, width),
            network_case("resnet18", t, batch, width),
        )
    ]


def scaling_cases() -> dict[str, list[Case]]:
    """CNN7, one thing at a time: T, batch, width."""
    return {
        "T": [network_case("cnn7", t, 32, 0.25) for t in (2, 4, 8, 16, 32)],
        "batch": [network_case("cnn7", 4, b, 0.25) for b in (16, 32, 64, 128)],
        "width": [network_case("cnn7", 4, 32, w) for w in (0.125, 0.25, 0.5, 1.0)],
    }


def network_case(name: str, steps: int, batch: int, width: float = 1.0) -> Case:
    """A whole network, on images of the shape of its data set's."""
    shape = NETWORKS[name]
    return Case(
        part="network",
        network=name,
        steps=steps,
        batch=batch,
        width=width,
        shape=shape,
    )


#: An entry is a kind and its numbers: "conv" (filters, size, stride), "norm", "lif",
#: "pool", "global", "flatten", "dense", "time" (where time begins), and "block" (what
#: is added up: the main path and the shortcut).
Network = tuple[tuple[Any, ...], ...]


def network_of(name: str, width: float = 1.0) -> Network:
    """The layers of a network; the filters are multiplied by `width`."""

    def wide(filters: int) -> int:
        return max(1, int(filters * width + 0.5))

    def conv(filters: int, size: int = 3, stride: int = 1) -> tuple[Any, ...]:
        return ("conv", wide(filters), size, stride), ("norm",)

    if name == "readme":
        return (
            *conv(16),
            ("time",),
            ("lif",),
            *conv(32),
            ("lif",),
            ("flatten",),
            ("dense", 10),
        )
    if name == "cnn7":
        layers: list[Any] = [*conv(32), ("time",), ("lif",)]
        for filters in (32, 0, 64, 64, 0, 128, 0):
            layers += [*conv(filters), ("lif",)] if filters else [("pool",)]
        hidden = (("flatten",), ("dense", wide(256)), ("norm",), ("lif",))
        return (*layers, *hidden, ("dense", 10))
    layers = [*conv(64), ("time",), ("lif",)]
    for filters, stride in zip(
        (64, 64, 128, 128, 256, 256, 512, 512), (1, 1, 2, 1, 2, 1, 2, 1), strict=True
    ):
        main = (*conv(filters, 3, stride), ("lif",), *conv(filters))
        shortcut = conv(filters, 1, stride) if stride > 1 else ()
        layers += [("block", main, shortcut), ("lif",)]
    return (*layers, ("global",), ("dense", 10))
