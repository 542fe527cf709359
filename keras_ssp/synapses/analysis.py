"""Which synapses the spikes of one model drive: the graph walk behind psi.

`analyze` walks from each synapse back along the routes (see `keras_ssp.synapses`) to
the sources: spiking layers, whose events cost accumulates, or analogue values,
which cost multiply-accumulates. The penalty and the energy report both read its
result.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_ssp import graph as graph_lib
from keras_ssp.graph import Call, Edge, Graph, timeline
from keras_ssp.synapses.registry import Rule, rule_for
from keras_ssp.synapses.taps import Tap, compact, full, merge, uniform


@dataclasses.dataclass(frozen=True, eq=False)
class Site:
    """One call of a layer that emits events, and the synapses they drive."""

    layer: Any
    name: str
    position: int
    index: int
    size: tuple[int, ...]
    steps: int
    taps: tuple[Tap, ...]
    notes: tuple[str, ...] = ()

    @property
    def spiking(self) -> bool:
        """Whether the source is a neuron (not an encoding layer)."""
        return timeline.role(self.layer) == "spiking"


@dataclasses.dataclass(frozen=True, eq=False)
class Weighted:
    """One call of a layer with synapses.

    Args:
        layer: The Keras layer.
        name: Its name in the report.
        position: Place of the call in the model.
        dense: Operations of one pass over all synapses.
        macs: Multiply-accumulates on analogue values per sample, all time steps.
        steps: T of its input.
        inputs: Elements of its input, `outputs` of its output, batch left out.
        drivers: Positions of the sites whose events it receives.
    """

    layer: Any
    name: str
    position: int
    dense: float
    macs: float
    steps: int
    inputs: int
    outputs: int
    drivers: frozenset[int]


@dataclasses.dataclass(frozen=True, eq=False)
class Synapses:
    """Everything that the energy of one model is counted from."""

    sites: tuple[Site, ...]
    layers: tuple[Weighted, ...]
    time_steps: int

    @property
    def spiking(self) -> tuple[Site, ...]:
        """The sites of spiking layers, encoding layers left out."""
        return tuple(site for site in self.sites if site.spiking)


def analyze(model: Any) -> Synapses:
    """Counts the synapses of a built Sequential or Functional model.

    Args:
        model: The model; nested models are opened up.

    Returns:
        A `Synapses`: for each spiking layer its taps, for each weighted layer its
        dense operations and those driven by analogue values.

    Raises:
        ValueError: If a layer has no rule, a size is unknown, layers disagree on
            time steps, or a spiking layer's output goes nowhere.
    """
    return _Analysis(graph_lib.trace(model)).run()


class _Analysis:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.states = timeline.check_graph(graph)
        self.producers = graph.producers()
        self.taps: dict[Edge, list[Tap]] = {}
        self.drivers: set[int] = set()
        self.positions = {call: k for k, call in enumerate(graph.calls)}
        self._carry()

    def _carry(self) -> None:
        """Marks which tensors carry events, analogue values, or both."""
        self.events: dict[Edge, bool] = dict.fromkeys(self.graph.inputs, False)
        self.analogue: dict[Edge, bool] = dict.fromkeys(self.graph.inputs, True)
        for call in self.graph.calls:
            if _emits(call.layer):
                for k, edge in enumerate(call.outputs):  # output 1 is the potential
                    self.events[edge], self.analogue[edge] = k == 0, k > 0
                continue
            rule = self._rule(call)
            spikes = any(self.events[edge] for edge in call.inputs)
            if rule.kind == "analogue" and spikes:
                raise ValueError(
                    f"Layer '{call.name}' ({type(call.layer).__name__}) receives "
                    "spikes and turns them into analogue values, which the energy "
                    "count does not allow. Remedy: move it in front of the spiking "
                    "layer, or register a rule with "
                    "`keras_ssp.synapses.register_route`."
                )
            route = rule.kind == "route"
            analogue = any(self.analogue[edge] for edge in call.inputs)
            for edge in call.outputs:
                self.events[edge] = route and spikes
                self.analogue[edge] = not route or analogue

    def _rule(self, call: Call) -> Rule:
        rule = rule_for(call.layer)
        if rule is None:
            raise ValueError(
                f"Layer '{call.name}' of type {type(call.layer).__name__} has no "
                "fan-out rule, so its energy cannot be counted. Remedy: register one "
                "with `keras_ssp.synapses.register_synapse` (a layer with weights), "
                "`register_route` (it only moves or adds up events) or "
                "`register_analogue` (no weights, analogue output)."
            )
        return rule

    def run(self) -> Synapses:
        layers = []
        for call in self.graph.calls:
            rule = None if _emits(call.layer) else self._rule(call)
            if rule is not None and rule.kind == "synapse":
                layers.append(self._synapse(call, rule))
        sites = [self._site(call) for call in self.graph.calls if _emits(call.layer)]
        steps = [s for s in self.states.values() if s is not None]
        return Synapses(tuple(sites), tuple(layers), max(steps, default=1))

    def _synapse(self, call: Call, rule: Rule) -> Weighted:
        edge = call.inputs[0]
        size = _static(call, edge)
        tap = Tap(compact(_broadcastable(call, rule.apply(call), size)), size)
        steps = self.states[edge] or 1
        extra = 0 if rule.extra_macs is None else rule.extra_macs(call)
        self.drivers = set()
        macs = self._pull(edge, tap) + extra
        return Weighted(
            layer=call.layer,
            name=_numbered(call),
            position=self.positions[call],
            dense=tap.total + extra,
            macs=macs * steps,
            steps=steps,
            inputs=math.prod(size),
            outputs=math.prod(_static(call, call.outputs[0])),
            drivers=frozenset(self.drivers),
        )

    def _pull(self, edge: Edge, tap: Tap) -> float:
        """Draws a tap back to the spikes; returns what analogue elements cost."""
        if not self.events[edge]:
            return tap.total
        call, output = self.producers[edge]
        if _emits(call.layer):
            self.taps.setdefault(edge, []).append(tap)
            self.drivers.add(self.positions[call])
            return 0.0
        rule = self._rule(call)
        self._check_mixture(call, edge, rule)
        macs = 0.0
        for source, taps in zip(
            call.inputs, rule.apply(call, tap, output), strict=True
        ):
            for one in taps:
                macs += self._pull(source, one)
        return macs

    def _check_mixture(self, call: Call, edge: Edge, rule: Rule) -> None:
        if self.analogue[edge] and not rule.elementwise:
            raise ValueError(
                f"Layer '{call.name}' adds up or pools spikes together with analogue "
                "values in front of a synapse, so its operations are neither "
                "accumulates of events nor plain multiply-accumulates. Remedy: let "
                "the analogue branch pass through a spiking layer, or add it behind "
                "the synapse."
            )

    def _site(self, call: Call) -> Site:
        edge = call.outputs[0]
        size = _static(call, edge)
        steps = self.states[edge] or 1
        given = getattr(call.layer, "fan_out", None)
        if given is not None:
            taps = [given_tap(call.layer, size)]
        else:
            taps = merge(self.taps.get(edge, []))
        return Site(
            layer=call.layer,
            name=_numbered(call),
            position=self.positions[call],
            index=call.index,
            size=size,
            steps=steps,
            taps=tuple(taps),
            notes=self._notes(call, edge, bool(taps)),
        )

    def _notes(self, call: Call, edge: Edge, driving: bool) -> tuple[str, ...]:
        readers = self.graph.consumers().get(edge, [])
        if not readers and not driving and timeline.role(call.layer) == "spiking":
            raise ValueError(
                f"Spiking layer '{call.name}' has no consumer: its spikes drive no "
                "synapse and no readout. Remedy: end the model with "
                "`keras_ssp.layers.RateReadout()`, or remove the layer."
            )
        notes = []
        if not driving:
            notes.append("drives no synapse (output neurons): 0 SynOps")
        shortcuts = [
            reader.name for reader in readers if self._reaches_neuron(reader.outputs)
        ]
        if shortcuts:
            notes.append(
                f"shortcut without weights into neurons through "
                f"{', '.join(shortcuts)}: no synapse, 0 SynOps"
            )
        return tuple(notes)

    def _reaches_neuron(self, edges: Sequence[Edge]) -> bool:
        for edge in edges:
            if not self.events.get(edge):
                continue
            call, _ = self.producers[edge]
            if _emits(call.layer):
                continue
            for reader in self.graph.consumers().get(edge, []):
                if _emits(reader.layer) or self._reaches_neuron(reader.outputs):
                    return True
        return False


def given_tap(layer: Any, size: tuple[int, ...]) -> Tap:
    """The tap of a layer whose `fan_out` the user gave."""
    try:
        full(layer.fan_out, size)
    except ValueError as error:
        raise ValueError(
            f"`fan_out` of layer '{layer.name}' must broadcast against its features "
            f"{size}. Received: fan_out of shape {layer.fan_out.shape}."
        ) from error
    if layer.fan_out.ndim == 0:
        return uniform(float(layer.fan_out), size)
    missing = len(size) - layer.fan_out.ndim
    return Tap(
        compact(layer.fan_out.reshape((1,) * missing + layer.fan_out.shape)), size
    )


def given_site(layer: Any) -> Site:
    """The site of a layer in a subclassed model, from its own arguments."""
    if layer.fan_out is None:
        raise ValueError(
            f"Layer '{layer.name}' is in a subclassed model, which has no graph to "
            "count synapses in. Remedy: pass `fan_out`, the synapses that leave each "
            "neuron, and `time_steps`, or build the model from keras.Input."
        )
    if not layer.built or layer.feature_shape is None:
        raise ValueError(
            f"Layer '{layer.name}' is not built, so the number of its neurons is not "
            "known. Remedy: call the model once on data first."
        )
    size = layer.feature_shape
    return Site(
        layer=layer,
        name=layer.name,
        position=0,
        index=0,
        size=size,
        steps=layer.steps or 1,
        taps=(given_tap(layer, size),),
    )


def _emits(layer: Any) -> bool:
    return bool(getattr(layer, "emits_events", False))


def _numbered(call: Call) -> str:
    return call.name if call.index == 0 else f"{call.name}:{call.index}"


def _static(call: Call, edge: Edge) -> tuple[int, ...]:
    if None in edge.features:
        raise ValueError(
            f"The synapses at layer '{call.name}' cannot be counted: the size of its "
            "tensor is not known. Remedy: give `keras.Input` a full shape. "
            f"Received: shape={edge.shape}."
        )
    return tuple(int(n) for n in edge.features if n is not None)


def _broadcastable(call: Call, psi: Any, size: tuple[int, ...]) -> np.ndarray:
    psi = np.asarray(psi, "float64")
    psi = psi.reshape((1,) * (len(size) - psi.ndim) + psi.shape)
    if np.broadcast_shapes(psi.shape, size) != size:
        raise ValueError(
            f"The fan-out rule of layer '{call.name}' must return an array that "
            f"broadcasts against {size}. Received: shape={psi.shape}."
        )
    return psi
