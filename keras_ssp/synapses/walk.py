"""The graph walk behind psi: from each synapse back along the routes to the spikes.

In `LIF -> AveragePooling2D(2) -> Conv2D`, the walk starts at the convolution with a tap
on its input, which the rule of the pooling draws back to a tap on the neurons: each
neuron is an event at every synapse that its pooled cell feeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from keras_ssp.graph import Call, Edge, Graph, timeline
from keras_ssp.layers import SpikingLayer
from keras_ssp.synapses.gates import Gate, GateReader, is_gate
from keras_ssp.synapses.refusals import check_inside, rule_of, turns_analogue
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
        self.consumers = graph.consumers()
        self.taps: dict[Edge, list[Tap]] = {}
        self.drivers: set[int] = set()
        self.positions = {call: k for k, call in enumerate(graph.calls)}
        self.rules: dict[Call, Rule] = {}
        self.gates: dict[Call, Gate] = {}
        self._carry()

    def _carry(self) -> None:
        """Marks which tensors carry events, analogue values, or both."""
        self.events: dict[Edge, bool] = dict.fromkeys(self.graph.inputs, False)
        self.analogue: dict[Edge, bool] = dict.fromkeys(self.graph.inputs, True)
        reader = GateReader(self.graph, self.events, self.rules)
        for call in self.graph.calls:
            if _emits(call.layer):
                for k, edge in enumerate(call.outputs):  # output 1 is the potential
                    self.events[edge], self.analogue[edge] = k == 0, k > 0
                continue
            check_inside(call)
            spikes = any(self.events[edge] for edge in call.inputs)
            rule = self.rules[call] = rule_of(call)
            if rule.kind == "analogue" and spikes:
                raise turns_analogue(call, rule)
            if spikes and is_gate(call, rule):
                self.gates[call] = reader.read(call)
            # What a synapse puts out is analogue, whatever drives it; a route hands
            # on what it gets, and a sum of both kinds is a mixture.
            route = rule.kind == "route"
            analogue = any(self.analogue[edge] for edge in call.inputs)
            for edge in call.outputs:
                self.events[edge] = route and spikes
                self.analogue[edge] = not route or analogue

    def run(self) -> Synapses:
        layers = []
        for call in self.graph.calls:
            if _emits(call.layer):
                layers += self._own_synapses(call)
                continue
            rule = self.rules[call]
            if rule.kind == "synapse":
                layers.append(self._synapse(call, rule, rule.apply))
            elif rule.macs is not None:
                layers.append(self._products(call, rule.macs(call)))
        # Only now: psi of a site is complete when every synapse was walked back.
        made = [c for c in self.graph.calls if _emits(c.layer) or c in self.gates]
        return Synapses(
            tuple(map(self._site, made)),
            tuple(layers),
            max((s for s in self.states.values() if s is not None), default=1),
            timeline.folded_by_caller(self.graph) is not None,
            tuple(self._not_counted()),
        )

    def _not_counted(self) -> Iterator[str]:
        for call, rule in self.rules.items():
            if rule.note:
                yield f"{call.name}: {rule.note}"
            elif rule.kind in ("analogue", "end") and rule.macs is None:
                weights = getattr(call.layer, "weights", ())
                count = sum(math.prod(w.shape) for w in weights)
                if count and not rule.free:
                    yield (
                        f"{call.name}: registered as analogue without `macs`, so what "
                        f"its {count} weights cost is NOT counted"
                    )

    def _products(self, call: Call, macs: float) -> Weighted:
        """A layer or operation that multiplies analogue values."""
        edge = call.inputs[0]
        steps = self.states[edge] or 1
        return Weighted(
            layer=call.layer,
            name=call.numbered_name,
            position=self.positions[call],
            dense=macs,
            macs=macs * steps,
            steps=steps,
            inputs=max(_elements(edge), 1),
            outputs=_elements(call.outputs[0]),
            drivers=frozenset(),
        )

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
                name=call.numbered_name,
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
            name=call.numbered_name,
            position=self.positions[call],
            dense=tap.total + extra,
            macs=macs * steps,
            steps=steps,
            inputs=math.prod(size),
            outputs=_outputs(call),
            drivers=frozenset(self.drivers),
        )

    def _pull(self, edge: Edge, tap: Tap) -> float:
        """Draws a tap back to the spikes; returns what analogue elements cost."""
        if not self.events[edge]:
            return tap.total
        call, output = self.producers[edge]
        if _emits(call.layer) or call in self.gates:
            self.taps.setdefault(edge, []).append(tap)
            self.drivers.add(self.positions[call])
            return 0.0
        rule = self.rules[call]
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
            name=call.numbered_name,
            position=self.positions[call],
            index=call.index,
            size=size,
            steps=steps,
            taps=tuple(taps),
            notes=tuple(self._notes(edge, bool(taps))),
            gate=self.gates.get(call),
        )

    def _notes(self, edge: Edge, driving: bool) -> Iterator[str]:
        readers = self.consumers.get(edge, [])
        onward = [r.name for r in readers if self._reaches_neuron(r)]
        if not driving and not onward:
            unread = not readers and edge not in self.graph.outputs
            yield (
                "its spikes are not read: 0 SynOps"
                if unread
                else "drives no synapse (output neurons): 0 SynOps"
            )
        if onward:
            yield (
                f"shortcut without weights into neurons through {', '.join(onward)}: "
                "no synapse, 0 SynOps"
            )

    def _reaches_neuron(self, call: Call) -> bool:
        """Whether spikes get through a call into a neuron or a gate, or it is one."""
        if _emits(call.layer) or call in self.gates:
            return True
        spikes = [edge for edge in call.outputs if self.events[edge]]
        readers = [r for edge in spikes for r in self.consumers.get(edge, [])]
        return any(map(self._reaches_neuron, readers))


def _emits(layer: Operation) -> bool:
    return bool(getattr(layer, "emits_events", False))


def _elements(edge: Edge) -> int:
    """Elements of a tensor for one row; axes of unknown size left out."""
    return math.prod(int(n) for n in edge.features if n is not None)


def _outputs(call: Call) -> int:
    """Elements of a call's output for one row."""
    edge, equation = call.outputs[0], getattr(call.layer, "equation", None)
    if None not in edge.features or equation is None:
        return _elements(edge)
    # `EinsumDense(..., output_shape=(None, 8))`: the labels say what Keras does not.
    inputs, rest = equation.replace(" ", "").split(",")
    kernel, outputs = rest.split("->")
    sizes = dict(zip(kernel, call.layer.kernel.shape, strict=True))
    sizes |= dict(zip(reversed(inputs), reversed(call.inputs[0].shape), strict=False))
    return math.prod(int(sizes.get(label) or 1) for label in outputs)


def _static(call: Call, edge: Edge) -> Sizes:
    if None in edge.features:
        raise ValueError(
            f"The synapses at layer '{call.name}' cannot be counted: the size of its "
            "tensor is not known. Remedy: give `keras.Input` a full shape, and "
            "`output_shape` in full to layers that take one. "
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
