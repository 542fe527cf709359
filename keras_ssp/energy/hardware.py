"""Energy models by name: what one operation costs, and where that number comes from.

| name | accumulate, MAC (pJ) | also counts |
|---|---|---|
| `cmos45` | 0.9, 4.6 | |
| `cmos45_fp16` | 0.4, 1.5 | |
| `cmos45_int8` | 0.03, 0.23 | |
| `lemaire2022` | 0.1, 3.2 | memory accesses, addressing |
| `loihi` | 23.6 | neuron updates |
| `spinnaker` | 13300 | neuron updates |
| `spinnaker2` | 450 | neuron updates |

They are estimates from operation counts; none is a measurement of your network on a
chip.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from dataclasses import fields
from typing import TypeAlias

from keras_ssp._config_file import read_config
from keras_ssp._registry import Registry
from keras_ssp.energy.formulas import (
    EnergyModel,
    LayerCounts,
    MemoryEnergyModel,
    NeuromorphicEnergyModel,
    activation_bits,
    sram_access_pj,
)
from keras_ssp.types import Config, Table

__all__ = [
    "EnergyModel",
    "EnergyModelLike",
    "LayerCounts",
    "MemoryEnergyModel",
    "NeuromorphicEnergyModel",
    "activation_bits",
    "get",
    "names",
    "register_energy_model",
    "sram_access_pj",
]

#: A registered name, a model, or its prices as `EnergyModel.to_dict` writes them.
EnergyModelLike: TypeAlias = str | EnergyModel | Table

_MODELS: Registry[EnergyModel] = Registry(
    "energy_model", also="an EnergyModel, or a dict with 'ac_pj' and 'mac_pj'"
)
# The classes, by what configs call them.
_KINDS: Registry[type[EnergyModel]] = Registry("kind")


def register_energy_model(
    model: EnergyModel, *, overwrite: bool = False
) -> EnergyModel:
    """Makes an energy model available by its name.

    Args:
        model: The model; its name has no spaces. A subclass sets a `kind` of its own,
            by which `get` finds the class of a saved config.
        overwrite: Whether it may replace a model of the same name. Defaults to
            `False`.

    Returns:
        `model`.

    Raises:
        ValueError: If the name, or the `kind` of another class, is taken.

    Example:

    >>> _ = register_energy_model(EnergyModel(name="mine", ac_pj=0.5, mac_pj=2.0))
    >>> get("mine").ac_pj
    0.5
    """
    if not isinstance(model, EnergyModel):
        raise ValueError(f"`model` must be an EnergyModel. Received: model={model!r}.")
    held = _KINDS.find(model.kind)
    if held is not None and _path(held) != _path(type(model)):
        raise ValueError(
            f"`model` must have a `kind` of its own: {model.kind!r} belongs to "
            f"{held.__name__}. Received: model={model!r}."
        )
    _MODELS.add((model.name,), model, overwrite=overwrite)
    # A class that a notebook's cell defines again takes the place of the first one.
    _KINDS.add((model.kind,), type(model), overwrite=True)
    return model


def _path(cls: type[EnergyModel]) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def names() -> tuple[str, ...]:
    """Names of the registered energy models.

    Example:

    >>> names()[0]
    'cmos45'
    """
    return _MODELS.names()


def get(identifier: EnergyModelLike) -> EnergyModel:
    """Returns an energy model.

    Args:
        identifier: A registered name, an `EnergyModel`, or a mapping with at least
            `ac_pj` and `mac_pj` (`kind` and `name` default to `"arithmetic"` and
            `"custom"`), such as `EnergyModel.to_dict` returns; a price
            `neuron_update_pj` makes it a `NeuromorphicEnergyModel`. Or the path of a
            `.toml` or `.json` file that holds such a mapping, named after the file.

    Raises:
        ValueError: If the name, the kind or a key is unknown, or a constant is
            missing, negative or not finite.
        OSError: If the file cannot be read.

    Example:

    >>> get("cmos45").ac_pj, get({"ac_pj": 0.1, "mac_pj": 1.0}).name
    (0.9, 'custom')
    """
    if isinstance(identifier, EnergyModel):
        return identifier
    if isinstance(identifier, Mapping):
        return _from_config(dict(identifier))
    if str(identifier).endswith((".toml", ".json")):
        path = pathlib.Path(str(identifier))
        if not path.is_file():
            raise FileNotFoundError(
                "`energy_model` must be a name, or a file of prices. Received: "
                f"energy_model={str(identifier)!r}, which does not exist."
            )
        return _from_config({"name": path.stem, **read_config(path)})
    found = _MODELS.find(identifier)
    if found is None:
        raise ValueError(_MODELS.unknown(identifier))
    return found


def _from_config(config: Config) -> EnergyModel:
    received = dict(config)
    if "neuron_update_pj" in config:  # one price, whether the neuron fires or not
        price = config.pop("neuron_update_pj")
        prices = {"active_pj": price, "inactive_pj": price}
        config = {"kind": NeuromorphicEnergyModel.kind, **prices, **config}
    kind = config.pop("kind", EnergyModel.kind)
    cls = _KINDS.find(kind)
    if cls is None:
        raise ValueError(
            f"`kind` must be one of {', '.join(map(repr, _KINDS.names()))}. "
            f"Received: energy_model={received!r}."
        )
    config.setdefault("name", "custom")
    known = [field.name for field in fields(cls)]
    wanted = [name for name in known if name.endswith("_pj")]
    if set(config) - set(known) or set(wanted) - set(config):
        raise ValueError(
            f"`energy_model` must have the keys {wanted}, and may have "
            f"{sorted(set(known) - set(wanted))}. Received: energy_model={received!r}."
        )
    return cls(**config)


# The source of the 45 nm numbers, in pJ at 0.9 V. Checked against copies of it:
# 32 bit in PMC8934428 Table 3, int8 in LEAT-EDGE/qualia-plugin-snn, fp16 in
# stillwater-sc/esim.
#   add: int8 0.03, int32 0.1, fp16 0.4, fp32 0.9
#   mult: int8 0.2, int32 3.1, fp16 1.1, fp32 3.7
_HOROWITZ = (
    "Horowitz, Computing's Energy Problem (and what we can do about it), ISSCC 2014"
)
_HOEPPNER = (
    "Hoeppner et al., Dynamic Power Management for Neuromorphic Many-Core Systems, "
    "IEEE TCAS-I 66 (2019), arXiv 1903.08941, as quoted by KerasSpiking's ModelEnergy"
)

register_energy_model(
    EnergyModel(
        name="cmos45",
        ac_pj=0.9,  # fp32 add
        mac_pj=4.6,  # fp32 mult 3.7 + add 0.9
        description="45 nm CMOS, 32-bit float arithmetic",
        source=_HOROWITZ,
    )
)
register_energy_model(
    EnergyModel(
        name="cmos45_fp16",
        ac_pj=0.4,  # fp16 add
        mac_pj=1.5,  # fp16 mult 1.1 + add 0.4
        description="45 nm CMOS, 16-bit float arithmetic",
        source=_HOROWITZ,
    )
)
register_energy_model(
    EnergyModel(
        name="cmos45_int8",
        ac_pj=0.03,  # int8 add; a 32-bit accumulator would cost 0.1
        mac_pj=0.23,  # int8 mult 0.2 + add 0.03
        description="45 nm CMOS, 8-bit integer arithmetic, 8-bit accumulator",
        source=_HOROWITZ,
    )
)
register_energy_model(
    MemoryEnergyModel(
        name="lemaire2022",
        ac_pj=0.1,  # int32 add, the arithmetic of Lemaire et al.
        mac_pj=3.2,  # int32 mult 3.1 + add 0.1
        description="45 nm CMOS, 32-bit integers, with SRAM accesses and addressing",
        source=f"Lemaire et al., ICONIP 2022, arXiv 2210.13107; constants: {_HOROWITZ}",
    )
)
register_energy_model(
    NeuromorphicEnergyModel(
        name="loihi",
        # Davies et al. 2018, Table 2, from pre-silicon SPICE simulation at 0.75 V;
        # checked against the copy of the table in SANA-FE, the Loihi simulator.
        ac_pj=23.6,  # synaptic operation, the minimum they give
        mac_pj=23.6,  # no MAC unit: one synaptic operation
        active_pj=81.0,  # neuron update, active
        inactive_pj=52.0,  # neuron update, inactive
        description="Intel Loihi, 14 nm, pre-silicon simulation, without routing",
        source="Davies et al., Loihi, IEEE Micro 38(1) 82-99 (2018), Table 2",
    )
)
# SpiNNaker's numbers are second-hand: we did not get to read the paper's tables, only
# KerasSpiking's copy of them. Others differ widely. SpiNNaker2: 1.5 nJ per event in
# another library's copy, 10 pJ in Tang et al., Front. Neurosci. 17:1187252 (2023),
# Table 3, which also has 45 pJ for SpiNNaker. Read them as orders of magnitude.
register_energy_model(
    NeuromorphicEnergyModel(
        name="spinnaker",
        ac_pj=13_300.0,  # 13.3 nJ per synaptic event
        mac_pj=13_300.0,  # software on ARM cores: one synaptic event
        active_pj=26_000.0,  # 26 nJ per neuron update, firing or not
        inactive_pj=26_000.0,
        description="SpiNNaker, 130 nm, order of magnitude",
        source=_HOEPPNER,
    )
)
register_energy_model(
    NeuromorphicEnergyModel(
        name="spinnaker2",
        ac_pj=450.0,  # 450 pJ per synaptic event
        mac_pj=450.0,  # software on ARM cores: one synaptic event
        active_pj=2_190.0,  # 2.19 nJ per neuron update, firing or not
        inactive_pj=2_190.0,
        description="SpiNNaker2 prototype, 28 nm, order of magnitude",
        source=_HOEPPNER,
    )
)
