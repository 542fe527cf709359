"""What is public: a written list, so that nothing appears or goes unnoticed."""

import importlib
import subprocess
import sys
import textwrap
import types

import keras
import pytest

import keras_ssp

# Imported when they are asked for, so not by `from keras_ssp import *`.
LATER = {"events", "export", "export_front", "figures", "pareto", "serving"}
LATER |= {"studies", "tuner"}
PUBLIC = {
    "keras_ssp": """
        BalancedPenalty BatchNormalization DirectEncoding EnergyBudget
        EnergyModel EnergyMonitor
        EnergyReport EventFrames LIF LatencyEncoding PenaltySchedule
        PoissonEncoding RateReadout SpikeCountPenalty SpikePenalty SynOpsTarget
        SynapticPenalty TrainConfig
        calibrate callbacks compare_reports conversion convert datasets energy
        energy_report events export export_front fan_out figures layers models pareto
        penalize penalties penalty_values record
        register_energy_model serving set_penalty_weight spiking studies surrogates
        synapses train training tuner types
    """,
    "keras_ssp.callbacks": """
        EnergyBudget EnergyMonitor PenaltySchedule SilenceGuard SpikeImages
    """,
    "keras_ssp.conversion": """
        calibrate convert fold_batch_norm spiking
    """,
    "keras_ssp.datasets": """
        Augmentation ImageData Inputs Split TrainingBatches from_arrays from_folder
        from_npz from_tfds load names register require_local save_npz
    """,
    "keras_ssp.energy": """
        EnergyMeter EnergyModel EnergyModelLike EnergyReport LayerCounts LayerReport
        MemoryEnergyModel NeuromorphicEnergyModel Recording ReportComparison
        compare_reports energy_report get names
        penalty_values record
        register_energy_model
    """,
    "keras_ssp.layers": """
        BatchNormalization DirectEncoding Dynamics Encoding EventFrames LIF
        LatencyEncoding
        PoissonEncoding QCFS RateReadout SpikingLayer get_neuron neuron_arguments
        neuron_names register_neuron
    """,
    "keras_ssp.models": """
        NetworkBuilder activation_names cnn7 get names network register resnet18
        small_cnn vgg11
    """,
    "keras_ssp.penalties": """
        BalancedPenalty SpikeCountPenalty SpikePenalty SynOpsTarget SynapticPenalty
        get names penalize register set_penalty_weight
    """,
    "keras_ssp.serving": """
        export export_front read_card
    """,
    "keras_ssp.studies": """
        Study compare
    """,
    "keras_ssp.surrogates": """
        ArcTan FastSigmoid Gaussian MultiGaussian PiecewiseExponential Rectangle
        S2NN Sigmoid StraightThrough Surrogate SurrogateLike Triangle deserialize
        get names register serialize
    """,
    "keras_ssp.synapses": """
        FanOut FanOutMap Rule Site Synapses Tap Weighted analyze fan_out
        register_analogue register_by_arguments register_route register_synapse
        rule_for uniform
    """,
    "keras_ssp.training": """
        EVALUATION_BATCH Evaluation Run SavedRun TrainConfig build evaluate fit
        load_run optimizer_names read_config register_optimizer train
    """,
    "keras_ssp.tuner": """
        ConfigHyperModel Objective Observations ParetoOracle ParetoTuner Range Sampler
        SearchResults Space TrialRecord read_search samplers
    """,
    "keras_ssp.tuner.samplers": """
        ExpectedHypervolume Grid Halton Observations OptunaSampler Random Sampler Sobol
        get name_of names register
    """,
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names(name):
    module = importlib.import_module(name)
    later = LATER if name == "keras_ssp" else set()
    assert {*module.__all__} == set(PUBLIC[name].split()) - later
    found = {n for n in dir(module) if not n.startswith("_")}
    if name != "keras_ssp":  # there, only the packages that are for users are shown
        found = {
            n
            for n in found
            if n in module.__all__
            or not isinstance(getattr(module, n), types.ModuleType)
        }
    assert found == set(PUBLIC[name].split())


def test_every_public_name_is_there():
    for name, listed in PUBLIC.items():
        module = importlib.import_module(name)
        assert all(hasattr(module, each) for each in listed.split())
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        keras_ssp.nothing  # noqa: B018


USER = """
    import numpy as np
    import numpy.typing
    import keras
    import keras_ssp
    from keras_ssp import (
        LIF,
        DirectEncoding,
        EnergyMonitor,
        RateReadout,
        SynapticPenalty,
        TrainConfig,
        convert,
        datasets,
        energy_report,
        export,
        fan_out,
        models,
        penalize,
        train,
    )
    from keras_ssp.callbacks import PenaltySchedule
    from keras_ssp.energy import EnergyReport, LayerReport
    from keras_ssp.layers import Dynamics, SpikingLayer, register_neuron
    from keras_ssp.studies import Study, compare
    from keras_ssp.surrogates import Triangle

    def build(steps: int) -> keras.Model:
        return keras.Sequential([
            keras.Input((4,)), keras.layers.Dense(8), DirectEncoding(steps),
            LIF(surrogate=Triangle(2.0)), keras.layers.Dense(3), RateReadout(),
        ])

    def spent(model: keras.Model, x: np.typing.NDArray[np.float32]) -> float:
        penalize(model, SynapticPenalty(1e-3, p=2))
        report: EnergyReport = energy_report(model, x, energy_model="loihi")
        rows: tuple[LayerReport, ...] = report.layers
        largest: float = max(psi.max for psi in fan_out(model).values())
        return report.energy_pj + sum(row.macs for row in rows) + largest

    def accuracy(weight: float) -> float:
        config = TrainConfig(penalty="synaptic", weight=weight, epochs=1)
        return train(config, data=datasets.load("digits")).test_accuracy

    callbacks = [EnergyMonitor(np.ones((2, 4))), PenaltySchedule(1e-3, epochs=2)]
    network: keras.Model = models.cnn7((28, 28, 1), 10, width=0.25, beta=0.9)
    spiking: keras.Model = convert(network, np.ones((2, 28, 28, 1)), time_steps=4)
    path: str = str(export(network, "saved_models/cnn7/1", labels=["a", "b"]))
    study = Study(base=TrainConfig(), weights=(0.1, 1.0))
"""


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the same on every backend"
)
def test_a_users_file_passes_strict_type_checks(tmp_path):
    pytest.importorskip("mypy")
    file = tmp_path / "user.py"
    file.write_text(textwrap.dedent(USER))
    flags = ["--strict", "--ignore-missing-imports", "--follow-imports=silent"]
    # As the project itself: Keras has no types, so its classes are `Any`.
    flags += ["--config-file=", f"--cache-dir={tmp_path / 'cache'}"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *flags, str(file)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    file.write_text(textwrap.dedent(USER) + "\nLIF(thresold=1.0).nothing()\ntrain(3)\n")
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *flags, str(file)],
        capture_output=True,
        text=True,
    )
    assert 'Argument 1 to "train" has incompatible type "int"' in run.stdout
