"""Folders of searches that nobody ran, as a tuner leaves them."""

import json
import math

import numpy as np

from keras_ssp.energy import EnergyReport, LayerReport

OBJECTIVES = [
    {"name": "val_accuracy", "direction": "max", "scale": "linear", "reference": 0.85},
    {
        "name": "val_synaptic_energy_pj",
        "direction": "min",
        "scale": "log",
        "reference": 2e5,
    },
]


def energy_json(energy_pj):
    rows = [
        LayerReport(
            name=name,
            kind="lif",
            neurons=64,
            time_steps=4,
            spikes=10.0,
            synops=share * energy_pj / 0.9,
            fan_out=72.0,
            dense=1e6,
            energy_pj=share * energy_pj,
        )
        for name, share in (("lif_1", 0.7), ("lif_<2>", 0.3))
    ]
    return EnergyReport(
        model_name="net",
        energy_model="cmos45",
        samples=8,
        time_steps=4,
        layers=tuple(rows),
        ann_macs=1e5,
    ).to_json()


def measured(weight, p, rng):
    """Metrics that bend as those of a penalised network do."""
    energy = 2e5 / (1 + 3 * weight) * rng.uniform(0.8, 1.2)
    accuracy = 0.99 - 0.02 * math.log10(1 + weight) ** 2 - rng.uniform(0, 0.01) * p
    return {
        "val_accuracy": accuracy,
        "val_loss": 1 - accuracy,
        "val_synaptic_energy_pj": energy,
        "val_energy_pj": energy + 5e4,
        "val_synops": energy / 0.9,
        "val_spike_rate": 0.2,
        "parameters": 12_345.0,
        "time_steps": 4.0,
    }


def write_trial(folder, index, status, values, metrics=None, *, error=None, spread=()):
    """`trial.json` as Keras Tuner writes it, and what our tuner writes beside it."""
    name = f"{index:02d}"
    trial = folder / f"trial_{name}"
    trial.mkdir(parents=True)
    state = {
        "trial_id": name,
        "hyperparameters": {"space": [], "values": values},
        "metrics": {"metrics": {}},
        "score": None,
        "best_step": 0,
        "status": status,
        "message": None,
    }
    (trial / "trial.json").write_text(json.dumps(state))
    if status == "RUNNING":
        return
    record = {
        "trial": name,
        "status": status.lower(),
        "values": values,
        "metrics": metrics or {},
        "spread": dict(spread),
        "seconds": 8.0,
        "seeds": [0, 1] if spread else [0],
        "error": error,
        "notes": ["lif_2 is silent"] if metrics and index == 1 else [],
    }
    (trial / "metrics.json").write_text(json.dumps(record))
    if metrics:
        run = trial / "seed_0" if spread else trial
        run.mkdir(exist_ok=True)
        energy = metrics["val_synaptic_energy_pj"]
        (run / "energy.json").write_text(energy_json(energy))
        (run / "run.json").write_text(json.dumps(metrics))
        (run / "model.keras").touch()


def write_search(
    folder,
    trials=12,
    *,
    name="digits",
    failed=1,
    running=1,
    seeds=1,
    silent=False,
    objectives=OBJECTIVES,
    stopped="max_trials",
    more=None,
):
    """A search of so many trials; returns its folder."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    search = {
        "name": name,
        "objectives": objectives,
        "reference": [o["reference"] for o in objectives],
        "limits": {"max_trials": trials, "max_hours": None, "patience": None},
        "sampler": "ehvi",
        "seed": 0,
        "elapsed": 8.0 * trials,
        "stopped": stopped,
    }
    (folder / "search.json").write_text(json.dumps(search))
    for k in range(trials):
        values = {"weight": float(10 ** rng.uniform(-2, 1.5)), "p": int(1 + k % 2)}
        values |= {"surrogate": ("triangle", "arctan")[k // 2 % 2], **(more or {})}
        if k >= trials - running:
            write_trial(folder, k, "RUNNING", values)
        elif k >= trials - running - failed:
            error = "ValueError: the loss of epoch 3 is not finite <script>"
            write_trial(folder, k, "FAILED", values, error=error)
        else:
            metrics = measured(values["weight"], values["p"], rng)
            if silent and k == 0:
                metrics |= {"val_accuracy": 0.1, "val_synaptic_energy_pj": 0.0}
            energy = metrics["val_synaptic_energy_pj"]
            spread = {"val_accuracy": 0.004, "val_synaptic_energy_pj": 0.05 * energy}
            write_trial(
                folder,
                k,
                "COMPLETED",
                values,
                metrics,
                spread=spread if seeds > 1 else {},
            )
    return folder
