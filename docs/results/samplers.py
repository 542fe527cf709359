"""Samplers compared at equal numbers of trials: what share of the frontier they find.

    python docs/results/samplers.py surrogate --out runs/samplers --seeds 20
    python docs/results/samplers.py digits --out runs/samplers --seeds 5

`surrogate` searches a smooth function of the Fashion-MNIST study (its CSV lies beside
this file) with the noise that its seeds have; `digits` trains. Each writes a CSV of all
trials and prints the tables of the page. What is in the folder already, searches and
trainings, is not run again: a comparison that was stopped goes on. Wants
`pip install "keras-ssp[demo,optuna]"`.
"""

import argparse
import csv
import dataclasses
import functools
import hashlib
import json
import math
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # from a clone, not installed
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from keras_ssp import pareto
from keras_ssp.tables import Table

STUDY = Path(__file__).with_name("fashion_mnist_study.csv")
TRIALS, SHOWN = 24, (8, 16, 24)
SERIES = ("synaptic p=1", "synaptic p=2", "spike_count", "balanced")
EPOCHS = 5


@dataclasses.dataclass(frozen=True)
class Measured:
    """A trial: what was observed, and what would be without noise where it is known."""

    accuracy: float
    energy: float  # pJ
    true_accuracy: float
    true_energy: float


# ---------------------------------------------------------------- the two problems


class Surrogate:
    """Accuracy and energy of the study as smooth functions of lambda, and its noise.

    For each penalty, accuracy and log10 energy are cubics in log10 lambda, fitted to
    all seeds by least squares; the noise is normal with the standard deviation of the
    seeds of one setting around their mean, pooled over all settings of all penalties.
    """

    name, noisy = "surrogate", True
    reference = (0.80, 800e3)  # accuracy, pJ

    def __init__(self):
        with open(STUDY, encoding="utf-8") as file:
            rows = [r for r in csv.DictReader(file) if r["series"] in SERIES]
        self.cubics, residuals = {}, []
        for series in SERIES:
            mine = [r for r in rows if r["series"] == series]
            x = np.log10([float(r["weight"]) for r in mine])
            y = np.column_stack(
                [
                    [float(r["validation_accuracy"]) for r in mine],
                    np.log10([float(r["synaptic_energy_pj"]) for r in mine]),
                ]
            )
            self.cubics[series] = np.polyfit(x, y, 3)
            for weight in np.unique(x):
                seeds = y[x == weight]
                residuals.append(((seeds - seeds.mean(0)) ** 2).sum(0) / len(seeds[1:]))
        self.noise = np.sqrt(np.mean(residuals, axis=0))

    def space(self):
        import keras_tuner

        hp = keras_tuner.HyperParameters()
        hp.Float("weight", 0.1, 10.0, sampling="log")
        hp.Choice("penalty", list(SERIES))
        return hp

    def true(self, series, weight):
        x = np.log10(weight)
        accuracy, energy = (np.polyval(c, x) for c in self.cubics[series].T)
        return accuracy, 10**energy

    def measure(self, values, seed, trial):
        accuracy, energy = self.true(values["penalty"], values["weight"])
        rng = np.random.default_rng([seed, trial, 1])
        noise = self.noise * rng.standard_normal(2)
        return Measured(
            float(accuracy + noise[0]),
            float(energy * 10 ** noise[1]),
            float(accuracy),
            float(energy),
        )

    def best(self):
        weights = np.logspace(-1, 1, 2001)
        points = [np.stack(self.true(s, weights), axis=1) for s in SERIES]
        return hypervolume(np.vstack(points), self.reference)


class Digits:
    """The recipe of the demonstration with fewer epochs, measured on validation.

    Networks are compiled once and trained again from the weights, the order of samples
    and the optimiser's state that `keras_ssp.train` begins with; lambda, learning rate
    and threshold are variables. Accuracy and energy are those of `train`, to the bit.
    """

    name, noisy = "digits", False
    reference = (0.80, 300e3)

    def __init__(self, cache):
        self.cache = Path(cache)
        self.cache.mkdir(parents=True, exist_ok=True)
        self._trainers = {}

    def space(self):
        import keras_tuner

        hp = keras_tuner.HyperParameters()
        hp.Float("weight", 0.01, 100.0, sampling="log")
        hp.Choice("p", [1, 2])
        hp.Float("learning_rate", 1e-3, 1e-2, sampling="log")
        hp.Float("threshold", 0.5, 2.0, sampling="log")
        return hp

    def measure(self, values, seed, trial):
        given = {"seed": seed, "epochs": EPOCHS, **values}
        text = json.dumps(given, sort_keys=True)
        path = self.cache / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        if not path.exists():
            accuracy, energy, seconds = self._train(**given)
            found = {
                **given,
                "accuracy": accuracy,
                "energy": energy,
                "seconds": seconds,
            }
            scratch = path.with_suffix(f".{os.getpid()}")
            scratch.write_text(json.dumps(found), encoding="utf-8")
            scratch.replace(path)
        found = json.loads(path.read_text(encoding="utf-8"))
        return Measured(*[found["accuracy"], found["energy"]] * 2)

    def _train(self, *, p, seed, epochs, **values):
        started = time.perf_counter()
        if p not in self._trainers:
            self._trainers[p] = Trainer(p, epochs)
        accuracy, energy = self._trainers[p].train(seed=seed, **values)
        return accuracy, energy, time.perf_counter() - started


class Trainer:
    """Trains one network many times without compiling it again."""

    def __init__(self, p, epochs):
        import keras

        from keras_ssp.datasets import load
        from keras_ssp.energy import EnergyMeter
        from keras_ssp.studies.demo import BASE
        from keras_ssp.training.run import build

        self.data, self.epochs, self.batch_size = (
            load("digits"),
            epochs,
            BASE.batch_size,
        )
        self.config = dataclasses.replace(
            BASE,
            epochs=epochs,
            penalty="synaptic",
            p=float(p),
            weight=1.0,
            neuron={"learn_threshold": True},
        )
        self.steps = len(self.data.train) // self.batch_size
        self.build = functools.partial(build, self.config, self.data)
        self.model = self.build()
        # Not learned: it is a variable only so that it can be set.
        self.thresholds = [w for w in self.model.weights if w.name == "threshold"]
        for weight in self.thresholds:
            weight.trainable = False
        self.rate = keras.Variable(1.0, trainable=False, name="peak_rate")
        self.optimizer = keras.optimizers.AdamW(
            _peak_times_cosine(self.rate, epochs * self.steps), weight_decay=0.0
        )
        self.model.compile(
            self.optimizer,
            keras.losses.CategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            steps_per_execution=self.steps,
        )
        self.optimizer.build(self.model.trainable_variables)
        self.meter = EnergyMeter(self.model)
        self._starts = {}

    def train(self, *, weight, learning_rate, threshold, seed):
        from keras_ssp import penalties
        from keras_ssp.datasets import TrainingBatches

        for variable, value in zip(self.model.weights, self._start(seed), strict=True):
            variable.assign(value)
        for variable in self.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        for variable in self.thresholds:
            variable.assign(threshold)
        self.rate.assign(learning_rate)
        penalties.set_penalty_weight(self.model, weight)
        batches = TrainingBatches(data=self.data, batch_size=self.batch_size, seed=seed)
        self.model.fit(
            batches.stream(),
            steps_per_epoch=self.steps,
            epochs=self.epochs,
            shuffle=False,
            verbose=0,
        )
        validation = self.data.inputs("validation")
        # Both keep what they compile; `report_and_outputs` compiles at every call.
        report = self.meter.report(validation.x, batch_size=len(validation.x))
        logits = self.model.predict_on_batch(validation.x)
        accuracy = np.mean(np.argmax(logits, axis=-1) == validation.y)
        return float(accuracy), float(report.synaptic_energy_pj)

    def _start(self, seed):
        import keras

        if seed not in self._starts:
            keras.utils.set_random_seed(seed)
            fresh = self.build()
            self._starts[seed] = [keras.ops.convert_to_numpy(w) for w in fresh.weights]
        return self._starts[seed]


def _peak_times_cosine(peak, steps):
    import keras

    class PeakTimesCosine(keras.optimizers.schedules.LearningRateSchedule):
        cosine = keras.optimizers.schedules.CosineDecay(1.0, steps)

        def __call__(self, step):
            return peak * self.cosine(step)

    return PeakTimesCosine()


# ---------------------------------------------------------------- the methods


def _samplers(seed):
    from keras_ssp.tuner import samplers

    return {
        "ehvi": lambda: samplers.ExpectedHypervolume(seed=seed),
        "ehvi start=6": lambda: samplers.ExpectedHypervolume(seed=seed, start=6),
        "ehvi start=8": lambda: samplers.ExpectedHypervolume(seed=seed, start=8),
        "random": samplers.Random,
        "sobol": lambda: samplers.Sobol(seed),
        "halton": lambda: samplers.Halton(seed),
        "optuna_tpe": lambda: samplers.OptunaSampler("tpe"),
        "optuna_nsga2": lambda: samplers.OptunaSampler("nsga2"),
    }


# Keras Tuner adds the objectives up: the unit of the energy decides what it finds.
# A search of its takes half a minute without a training: it has fewer seeds.
SLOW_SEEDS = 10
UNITS = {"keras_tuner nJ": 1e3, "keras_tuner uJ": 1e6}
METHODS = (
    "ehvi",
    "random",
    "sobol",
    "halton",
    "optuna_tpe",
    "optuna_nsga2",
    *UNITS,
)


def search(problem, method, seed, trials=TRIALS):
    """The trials of one search, in order: values and what was measured."""
    if method in UNITS:
        return _with_keras_tuner(problem, UNITS[method], seed, trials)
    return _with_sampler(problem, _samplers(seed)[method](), seed, trials)


def _with_sampler(problem, sampler, seed, trials):
    from keras_ssp.tuner.samplers import Observations
    from keras_ssp.tuner.space import Space

    space = Space(problem.space())
    found, points, losses, asked = [], [], [], 0
    reference = np.asarray([-problem.reference[0], math.log10(problem.reference[1])])
    none = np.empty((0, space.size))
    for trial in range(trials):
        rng = np.random.default_rng([seed, trial])
        observations = Observations(
            points=np.asarray(points).reshape(-1, space.size),
            losses=np.asarray(losses).reshape(-1, 2),
            reference=reference if trial else None,
            pending=none,
            failed=none,
        )
        for _ in range(100):  # as the oracle does: no values twice
            point = sampler.propose(space, observations, asked, rng)
            asked += 1
            values = space.decode(point)
            if values not in [v for v, _ in found]:
                break
        measured = problem.measure(values, seed, trial)
        found.append((values, measured))
        points.append(space.encode(values))
        # A network without spikes spends 0: a thousandth of the reference.
        energy = max(measured.energy, 1e-3 * problem.reference[1])
        losses.append([-measured.accuracy, math.log10(energy)])
    return found


def _with_keras_tuner(problem, unit, seed, trials):
    import keras_tuner

    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        objective=[
            keras_tuner.Objective("val_accuracy", "max"),
            keras_tuner.Objective("val_energy", "min"),
        ],
        max_trials=trials,
        hyperparameters=problem.space(),
        seed=seed,
    )
    oracle.verbose = 0
    found = []
    with tempfile.TemporaryDirectory() as folder:
        oracle._set_project_dir(folder, "search")
        for k in range(trials):
            trial = oracle.create_trial("tuner0")
            values = {
                name: value.item() if isinstance(value, np.generic) else value
                for name, value in trial.hyperparameters.values.items()
            }
            measured = problem.measure(values, seed, k)
            metrics = {
                "val_accuracy": measured.accuracy,
                "val_energy": measured.energy / unit,
            }
            # Its own tuner adds this one, by the same function.
            metrics["multi_objective"] = oracle.objective.get_value(metrics)
            oracle.update_trial(trial.trial_id, metrics)
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
            found.append((values, measured))
    return found


# ---------------------------------------------------------------- scores and tables


def scaled(points, reference):
    """Accuracy and log10 energy; no spikes is a thousandth of the reference."""
    points = np.asarray(points, "float64").reshape(-1, 2)
    floor = 1e-3 * reference[1]
    return np.column_stack([points[:, 0], np.log10(np.maximum(points[:, 1], floor))])


def hypervolume(points, reference, history=False):
    measure = pareto.hypervolume_history if history else pareto.hypervolume
    limit = scaled([reference], reference)[0]
    return measure(scaled(points, reference), limit, ("max", "min"))


def shares(rows, problem, best, kind):
    """(method, seed) to the share of the hypervolume after each trial."""
    found = {}
    for method, seed in dict.fromkeys((r["method"], r["seed"]) for r in rows):
        mine = [r for r in rows if (r["method"], r["seed"]) == (method, seed)]
        points = [(r[f"{kind}accuracy"], r[f"{kind}energy"]) for r in mine]
        found[method, seed] = hypervolume(points, problem.reference, True) / best
    return found


def table(found, title=None):
    rows = []
    for method in dict.fromkeys(method for method, _ in found):
        mine = np.asarray([h for (name, _), h in found.items() if name == method])
        cells = []
        for k in SHOWN:
            column = mine[:, k - 1]
            deviation = column.std(ddof=1) if len(column) > 1 else math.nan
            cells.append(f"{column.mean():.3f} ± {deviation:.3f} ({column.min():.3f})")
        rows.append((method, len(mine), *cells))
    head = ["method", "seeds", *(f"after {k}" for k in SHOWN)]
    return Table(head, rows, title=title)


def compare(problem, jobs, processes, folder):
    """Runs the searches that are not in the folder yet; rows of the CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        done = pool.imap(_job, [(problem, *job, folder) for job in jobs], chunksize=1)
        for (method, seed), trials in zip(jobs, done, strict=True):
            print(f"{method}, seed {seed}", flush=True)
            rows += [{"method": method, "seed": seed, **trial} for trial in trials]
    return rows


_PROBLEMS = {}


def _job(job):
    (kind, *arguments), method, seed, folder = job
    path = folder / f"{kind.name}_{method.replace(' ', '_')}_{seed}.json"
    if not path.exists():
        # One for all jobs of a process: it has compiled networks.
        if kind not in _PROBLEMS:
            _PROBLEMS[kind] = kind(*arguments)
        trials = [
            {"trial": k, **values, **dataclasses.asdict(measured)}
            for k, (values, measured) in enumerate(
                search(_PROBLEMS[kind], method, seed)
            )
        ]
        scratch = path.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(trials), encoding="utf-8")
        scratch.replace(path)
    return json.loads(path.read_text(encoding="utf-8"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problem", choices=("surrogate", "digits"))
    parser.add_argument("--out", type=Path, required=True, help="folder for results")
    parser.add_argument("--seeds", type=int, default=5, help="default: 5")
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--processes", type=int, default=2)
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    made = (Surrogate,) if a.problem == "surrogate" else (Digits, a.out / "trained")
    problem = made[0](*made[1:])
    jobs = [
        (method, seed)
        for seed in range(a.seeds)
        for method in a.methods
        if method not in UNITS or seed < SLOW_SEEDS
    ]
    rows = compare(made, jobs, a.processes, a.out / "searches")
    write(rows, problem, a.out / f"samplers_{a.problem}.csv")
    report(rows, problem)


def cheapest(rows, levels=(0.95, 0.98)):
    """The cheapest network of at least an accuracy: median of seeds that found one."""
    lines = []
    for method in dict.fromkeys(r["method"] for r in rows):
        cells = []
        for level in levels:
            found = {}
            for r in rows:
                if r["method"] == method:
                    good = r["accuracy"] >= level
                    energy = r["energy"] if good else math.inf
                    found[r["seed"]] = min(found.get(r["seed"], math.inf), energy)
            known = [energy for energy in found.values() if energy < math.inf]
            median = f"{np.median(known) / 1e3:.1f} nJ" if known else "none"
            cells.append(f"{median} ({len(known)} of {len(found)} seeds)")
        lines.append((method, *cells))
    return Table(["method", *(f"{100 * level:g} %" for level in levels)], lines)


def write(rows, problem, path):
    names = [name for name in rows[0] if problem.noisy or not name.startswith("true_")]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            cells = {name: row[name] for name in names}
            writer.writerow(
                {k: f"{v:.7g}" if isinstance(v, float) else v for k, v in cells.items()}
            )


def report(rows, problem):
    """Prints the tables of the page."""
    if problem.noisy:
        best = problem.best()
        print(f"Noise: {problem.noise}. Best hypervolume: {best:.4f}.\n")
        print(table(shares(rows, problem, best, "true_")).markdown(), "\n")
    else:
        points = [(r["accuracy"], r["energy"]) for r in rows]
        best = hypervolume(points, problem.reference)
        print(f"Best known hypervolume: {best:.4f}.\n")
        print(cheapest(rows).markdown(), "\n")
    print(table(shares(rows, problem, best, "")).markdown())


if __name__ == "__main__":
    main()
