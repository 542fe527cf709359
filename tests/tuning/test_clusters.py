"""The files in docs/ that run a search on clusters."""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import textwrap

import pytest

from keras_ssp.tuner import read_search
from tuning.__main__ import parser

DOCS = pathlib.Path(__file__).parents[2] / "docs"
SBATCH, KUBERNETES = DOCS / "slurm/pareto.sbatch", DOCS / "kubernetes/pareto.yaml"


def tool(name):
    """A program of this environment, or of this machine."""
    beside = pathlib.Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    return found or pytest.skip(f"{name} is not installed")


def test_shellcheck_finds_nothing_in_the_script():
    shellcheck = tool("shellcheck")
    found = subprocess.run([shellcheck, SBATCH], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_slurm_reads_the_options_of_the_script():
    """`sbatch` stops to look for options at the first command."""
    lines = SBATCH.read_text(encoding="utf-8").splitlines()
    first = next(k for k, line in enumerate(lines) if line and line[0] != "#")
    options = [line.split()[1] for line in lines if line.startswith("#SBATCH")]
    assert all(option.startswith("--") for option in options)
    assert "--requeue" in options and "--array=0-3" in options
    assert not any(line.startswith("#SBATCH") for line in lines[first:])
    assert subprocess.run(["bash", "-n", SBATCH]).returncode == 0


def commands(text):
    """The `python -m tuning` commands in a script."""
    text = text.replace("\\\n", " ")
    for line in text.splitlines():
        if " -m tuning " in line and not line.lstrip().startswith("#"):
            found = line.split(" -m tuning ", 1)[1].split("||")[0].rstrip(" &")
            yield [word for word in shlex.split(found) if word != "$@"]


def test_commands_of_the_script_have_the_flags_of_the_program():
    text = SBATCH.read_text(encoding="utf-8").replace("$TRIALS", "40")
    found = [parser().parse_args(words) for words in commands(text)]
    assert [f.command for f in found] == ["chief", "worker"]
    assert found[0].space == found[1].space and found[0].out == found[1].out


def documents():
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all(KUBERNETES.read_text(encoding="utf-8")))


def by_name(kind):
    return {d["metadata"]["name"]: d["spec"] for d in documents() if d["kind"] == kind}


def test_kubernetes_knows_every_field():
    validate = pytest.importorskip("kubernetes_validate")
    for document in documents():
        # `strict`: a name that is misspelt is an error.
        validate.validate(document, validate.latest_version(), strict=True)


def test_yamllint_finds_nothing():
    rules = "{extends: default, rules: {line-length: {max: 88}}}"
    found = subprocess.run(
        [tool("yamllint"), "-d", rules, KUBERNETES], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout


def test_kubernetes_workers_find_their_chief():
    jobs, services = by_name("Job"), by_name("Service")
    pods = {name: job["template"] for name, job in jobs.items()}
    container = {k: pod["spec"]["containers"][0] for k, pod in pods.items()}
    chief = parser().parse_args(container["pareto-chief"]["command"][3:])
    script = container["pareto-worker"]["command"][-1]
    (words,) = commands(script)
    worker = parser().parse_args(words)

    service = services[worker.address]
    labels = pods["pareto-chief"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    assert service["ports"][0]["port"] == worker.port
    assert service["ports"][0]["targetPort"] == chief.port
    assert container["pareto-chief"]["ports"][0]["containerPort"] == chief.port
    assert worker.out == chief.out and worker.recycle and chief.address == "0.0.0.0"

    # They share one volume, and each worker has a GPU and a name of its own.
    (claim,) = by_name("PersistentVolumeClaim")
    for name, pod in pods.items():
        volumes = {v["name"]: v for v in pod["spec"]["volumes"]}
        assert volumes["search"]["persistentVolumeClaim"]["claimName"] == claim
        mount = container[name]["volumeMounts"][0]
        assert mount["name"] == "search"
        assert str(chief.out).startswith(mount["mountPath"] + "/")
    assert jobs["pareto-worker"]["completionMode"] == "Indexed"
    limits = {k: c["resources"]["limits"] for k, c in container.items()}
    assert limits["pareto-worker"]["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in limits["pareto-chief"]


def test_kubernetes_lets_only_workers_in():
    (policy,) = by_name("NetworkPolicy").values()
    pods = {k: job["template"] for k, job in by_name("Job").items()}
    chief = pods["pareto-chief"]["metadata"]["labels"]
    worker = pods["pareto-worker"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"] == chief
    (rule,) = policy["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": worker}}]


SPACE = """
    [train]
    data = "digits"
    train_samples = 64
    width = 0.25
    time_steps = 2
    epochs = 1

    [search]
    weight = { low = 0.01, high = 10.0, sampling = "log" }
    p = [1.0, 2.0]
"""


@pytest.mark.slow
def test_two_tasks_of_the_array(tmp_path):
    """The script as Slurm runs it, but for Slurm."""
    (tmp_path / "tiny.toml").write_text(textwrap.dedent(SPACE))
    folder = tmp_path / "search"
    env = os.environ | {
        "SPACE": str(tmp_path / "tiny.toml"),
        "FOLDER": str(folder),
        "TRIALS": "4",
        "ADDRESS": "127.0.0.1",
        "PYTHON": sys.executable,
        "SLURM_ARRAY_JOB_ID": "4711",
        "SLURM_PROCID": "0",
    }
    tasks = [
        subprocess.Popen(
            ["bash", SBATCH, "--lease", "20"],
            env=env | {"SLURM_ARRAY_TASK_ID": str(k)},
            cwd=DOCS.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for k in (1, 0)
    ]
    said = [task.communicate(timeout=540)[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], said
    results = read_search(folder)
    assert [t.status for t in results.trials] == ["completed"] * 4
    assert (folder / "front.json").is_file()
