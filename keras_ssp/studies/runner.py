"""Runs a study: every training once, a row appended when it is done."""

from __future__ import annotations

import concurrent.futures
import contextlib
import csv
import functools
import io
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
from keras_ssp.conversion import convert
from keras_ssp.datasets import ImageData, load
from keras_ssp.studies.grid import Row, Study, Task
from keras_ssp.training import Evaluation, Run, evaluate, train
from keras_ssp.training.folder import write_json

COLUMNS = (
    *("key", "series", "penalty", "weight", "p", "target", "surrogate", "seed"),
    *("time_steps", "validation_accuracy", "test_accuracy", "synops"),
    *("synaptic_energy_pj", "energy_pj", "spike_rate", "seconds"),
)
RESULTS = "results.csv"


def compare(
    study: Study,
    out: str | os.PathLike[str],
    *,
    data_dir: str | None = None,
    jobs: int = 1,
    verbose: int = 1,
) -> list[Row]:
    """Runs what a study still lacks, and returns all its rows.

    Nothing is done twice: a finished training is a row of `results.csv`, and one that
    was interrupted goes on from its last epoch. Several studies may share a folder as
    long as their configs differ only in what a row tells.

    Args:
        study: The study.
        out: Folder for `results.csv` and a run folder per training.
        data_dir: As for `keras_ssp.datasets.load`.
        jobs: Trainings that run side by side, each with its share of the cores.
        verbose: 1 shows a progress bar, 0 nothing.

    Returns:
        The rows, one per network, in the order in which they were finished.

    Raises:
        ValueError: If `jobs` is not a positive integer.
        RuntimeError: If trainings failed; the others are done and written.
    """
    jobs = positive_int("jobs", jobs)
    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "study.json", study.to_dict())
    rows = read_rows(folder / RESULTS)
    failed: list[str] = []
    with _bar(verbose) as progress, _executor(jobs) as executor:
        # The second phase is asked for when the first one's rows are there.
        for phase in (study.baselines, functools.partial(study.others, rows)):
            tasks = [task for task in phase() if not task.done(rows)]
            bar = progress.add_task("trainings", total=len(tasks))
            for task, found in _results(executor, tasks, folder, data_dir):
                if isinstance(found, Exception):
                    failed.append(f"{task.series} (run folder {task.key}): {found}")
                else:
                    append_rows(folder / RESULTS, found)
                    rows.extend(found)
                progress.update(bar, advance=1, description=task.series)
    if failed:
        raise RuntimeError(f"{len(failed)} trainings failed: {'; '.join(failed)}")
    return rows


def run_task(task: Task, folder: pathlib.Path, data_dir: str | None) -> list[Row]:
    """Trains one network (and converts it, if asked); returns its rows."""
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
    return [task.row(steps, {**found, "seconds": seconds}) for steps, found in networks]


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
) -> Iterator[tuple[Task, list[Row] | Exception]]:
    if executor is None:
        for task in tasks:
            yield task, _attempt(task, folder, data_dir)
        return
    futures = {executor.submit(_attempt, t, folder, data_dir): t for t in tasks}
    for future in concurrent.futures.as_completed(futures):
        yield futures[future], future.result()


def _attempt(
    task: Task, folder: pathlib.Path, data_dir: str | None
) -> list[Row] | Exception:
    # One training that fails must not take the rest of the night with it.
    try:
        return run_task(task, folder, data_dir)
    except Exception as error:
        return error
    finally:
        keras.utils.clear_session()  # Keras keeps every model's graph until then


@contextlib.contextmanager
def _executor(jobs: int) -> Iterator[concurrent.futures.Executor | None]:
    if jobs == 1:
        yield None
        return
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    # The workers inherit these; in this process TensorFlow has started already.
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, threads))
    try:
        with concurrent.futures.ProcessPoolExecutor(
            jobs, mp_context=multiprocessing.get_context("spawn")
        ) as executor:
            yield executor
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


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


def append_rows(path: pathlib.Path, rows: Sequence[Row]) -> None:
    """Appends rows in one write, so that a kill leaves at most one torn line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    if not path.exists():
        writer.writeheader()
    writer.writerows(rows)
    with open(path, "a", encoding="utf-8", newline="") as file:
        file.write(text.getvalue())
        file.flush()
        os.fsync(file.fileno())


def read_rows(path: pathlib.Path) -> list[Row]:
    """The rows of a `results.csv`; a torn last line is cut off, file included."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8", newline="")
    return [_typed(row) for row in csv.DictReader(io.StringIO(whole))]


def _typed(row: dict[str, str]) -> Row:
    texts = ("key", "series", "penalty", "surrogate")
    # An empty target is that of a penalty without one.
    typed: Row = {k: v if k in texts or v == "" else float(v) for k, v in row.items()}
    return typed | {k: int(typed[k]) for k in ("seed", "time_steps")}
