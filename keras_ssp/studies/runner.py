"""Runs a study: every training once, a row appended when it is done."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import multiprocessing
import os
import pathlib
import time
from collections.abc import Iterator, Sequence

import keras
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from keras_ssp._checks import positive_int
from keras_ssp._environment import THREADS, environment
from keras_ssp._files import locked
from keras_ssp._imports import import_modules
from keras_ssp.conversion import convert
from keras_ssp.datasets import ImageData, load
from keras_ssp.studies.grid import Study, Task
from keras_ssp.studies.results import RESULTS, Result, add_results, read_results
from keras_ssp.training import Evaluation, Run, evaluate, train
from keras_ssp.training.folder import write_json
from keras_ssp.types import StrPath


def compare(
    study: Study,
    out: StrPath,
    *,
    data_dir: str | None = None,
    jobs: int = 1,
    imports: Sequence[str] = (),
    verbose: int = 1,
) -> list[Result]:
    """Runs what a study still lacks, and returns all its results.

    Nothing is done twice: a finished training is a row of `results.csv`, and one that
    was interrupted goes on from its last epoch. Several studies may share a folder as
    long as their configs differ only in what a row tells.

    Args:
        study: The study.
        out: Folder for `results.csv` and a run folder per training.
        data_dir: As for `keras_ssp.datasets.load`.
        jobs: Trainings that run side by side, each with its share of the cores.
        imports: Modules that register what the study names (networks, neurons,
            penalties, data sets, ...): with `jobs` above 1 each of the processes
            imports them.
        verbose: 1 shows a progress bar, 0 nothing.

    Returns:
        The results, one per network, in the order in which they were finished.

    Raises:
        ValueError: If `jobs` is not a positive integer.
        RuntimeError: If trainings failed (the others are done and written), or another
            process runs a study in `out`.
        ImportError: If a module of `imports` cannot be imported.
    """
    jobs = positive_int("jobs", jobs)
    import_modules(imports)
    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, "runs a study there"):
        return _compare(study, folder, data_dir, jobs, imports, verbose)


def _compare(
    study: Study,
    folder: pathlib.Path,
    data_dir: str | None,
    jobs: int,
    imports: Sequence[str],
    verbose: int,
) -> list[Result]:
    write_json(folder / "study.json", study.to_dict())
    results = read_results(folder / RESULTS)
    failed: list[str] = []
    with _bar(verbose) as progress, _executor(jobs, imports) as executor:
        # The second phase is asked for when the first one's results are there.
        for phase in (study.baselines, functools.partial(study.others, results)):
            tasks = [task for task in phase() if not task.done(results)]
            bar = progress.add_task("trainings", total=len(tasks))
            for task, found in _results(executor, tasks, folder, data_dir):
                if isinstance(found, Exception):
                    failed.append(f"{task.series} (run folder {task.key}): {found}")
                else:
                    # In place: the second phase reads this list.
                    results[:] = add_results(folder / RESULTS, found)
                progress.update(bar, advance=1, description=task.series)
    if failed:
        raise RuntimeError(f"{len(failed)} trainings failed: {'; '.join(failed)}")
    return results


def run_task(task: Task, folder: pathlib.Path, data_dir: str | None) -> list[Result]:
    """Trains one network (and converts it, if asked); returns its results."""
    started = time.perf_counter()
    data = _data(task.config.data, data_dir)
    run = train(task.config, folder / task.key, data=data, resume=True, verbose=0)
    networks = [(task.config.time_steps, run.summary())]
    if task.conversion_steps:
        networks = [
            (steps, _converted(run, steps, data).summary())
            for steps in task.conversion_steps
        ]
    seconds = round(time.perf_counter() - started, 1)
    return [
        task.result({**found, "time_steps": steps, "seconds": seconds})
        for steps, found in networks
    ]


@functools.lru_cache(maxsize=1)
def _data(name: str, data_dir: str | None) -> ImageData:
    # All tasks of a study share it; reading and ordering it takes seconds.
    return load(name, data_dir=data_dir)


def _converted(run: Run, steps: int, data: ImageData) -> Evaluation:
    model = convert(run.model, time_steps=steps, method="qcfs")
    return evaluate(model, data, run.config.energy_model)


def _results(
    executor: concurrent.futures.Executor | None,
    tasks: Sequence[Task],
    folder: pathlib.Path,
    data_dir: str | None,
) -> Iterator[tuple[Task, list[Result] | Exception]]:
    if executor is None:
        for task in tasks:
            yield task, _attempt(task, folder, data_dir)
        return
    futures = {executor.submit(_attempt, t, folder, data_dir): t for t in tasks}
    for future in concurrent.futures.as_completed(futures):
        yield futures[future], future.result()


def _attempt(
    task: Task, folder: pathlib.Path, data_dir: str | None
) -> list[Result] | Exception:
    # One training that fails must not take the rest of the night with it.
    try:
        return run_task(task, folder, data_dir)
    except Exception as error:
        return error
    finally:
        keras.utils.clear_session()  # Keras keeps every model's graph until then


@contextlib.contextmanager
def _executor(
    jobs: int, imports: Sequence[str]
) -> Iterator[concurrent.futures.Executor | None]:
    if jobs == 1:
        yield None
        return
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    # The workers inherit these; in this process TensorFlow has started already.
    with (
        environment(dict.fromkeys(THREADS, threads)),
        concurrent.futures.ProcessPoolExecutor(
            jobs,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=import_modules,
            initargs=(tuple(imports),),
        ) as executor,
    ):
        yield executor


def _bar(verbose: int) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=verbose == 0,
    )
