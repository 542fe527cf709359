"""What a model spends on data, and what its penalty is there: one call each."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_ssp.energy.hardware import EnergyModelLike
from keras_ssp.energy.meter import EnergyMeter
from keras_ssp.energy.report import EnergyReport
from keras_ssp.penalties import SpikePenalty
from keras_ssp.penalties.binding import penalized_layers
from keras_ssp.types import Data


def energy_report(
    model: keras.Model,
    data: Data,
    *,
    energy_model: EnergyModelLike = "cmos45",
    batch_size: int = 128,
    rates: str | Sequence[str] = (),
    verbose: int = 0,
) -> EnergyReport:
    """Measures what a model's spikes cost on data, layer by layer.

    The model runs with `training=False` over all of `data`. For spiking layer l

        SynOps_l = E_x[ sum_t sum_i psi_{l,i} * s_{l,i}[t] ],   E_l = E_AC * SynOps_l

    and each layer with synapses that analogue values drive has a row of
    multiply-accumulates. Counts are float32 per sample on the device and float64
    across samples, so that partial batches weigh what they should.

    The first call traces and compiles the model; the next ones, and all else that
    measures it, use the same trace until the model changes.

    Args:
        model: Built Sequential or Functional model, or a subclassed one whose `LIF`
            layers were given `fan_out`.
        data: Arrays, tuple `(x, y)`, `tf.data.Dataset`, `keras.utils.PyDataset` or an
            iterable of batches.
        energy_model: Name, `EnergyModel`, or mapping such as
            `{"ac_pj": 0.9, "mac_pj": 4.6}`. Defaults to `"cmos45"`.
        batch_size: Rows per batch where `data` are arrays. Defaults to 128.
        rates: `"step"` for the spike rate at each time step, `"neuron"` for that of
            each neuron, or both: the rows then have `step_rates`, `(T,)`, and
            `neuron_rates`, in the shape of the layer's features. Exact means over all
            samples, padded steps left out; eight bytes a neuron. Defaults to neither.
        verbose: 1 shows a progress bar. Defaults to 0.

    Returns:
        An `EnergyReport`, energies in pJ per sample.

    Raises:
        ValueError: If a layer has no fan-out rule, `data` is empty, of the wrong
            shape, or holds NaN, or the energy model or a name in `rates` is unknown.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dense(8), DirectEncoding(2), LIF(),
    ...     keras.layers.Dense(3), RateReadout()])
    >>> report = energy_report(model, np.ones((5, 4), "float32"))
    >>> [row.name for row in report.layers if row.kind == "analogue"] != []
    True
    >>> x = np.ones((5, 4), "float32")
    >>> report = energy_report(model, x, rates=("step", "neuron"))
    >>> row = next(row for row in report if row.is_neuron)
    >>> row.step_rates.shape, row.neuron_rates.shape
    ((2,), (8,))

    Reference: Suetake et al., arXiv 2302.01500, E_SNN = E_AC * E_x[Omega_syn] for
    p = 1; energies per operation from the energy model's own source.
    """
    return EnergyMeter(model).report(
        data,
        energy_model=energy_model,
        batch_size=batch_size,
        rates=rates,
        verbose=verbose,
    )


def penalty_values(
    model: keras.Model,
    data: Data,
    *,
    penalty: SpikePenalty | None = None,
    batch_size: int = 128,
    verbose: int = 0,
) -> dict[str, float]:
    """Omega_l of each penalised layer, without lambda, in evaluation mode.

        Omega_l = E_x[ (1/p) sum_t sum_i w_{l,i} * s_{l,i}[t]^p ]

    Args:
        model: A model with a penalty, or any spiking model if `penalty` is given.
        data: As for `energy_report`.
        penalty: The penalty to evaluate; the model keeps its own. Defaults to the one
            that `penalize` put on the model.
        batch_size: Rows per batch where `data` are arrays. Defaults to 128.
        verbose: 1 shows a progress bar. Defaults to 0.

    Returns:
        Layer name to value, calls of a shared layer under `name`, `name:1`, ...

    Raises:
        ValueError: If there is no penalty, or `data` is not what `energy_report`
            takes.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), DirectEncoding(2), LIF(name="spikes"),
    ...     keras.layers.Dense(3), RateReadout()])
    >>> _ = penalize(model, SynapticPenalty(1e-3))
    >>> penalty_values(model, np.ones((5, 4), "float32"))
    {'spikes': 24.0}
    >>> penalty_values(model, np.ones((5, 4), "float32"), penalty=SpikeCountPenalty(1))
    {'spikes': 8.0}
    """
    if penalty is None:
        penalized_layers(model)  # an error if there is none
    return EnergyMeter(model, penalty=penalty).penalty_values(
        data, batch_size=batch_size, verbose=verbose
    )
