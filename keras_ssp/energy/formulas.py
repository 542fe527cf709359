"""How an energy model turns operation counts into energy.

Every energy is in pJ and every count is per sample. The constants of the models that
come with the package are in `hardware.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from keras_ssp._checks import shown
from keras_ssp.types import Config

SPIKING = "spiking"
ANALOGUE = "analogue"


def non_negative(name: str, value: object) -> float:
    """Returns `value` as a float, or says that `name` is not a finite number >= 0."""
    try:
        number = math.nan if isinstance(value, bool | np.bool_ | str) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(
            f"`{name}` must be a finite number >= 0. Received: {name}={shown(value)}."
        )
    return number


@dataclass(frozen=True, kw_only=True)
class LayerCounts:
    """What one layer does for one sample.

    All counts are finite numbers of at least 0.

    Args:
        kind: `"spiking"` (its output are spikes) or `"analogue"`.
        synops: Accumulates that its spikes trigger, `sum_t sum_i psi_i s_i[t]`.
        macs: Multiply-accumulates of the synapses it drives with analogue values.
        neurons: Its neurons; of an analogue row, the values it feeds in.
        updates: Neuron updates, `neurons * T`; of an analogue row, values written.
        spikes: Spikes it emits.
        weights: Weight values that its synapses read from.
        fan_out: Mean number of synapses that leave one neuron.
        targets: Neurons that its synapses write to. Defaults to `neurons`.

    Raises:
        ValueError: If `kind` is unknown or a count is negative or not finite.
    """

    kind: str
    synops: float = 0.0
    macs: float = 0.0
    neurons: int = 0
    updates: float = 0.0
    spikes: float = 0.0
    weights: int = 0
    fan_out: float = 0.0
    targets: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in (SPIKING, ANALOGUE):
            raise ValueError(
                f"`kind` must be 'spiking' or 'analogue'. Received: kind={self.kind!r}."
            )
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if value is None or (isinstance(value, float) and not math.isfinite(value)):
                continue  # of a network that has diverged: it stays to be seen
            non_negative(field.name, value)


@dataclass(frozen=True, kw_only=True)
class EnergyModel:
    """Price of the arithmetic alone, the model of the paper's Theorem 3.4.

    `E_l = ac_pj * synops_l + mac_pj * macs_l`, and nothing else: the energy of a
    spiking layer is exactly proportional to its synaptic penalty.

    Args:
        name: Name it is found by, not empty.
        ac_pj: Energy of one accumulate, in pJ; a finite number of at least 0.
        mac_pj: Energy of one multiply-accumulate, in pJ; the same.
        description: One line for people.
        source: Where the constants come from.

    Raises:
        ValueError: If the name is empty, or a constant is negative or not finite.

    Example:

    >>> model = EnergyModel(name="mine", ac_pj=0.5, mac_pj=2.0)
    >>> model.layer_energy(LayerCounts(kind="spiking", synops=1000))
    500.0

    Reference:
        Suetake et al., Spiking Synaptic Penalty, arXiv 2302.01500 (2023).
    """

    kind: ClassVar[str] = "arithmetic"

    name: str
    ac_pj: float
    mac_pj: float
    description: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(
                f"`name` must be a non-empty string. Received: name={self.name!r}."
            )
        for field in fields(self):
            if field.name.endswith("_pj"):
                value = non_negative(field.name, getattr(self, field.name))
                object.__setattr__(self, field.name, value)

    @property
    def overhead_pj(self) -> float:
        """Energy that one MAC of a dense ANN costs besides its arithmetic, in pJ."""
        return 0.0

    def layer_energy(self, counts: LayerCounts) -> float:
        """Energy of one layer for one sample, in pJ."""
        return self.ac_pj * counts.synops + self.mac_pj * counts.macs

    def dense_ann_pj(self, macs: float) -> float:
        """Energy of the ANN of the same shape that executes every MAC, in pJ."""
        return non_negative("macs", macs) * (self.mac_pj + self.overhead_pj)

    def bit_matched_ann_pj(self, macs: float, time_steps: int) -> float:
        """Energy of the quantised ANN that carries as much information, in pJ.

        T binary steps tell T + 1 rates apart, as `b = ceil(log2(T + 1))` bits do, so
        the fair opponent is an ANN with b-bit activations (Yan et al.). The price of
        its MAC is our own model: a b-bit activation times a weight, done
        bit-serially, is b accumulates, and never costs more than a full MAC:
        `macs * min(b * ac_pj, mac_pj)`. Every bit counts as set, so the ANN's own
        sparsity is not credited to it.

        Args:
            macs: MACs of the ANN, per sample.
            time_steps: T, an integer >= 1.

        Raises:
            ValueError: If `macs` is negative or `time_steps` no integer >= 1.

        Reference:
            Yan, Bai, Tang, Wong, Reconsidering the energy efficiency of spiking
            neural networks, arXiv 2409.08290 (2024).
        """
        macs = non_negative("macs", macs)
        mac = min(activation_bits(time_steps) * self.ac_pj, self.mac_pj)
        return macs * (mac + self.overhead_pj)

    def to_dict(self) -> Config:
        """Returns a JSON-ready config that `get` turns back into an equal model."""
        config: Config = {"kind": self.kind}
        return config | {f.name: getattr(self, f.name) for f in fields(self)}


def activation_bits(time_steps: int) -> int:
    """Bits that tell T + 1 spike counts apart: `ceil(log2(T + 1))`.

    Example:

    >>> [activation_bits(steps) for steps in (1, 3, 4, 7, 8)]
    [1, 2, 3, 3, 4]
    """
    if isinstance(time_steps, bool) or time_steps % 1 != 0 or time_steps < 1:
        raise ValueError(
            "`time_steps` must be an integer >= 1. "
            f"Received: time_steps={time_steps!r}."
        )
    return int(time_steps).bit_length()  # exact where log2 in floats is not


@dataclass(frozen=True, kw_only=True)
class NeuromorphicEnergyModel(EnergyModel):
    """A chip priced per synaptic event and per neuron update.

    `E_l = ac_pj * synops + active_pj * spikes + inactive_pj * (updates - spikes)
    + mac_pj * macs`. An update counts as active when the neuron fires in it: the
    counts do not say which silent neurons received input, so where the two prices
    differ this is a lower bound. Spike routing is left out (it depends on placement).

    Such chips have no MAC unit: `mac_pj` is the price of one synaptic event, so
    that analogue synapses and the dense ANN read as "every synapse, one event".

    Args:
        active_pj: Energy of a neuron update that emits a spike, in pJ.
        inactive_pj: Energy of a neuron update that does not, in pJ.
    """

    kind: ClassVar[str] = "neuromorphic"

    active_pj: float
    inactive_pj: float

    def layer_energy(self, counts: LayerCounts) -> float:
        energy = super().layer_energy(counts)
        if counts.kind == ANALOGUE:
            return energy
        quiet = max(counts.updates - counts.spikes, 0.0)
        return energy + self.active_pj * counts.spikes + self.inactive_pj * quiet


# SRAM, 45 nm: (bytes, pJ for one access), Horowitz, ISSCC 2014, Figure 1.1.9: cache,
# 64 bit, 8 kB 10 pJ, 32 kB 20 pJ, 1 MB 100 pJ. Lemaire et al. fit the same points.
_SRAM_PJ = ((8 * 1024, 10.0), (32 * 1024, 20.0), (1024 * 1024, 100.0))
_WORD_BYTES = 4  # 32-bit values; as in Lemaire et al., one access fetches one value


def sram_access_pj(size_bytes: float) -> float:
    """Energy of one access to a 45 nm SRAM of the given size, in pJ.

    Linear between Horowitz's points; never below the smallest memory; above 1 MB the
    last slope goes on (a larger memory would be DRAM, which costs more).

    Example:

    >>> [sram_access_pj(kib * 1024) for kib in (1, 8, 20, 32, 1024)]
    [10.0, 10.0, 15.0, 20.0, 100.0]
    """
    size = max(non_negative("size_bytes", size_bytes), _SRAM_PJ[0][0])
    (x0, y0), (x1, y1) = _SRAM_PJ[:2] if size <= _SRAM_PJ[1][0] else _SRAM_PJ[1:]
    return y0 + (y1 - y0) * (size - x0) / (x1 - x0)


@dataclass(frozen=True, kw_only=True)
class MemoryEnergyModel(EnergyModel):
    """Arithmetic, memory accesses and addressing, after Lemaire et al.

    With `R(n)` the energy of one access to an SRAM that holds n 32-bit values:

    ```
    spiking:
      E_ops  = ac * (synops + updates + spikes) + mac * updates
      E_mem  = R(weights) * synops                        weights
             + 2 * (R(targets) * synops                   potentials, read and write
                    + R(neurons) * updates)
             + 2 * R(1) * spikes                          spikes through a FIFO
      E_addr = mac * 2 * spikes + ac * synops
    analogue:
      E_ops  = mac * macs
      E_mem  = (R(weights) + R(neurons)) * macs + R(targets) * updates
      E_addr = ac * (neurons + updates + weights)
    ```

    Their equations 1-17, read from the group's code (LEAT-EDGE/qualia-plugin-snn, not
    the paper itself), with synops in place of each layer type's own product, so that
    borders count exactly. What we chose: every neuron leaks (the `mac * updates`), a
    dense layer pays the two address MACs of a convolution per spike, biases are
    folded and not read, and `R` interpolates where they fit a line.

    A dense ANN pays its MAC and two reads from the smallest memory (its memory sizes
    are not known to the model), so the comparison leans towards the ANN.

    Reference:
        Lemaire, Cordone, Castagnetti, Novac, Courtois, Miramond, An Analytical
        Estimation of Spiking Neural Networks Energy Efficiency, arXiv 2210.13107
        (ICONIP 2022).
    """

    kind: ClassVar[str] = "memory"

    @property
    def overhead_pj(self) -> float:
        return 2 * sram_access_pj(0)

    def layer_energy(self, counts: LayerCounts) -> float:
        c = counts
        targets = c.neurons if c.targets is None else c.targets
        weight, own, target = (
            sram_access_pj(values * _WORD_BYTES)
            for values in (c.weights, c.neurons, targets)
        )
        energy = c.macs * (self.mac_pj + weight + own)
        if c.kind == ANALOGUE:
            address = self.ac_pj * (c.neurons + c.updates + c.weights)
            # An analogue row can still hold spikes' accumulates (a mixed sum).
            events = c.synops * (self.ac_pj + weight)
            return energy + events + target * c.updates + address
        operations = self.ac_pj * (c.synops + c.updates + c.spikes)
        operations += self.mac_pj * c.updates
        memory = c.synops * (weight + 2 * target) + 2 * own * c.updates
        memory += 2 * sram_access_pj(0) * c.spikes
        address = 2 * self.mac_pj * c.spikes + self.ac_pj * c.synops
        return energy + operations + memory + address
