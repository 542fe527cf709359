"""What all contenders on PyTorch share: networks and steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.cases import Case, network_of

Run = Callable[[], Any]


def device_of() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def layer_runs(
    call: Callable[[Any], Any], x: Any, upstream: Any, weights: list[Any]
) -> dict[str, Run]:
    """Runs of a layer: output; output and gradient; a copy of the same bytes."""
    x = torch.as_tensor(x, device=device_of()).requires_grad_()
    upstream = torch.as_tensor(upstream, device=device_of())
    plain = x.detach()

    def forward() -> Any:
        with torch.no_grad():
            return call(plain)

    def gradient() -> Any:
        y = call(x)
        return y, torch.autograd.grad(y, [x, *weights], upstream)

    return {"forward": forward, "train": gradient, "copy": lambda: -plain}


def runs_of(
    case: Case, make: Callable[[], nn.Module], *, all_at_once: bool, compiled: bool
) -> dict[str, Run]:
    """Runs of a case with a package's neurons.

    Args:
        case: The case.
        make: As `neurons` of `Network`.
        all_at_once: As for `Network`.
        compiled: Whether `torch.compile` runs it.
    """
    if case.part == "network":
        net = Network(case, make, all_at_once=all_at_once)
        return network_runs(net, case, compiled=compiled)
    layer = make().to(device_of())

    def neurons(x: Any) -> Any:
        state, spikes = None, []
        for step in x:
            s, state = layer(step, state)
            spikes.append(s)
        return torch.stack(spikes)

    return layer_case(case, layer if all_at_once else neurons, compiled=compiled)


def layer_case(case: Case, neurons: Callable[[Any], Any], *, compiled: bool) -> Any:
    """Runs of a layer of neurons, after a dense layer if the case has one.

    `neurons` takes `(time, batch, neurons)`, as these packages do.
    """
    torch.manual_seed(0)
    size = case.shape[0]
    dense = nn.Linear(size, size).to(device_of()) if case.part == "linear" else None

    def call(x: Any) -> Any:
        return neurons(x if dense is None else dense(x))

    run = torch.compile(call) if compiled else call
    rng = np.random.default_rng(0)
    shape = (case.steps, case.batch, size)
    x = rng.normal(0.3, 1.0, shape).astype("float32")
    upstream = rng.normal(size=shape).astype("float32")
    dtype = getattr(torch, case.dtype)
    x, upstream = (torch.as_tensor(a, dtype=dtype) for a in (x, upstream))
    return layer_runs(run, x, upstream, list(dense.parameters()) if dense else [])


class Network(nn.Module):
    """A network of `benchmarks.cases`, time after time or all times at once.

    Args:
        case: The case.
        neurons: Makes a layer of neurons. One step: takes the input and the state
            (`None` at first), returns spikes and state. All: takes and returns
            `(time, batch, ...)`.
        all_at_once: Whether the neurons take all steps at once; other layers then see
            time folded into the batch.
    """

    def __init__(
        self, case: Case, neurons: Callable[[], nn.Module], *, all_at_once: bool
    ) -> None:
        super().__init__()
        self.steps, self.all_at_once = case.steps, all_at_once
        layers = network_of(case.network, case.width)
        begin = layers.index(("time",))
        channels, self.size = case.shape[-1], case.shape[0]
        stem, channels = self._made(layers[:begin], channels, neurons)
        rest, _ = self._made(layers[begin + 1 :], channels, neurons)
        self.stem, self.rest = nn.Sequential(*stem), nn.ModuleList(rest)

    def _made(self, layers: Any, channels: int, neurons: Any) -> tuple[list[Any], int]:
        made: list[Any] = []
        flat = False
        for kind, *numbers in layers:
            if kind == "conv":
                filters, size, stride = numbers
                made.append(
                    nn.Conv2d(channels, filters, size, stride, size // 2, bias=False)
                )
                channels = filters
                self.size = -(-self.size // stride)
            elif kind == "norm":
                norm = nn.BatchNorm1d if flat else nn.BatchNorm2d
                made.append(norm(channels))
            elif kind == "lif":
                made.append(neurons())
            elif kind == "pool":
                made.append(nn.AvgPool2d(2))
                self.size //= 2
            elif kind == "flatten":
                made.append(nn.Flatten())
                channels, flat = channels * self.size**2, True
            elif kind == "global":
                made.append(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
            elif kind == "dense":
                made.append(nn.Linear(channels, numbers[0]))
                channels = numbers[0]
            else:
                size = self.size
                main, filters = self._made(numbers[0], channels, neurons)
                after, self.size = self.size, size
                shortcut, _ = self._made(numbers[1], channels, neurons)
                made.append(_Block(main, shortcut))
                channels, self.size = filters, after
        return made, channels

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        if self.all_at_once:
            y = x.unsqueeze(0).expand(self.steps, *x.shape)
            y = self._all(self.rest, y.contiguous())
            return y.mean(0)
        states: dict[int, Any] = {}
        out: Any = 0.0
        for _ in range(self.steps):
            out = out + self._one(self.rest, x, states)
        return out / self.steps

    def _all(self, layers: Any, y: Any) -> Any:
        for layer in layers:
            if isinstance(layer, _Block):
                y = self._all(layer.main, y) + self._all(layer.shortcut, y)
            elif getattr(layer, "neurons", False):
                y = layer(y)
            else:
                flat = layer(y.flatten(0, 1))
                y = flat.unflatten(0, (self.steps, -1))
        return y

    def _one(self, layers: Any, y: Any, states: dict[int, Any]) -> Any:
        for layer in layers:
            if isinstance(layer, _Block):
                y = self._one(layer.main, y, states) + self._one(
                    layer.shortcut, y, states
                )
            elif getattr(layer, "neurons", False):
                y, states[id(layer)] = layer(y, states.get(id(layer)))
            else:
                y = layer(y)
        return y


class _Block(nn.Module):
    def __init__(self, main: list[Any], shortcut: list[Any]) -> None:
        super().__init__()
        self.main, self.shortcut = nn.ModuleList(main), nn.ModuleList(shortcut)


def network_runs(net: Network, case: Case, *, compiled: bool) -> dict[str, Run]:
    """Inference, and a step of training with Adam."""
    torch.manual_seed(0)
    net = net.to(device_of())
    call = torch.compile(net) if compiled else net
    optimizer = torch.optim.Adam(net.parameters())
    rng = np.random.default_rng(0)
    shape = (case.batch, case.shape[-1], *case.shape[:2])
    x = torch.as_tensor(rng.normal(size=shape).astype("float32"), device=device_of())
    y = torch.as_tensor(rng.integers(0, 10, case.batch), device=device_of())

    def forward() -> Any:
        net.eval()
        with torch.no_grad():
            return call(x).cpu()  # as Keras does

    def train() -> Any:
        net.train()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(call(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()  # as Keras does

    return {"forward": forward, "train": train}
