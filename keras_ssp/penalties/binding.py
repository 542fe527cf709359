"""`penalize`: puts a penalty on the spiking layers of a model."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Mapping, Sequence

import keras

from keras_ssp import graph
from keras_ssp._checks import real, shown
from keras_ssp.graph import timeline
from keras_ssp.layers import SpikingLayer
from keras_ssp.penalties.bound import BoundPenalty
from keras_ssp.penalties.choice import Chosen, chosen_layers
from keras_ssp.penalties.family import SpikePenalty
from keras_ssp.penalties.terms import Terms, make_terms, running_terms
from keras_ssp.synapses.analysis import analyze
from keras_ssp.synapses.gates import Key
from keras_ssp.synapses.sites import given_site
from keras_ssp.synapses.taps import Tap


def penalize(
    model: keras.Model, penalty: SpikePenalty | None, *, layers: Chosen | None = None
) -> keras.Model:
    """Puts a penalty on the spiking layers of a model, or takes it away.

    Each layer then adds its part of `lambda * Omega` to the loss of `fit` and
    `evaluate`. lambda lives in the layers' non-trainable `penalty_weight`, so
    schedules and tuners can move it (`set_penalty_weight`). The penalty is saved,
    loaded and cloned with the model.

    Args:
        model: Sequential, Functional or subclassed model. In a subclassed model
            every `LIF` must have been given `fan_out`.
        penalty: The penalty; it replaces any that was there. `None` removes it.
        layers: The spiking layers that it is put on, as names or layers; the others
            have none then. Or a table of names and factors above 0, by which Omega of
            each is multiplied in the sum: `{"lif1": 1.0, "lif2": 0.5}`. With
            `normalize=True` the largest possible value is that of this sum. Defaults
            to all, each with the factor 1, which makes the synaptic penalty
            proportional to the energy.

    Returns:
        `model`, for chaining.

    Raises:
        TypeError: If `penalty` is not a `SpikePenalty`.
        ValueError: If the model has no spiking layer, none of them drives a synapse,
            or its synapses cannot be counted; if `layers` names one that is no spiking
            layer of the model, or chooses some for a penalty of the whole network
            (`SynOpsTarget`).

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dense(8), DirectEncoding(2), LIF(),
    ...     keras.layers.Dense(3), RateReadout()])
    >>> _ = penalize(model, SynapticPenalty(1e-3))
    """
    spiking = spiking_layers(model)
    if not spiking:
        raise ValueError(
            "`model` must have at least one spiking layer (keras_ssp.layers.LIF) to "
            f"be penalised. Received: model={model.name!r}."
        )
    factors = None if layers is None else chosen_layers(spiking, layers, penalty)
    bound = {} if penalty is None else bind(model, penalty, factors)
    _check_recomputed(model)
    _say_of_others(model, spiking, penalty)
    for layer in spiking:
        layer.bind_penalty(bound.get(id(layer)))
    graph.forget_compiled(model)
    return model


def spiking_layers(model: keras.Model) -> list[SpikingLayer]:
    """All spiking layers of a model.

    Raises:
        TypeError: If `model` is no Keras model.
    """
    return timeline.spiking_layers(graph.require_model(model))


def _say_of_others(
    model: keras.Model, layers: Sequence[SpikingLayer], penalty: SpikePenalty | None
) -> None:
    """Warns where a layer loses the penalty that another model put on it."""
    for layer in layers:
        bound = layer.bound_penalty
        if not isinstance(bound, BoundPenalty) or repr(bound.penalty) == repr(penalty):
            continue
        other = bound.owner()
        if other is None or other is model:
            continue
        if any(other is inner for inner in graph.inner_layers(model)):
            continue  # a part of this model: the whole of it is penalised anew
        warnings.warn(
            f"Layer '{layer.name}' is part of model '{other.name}' too, whose penalty "
            f"{bound.penalty!r} is replaced by {penalty!r} in it: a layer has one "
            "penalty, whatever model it runs in. Remedy: make the layer twice, or give "
            "both models the same penalty.",
            stacklevel=3,
        )
        return


def _check_recomputed(model: keras.Model) -> None:
    if keras.backend.backend() == "torch":
        return  # computed again, the loss keeps its gradient there
    inside = [k for k in graph.inner_layers(model) if isinstance(k, keras.Model)]
    for inner in (model, *inside):
        if graph.recomputed(inner) and timeline.spiking_layers(inner):
            raise ValueError(
                f"`model` must not have the model '{inner.name}' computed again in the "
                "backward pass (keras.RematScope): Keras would drop the gradient of "
                "the penalty inside. Remedy: name layers in the scope, not models; "
                "spiking layers are computed again in any case."
            )


def set_penalty_weight(model: keras.Model, weight: float) -> None:
    """Sets lambda on all penalised layers; takes effect without a new trace.

    Args:
        model: A model with a penalty.
        weight: lambda, a finite number of at least 0.

    Raises:
        ValueError: If the model has no penalty, or `weight` is below 0 or not finite.
    """
    weight = real("weight", weight, low=0.0)
    for layer in penalized_layers(model):
        layer.penalty_weight.assign(weight)


def penalty_weight(model: keras.Model) -> float:
    """lambda as it is now, the largest of the penalised layers."""
    return max(layer.penalty_weight_now for layer in penalized_layers(model))


def penalized_layers(model: keras.Model) -> list[SpikingLayer]:
    """The spiking layers that carry a penalty; an error if there is none."""
    layers = [k for k in spiking_layers(model) if k.bound_penalty is not None]
    if not layers:
        raise ValueError(
            "`model` has no penalty. Remedy: call "
            "`keras_ssp.penalize(model, SynapticPenalty(...))` first. "
            f"Received: model={model.name!r}."
        )
    return layers


def combined_omega(model: keras.Model, omegas: Mapping[Key, float]) -> float:
    """Omega of a whole model, what lambda multiplies in the loss.

    Args:
        model: The model.
        omegas: Omega of each place where events are made, in the order in which they
            run; those without a penalty may be there.
    """
    terms = current_terms(model)
    total, added = 0.0, dict[str, list[float]]()
    for layer in penalized_layers(model):
        bound = layer.bound_penalty
        mine = [key for key in omegas if key[0] == id(layer)]
        if not isinstance(bound, BoundPenalty):
            continue
        for key in mine:
            omega = omegas[key]
            if terms is not None:
                omega += sum(omegas[t.site.key] for t in terms.more.get(key, ()))
            calls = bound.calls if terms is None else terms.calls[bound.group]
            each = added.setdefault(bound.group, [])
            each.append(omega)
            total += bound.penalty.combined(each, calls) or 0.0
    return float(total)


def current_terms(model: keras.Model) -> Terms | None:
    """The terms of a model's penalty, read from its graph; `None` if it has no graph.

    Raises:
        ValueError: If its synapses cannot be counted.
    """
    inner = graph.functional(model)
    if inner is None:
        return None
    terms, error = running_terms(inner)
    if terms is None:
        raise ValueError(error)
    return terms


def bind(
    model: keras.Model,
    penalty: SpikePenalty,
    factors: Mapping[int, float] | None = None,
) -> dict[int, BoundPenalty]:
    """A penalty as it weighs each spiking layer; the model is left as it is.

    Args:
        model: The model.
        penalty: The penalty.
        factors: Identity of each penalised layer to its factor. Defaults to 1 for all.

    Returns:
        Identity of each layer to its `BoundPenalty`.

    Raises:
        TypeError: If `penalty` is not a `SpikePenalty`.
        ValueError: As for `penalize`.
    """
    terms = terms_of(model, penalty, factors)
    drives = any(site.taps for site in terms.sites if site.spiking or site.gate)
    if not drives or not any(term.taps for term in terms.at.values()):
        raise ValueError(
            "`model` must have a spiking layer that drives a synapse: its energy "
            f"is 0 otherwise. Received: model={model.name!r}."
        )
    group = uuid.uuid4().hex
    taps: dict[int, list[Sequence[Tap]]] = {}
    for site in sorted(terms.sites, key=lambda site: site.index):
        if site.spiking and site.key in terms.at:
            taps.setdefault(id(site.layer), []).append(terms.at[site.key].taps)
    (calls,) = terms.calls.values()
    scale = next(term.scale for term in terms.at.values())
    bound = {
        k: BoundPenalty(
            *(penalty, each, scale, calls, group),
            factor=1.0 if factors is None else factors[k],
        )
        for k, each in taps.items()
    }
    for each in bound.values():
        each.belongs_to(model)
    return bound


def terms_of(
    model: keras.Model,
    penalty: SpikePenalty,
    factors: Mapping[int, float] | None = None,
) -> Terms:
    """The terms of a model with a penalty, whatever its layers carry.

    Args:
        model: The model.
        penalty: The penalty.
        factors: As for `bind`.

    Raises:
        TypeError: If `penalty` is not a `SpikePenalty`.
        ValueError: If the model's synapses cannot be counted.
    """
    if not isinstance(penalty, SpikePenalty):
        raise TypeError(
            "`penalty` must be a keras_ssp penalty such as SynapticPenalty(1e-8), or "
            f"None. Received: penalty={shown(penalty)}."
        )
    if graph.is_graph_model(model):
        sites = list(analyze(model).sites)
    elif isinstance(model, keras.Sequential):
        raise ValueError(
            f"`model` must be built: the Sequential model '{model.name}' has no graph "
            "yet. Remedy: begin it with `keras.Input`, or call it once on data."
        )
    else:
        sites = [given_site(layer) for layer in spiking_layers(model)]

    def penalty_of(layer: keras.layers.Layer) -> tuple[SpikePenalty, str, float] | None:
        factor = 1.0 if factors is None else factors.get(id(layer))
        return None if factor is None else (penalty, "", factor)

    return make_terms(sites, penalty_of)
