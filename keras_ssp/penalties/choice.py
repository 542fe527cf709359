"""Which spiking layers a penalty is put on, and with which factors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from keras_ssp._checks import did_you_mean, real, shown
from keras_ssp.layers import SpikingLayer
from keras_ssp.penalties.family import SpikePenalty

#: Names or layers, or a table of names and factors.
Chosen: TypeAlias = Iterable[str | SpikingLayer] | Mapping[str, float]


def chosen_layers(
    spiking: Sequence[SpikingLayer], chosen: Chosen, penalty: SpikePenalty | None
) -> dict[int, float]:
    """Identity of each chosen layer to its factor.

    Args:
        spiking: The spiking layers of the model.
        chosen: What `layers` is given as.
        penalty: The penalty that is put on them.

    Raises:
        ValueError: If it names none, no spiking layer, or several of one name; if a
            factor is not above 0; or if the penalty is one of the whole network.
    """
    if penalty is None:
        raise ValueError(
            "`layers` must be left out where the penalty is taken away. Received: "
            "penalty=None."
        )
    if type(penalty).combined is not SpikePenalty.combined:
        raise ValueError(
            f"`layers` must be left out with {type(penalty).__name__}, which weighs "
            f"the sum over the whole network. Received: layers={shown(chosen)}."
        )
    if isinstance(chosen, str) or not isinstance(chosen, Iterable):
        raise ValueError(
            "`layers` must be a list of names or layers, or a table of names and "
            f"factors. Received: layers={shown(chosen)}."
        )
    if isinstance(chosen, Mapping):
        given = [(k, real(f"layers[{k!r}]", v, above=0.0)) for k, v in chosen.items()]
    else:
        given = [(each, 1.0) for each in chosen]
    if not given:
        raise ValueError("`layers` must name at least one layer. Received: none.")
    return {id(_layer(spiking, each)): factor for each, factor in given}


def _layer(spiking: Sequence[SpikingLayer], wanted: object) -> SpikingLayer:
    names = [layer.name for layer in spiking]
    found = [k for k in spiking if k is wanted or k.name == wanted]
    if len(found) != 1:
        rule = "one spiking layer of the model" if not found else "one layer"
        raise ValueError(
            f"`layers` must name {rule} each ({', '.join(names)}). Received: "
            f"{shown(wanted)}.{'' if found else did_you_mean(wanted, names)}"
        )
    return found[0]
