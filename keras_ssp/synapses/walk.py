"""The graph walk behind psi: from each synapse back along the routes to the spikes.

In `LIF -> AveragePooling2D(2) -> Conv2D`, the walk starts at the convolution with a tap
on its input, which the rule of the pooling draws back to a tap on the neurons: each
neuron is an event at every synapse that its pooled cell feeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from keras_ssp.graph import Call, Edge, Graph, timeline
from keras_ssp.layers import SpikingLayer
from keras_ssp.synapses.registry import Rule, SynapseRule, rule_for
from keras_ssp.synapses.sites import Site, Synapses, Weighted, given_tap
from keras_ssp.synapses.taps import Tap, compact, merge
from keras_ssp.types import Array, Operation, Sizes


class Walk:
    """One walk over one graph; `run` returns what it found."""

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
                    "count does not allow. Remedy: move it before the spiking "
                    "layer, or register a rule with "
                    "`keras_ssp.synapses.register_route`."
                )
            # What a synapse puts out is analogue, whatever drives it; a route hands
            # on what it gets, and a sum of both kinds is a mixture.
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
            if _emits(call.layer):
                layers += self._own_synapses(call)
                continue
            rule = self._rule(call)
            if rule.kind == "synapse":
                layers.append(self._synapse(call, rule, rule.apply))
        # Only now: psi of a site is complete when every synapse was walked back.
        sites = [self._site(call) for call in self.graph.calls if _emits(call.layer)]
        steps = [s for s in self.states.values() if s is not None]
        return Synapses(tuple(sites), tuple(layers), max(steps, default=1))

    def _own_synapses(self, call: Call) -> list[Weighted]:
        """The synapses inside a spiking layer: its input's, and recurrent ones."""
        rule = rule_for(call.layer)
        if rule is None or rule.kind != "synapse":
            self._check_weightless(call)
            return []
        found = []
        if rule.inputs is not None:
            found.append(self._synapse(call, rule, rule.inputs))
        # The neurons' own spikes drive these, so no walk is needed: the tap is theirs.
        edge = call.outputs[0]
        size = _static(call, edge)
        tap = Tap(compact(_broadcastable(call, rule.apply(call), size)), size)
        self.taps.setdefault(edge, []).append(tap)
        position = self.positions[call]
        found.append(
            Weighted(
                layer=call.layer,
                name=_numbered(call),
                position=position,
                dense=tap.total,
                macs=0.0,
                steps=self.states[edge] or 1,
                inputs=math.prod(size),
                outputs=math.prod(size),
                drivers=frozenset({position}),
            )
        )
        return found

    def _check_weightless(self, call: Call) -> None:
        layer = call.layer
        if not isinstance(layer, SpikingLayer) or layer.fan_out is not None:
            return
        weights = layer.synaptic_weights()
        if weights:
            raise ValueError(
                f"Spiking layer '{call.name}' of type {type(layer).__name__} has "
                f"weights of its own ({', '.join(w.name for w in weights)}) and no "
                "fan-out rule, so what its spikes trigger inside it cannot be counted. "
                "Remedy: register one with `keras_ssp.synapses.register_synapse`, or "
                "pass `fan_out`."
            )

    def _synapse(self, call: Call, rule: Rule, psi: SynapseRule) -> Weighted:
        edge = call.inputs[0]
        size = _static(call, edge)
        tap = Tap(compact(_broadcastable(call, psi(call), size)), size)
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
                "values before a synapse, so its operations are neither "
                "accumulates of events nor plain multiply-accumulates. Remedy: let "
                "the analogue branch pass through a spiking layer, or add it after "
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


def _emits(layer: Operation) -> bool:
    return bool(getattr(layer, "emits_events", False))


def _numbered(call: Call) -> str:
    return call.name if call.index == 0 else f"{call.name}:{call.index}"


def _static(call: Call, edge: Edge) -> Sizes:
    if None in edge.features:
        raise ValueError(
            f"The synapses at layer '{call.name}' cannot be counted: the size of its "
            "tensor is not known. Remedy: give `keras.Input` a full shape. "
            f"Received: shape={edge.shape}."
        )
    return tuple(int(n) for n in edge.features if n is not None)


def _broadcastable(call: Call, psi: Array, size: Sizes) -> Array:
    psi = np.asarray(psi, "float64")
    psi = psi.reshape((1,) * (len(size) - psi.ndim) + psi.shape)
    if np.broadcast_shapes(psi.shape, size) != size:
        raise ValueError(
            f"The fan-out rule of layer '{call.name}' must return an array that "
            f"broadcasts against {size}. Received: shape={psi.shape}."
        )
    return psi
