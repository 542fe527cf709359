"""`python -m tuning worker`."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from typing import Any

from keras_ssp._checks import positive_int
from keras_ssp._environment import environment
from keras_ssp.cli.flags import data_dir_flag, import_flag, new_command
from keras_ssp.tuner.remote import AUTO
from tuning.plan import PLAN
from tuning.processes import plan_in, worker_environment, worker_id
from tuning.supervisor import AGAIN

_WAIT = 3600.0  # seconds for a chief to begin


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "worker",
        "run trials of a search that a chief leads",
        _worker,
        epilog="What is searched stands in the folder of the search, which chief and "
        "workers share. Workers may come and go at any time. Example: "
        "python -m tuning worker digits --address node1 --port 7777",
    )
    command.add_argument(
        "space",
        help="the name of the search's space, or its .toml, .json or .yaml file, as "
        "for the chief; or the folder of the search",
    )
    command.add_argument(
        "--out",
        type=pathlib.Path,
        default=None,
        help="folder of the search (default: runs/ and the name of the space)",
    )
    command.add_argument(
        "--address",
        default=os.environ.get("KERASTUNER_ORACLE_IP", AUTO),
        help="where the chief is (default: the variable KERASTUNER_ORACLE_IP, or "
        f"{AUTO}: as the folder of the search has it)",
    )
    command.add_argument(
        "--port",
        type=int,
        default=int(os.environ.get("KERASTUNER_ORACLE_PORT", "0")),
        help="the chief's port (default: the variable KERASTUNER_ORACLE_PORT)",
    )
    command.add_argument(
        "--id",
        default=os.environ.get("KERASTUNER_TUNER_ID"),
        help="a name that no other worker has; with the same one, a worker that died "
        "takes its trial up again at once (default: the variable KERASTUNER_TUNER_ID, "
        "or one made of Slurm's numbers or of the name of this machine, where "
        "CUDA_VISIBLE_DEVICES or the process's number tells workers apart)",
    )
    command.add_argument(
        "--recycle",
        type=int,
        default=None,
        metavar="TRIALS",
        help=f"leave after so many trials, with exit status {AGAIN}, to be started "
        "again: the memory of a process grows from trial to trial (default: never)",
    )
    data_dir_flag(command)
    import_flag(command)


def _worker(arguments: Any) -> None:
    recycle = positive_int("recycle", arguments.recycle, optional=True)
    if arguments.id is not None and "chief" in arguments.id:
        raise ValueError(
            "`id` of a worker must be a name without 'chief' in it, by which Keras "
            f"Tuner knows the chief. Received: id={arguments.id!r}."
        )
    if arguments.address != AUTO and not arguments.port:
        raise ValueError(
            "`port` must be given together with `address`. Received: address="
            f"{arguments.address!r}, no port."
        )
    plan = plan_in(_awaited(_folder(arguments)))
    if arguments.data_dir is not None:  # each machine has its own
        plan = dataclasses.replace(plan, data_dir=arguments.data_dir)
    name = arguments.id or worker_id()
    with environment(worker_environment(name, arguments.address, arguments.port)):
        tuner = plan.tuner()
        tuner.recycle = recycle
        tuner.search(verbose=1)
    if tuner.recycled:
        raise SystemExit(AGAIN)


def _folder(arguments: Any) -> pathlib.Path:
    given = pathlib.Path(arguments.space)
    if arguments.out is not None:
        return pathlib.Path(arguments.out)
    return given if given.is_dir() else pathlib.Path("runs") / given.stem


def _awaited(folder: pathlib.Path) -> pathlib.Path:
    """The folder, once a chief has written there what is searched."""
    until = time.monotonic() + _WAIT
    while not (folder / PLAN).is_file():
        if time.monotonic() > until:
            raise FileNotFoundError(
                f"`out` must be the folder of a search, which its chief makes; none "
                f"came in {_WAIT:g} s. Received: {folder}."
            )
        time.sleep(1.0)
    return folder
