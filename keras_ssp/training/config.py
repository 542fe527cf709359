"""The config of one training run: everything that decides its result."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from keras_ssp import models, penalties, surrogates
from keras_ssp._checks import one_of, positive_int, real
from keras_ssp._extras import require
from keras_ssp.datasets import NAMES
from keras_ssp.datasets.training_batches import AUGMENTATIONS
from keras_ssp.energy import hardware
from keras_ssp.layers.lif import RESETS
from keras_ssp.models.builder import POOLINGS

_WEIGHTED: dict[str, Callable[..., penalties.SpikePenalty]] = {
    "synaptic": penalties.SynapticPenalty,
    "spike_count": penalties.SpikeCountPenalty,
    "balanced": penalties.BalancedPenalty,
}
PENALTIES = ("none", *_WEIGHTED, "synops_target")
OPTIMIZERS = ("adamw", "sgd")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def _field(default: Any, help: str, **metadata: Any) -> Any:
    # The help stands once: the command line shows it too.
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


def choices(field: dataclasses.Field[Any]) -> tuple[str, ...] | None:
    """The values that a field may have; names a user registered count too."""
    found = field.metadata.get("choices")
    return tuple(found()) if callable(found) else found


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides the result of one training run.

    `keras-ssp train --help` lists the fields with what they mean; the flags have
    their names.

    Raises:
        ValueError: If a value breaks its rule, or two do not go together.

    Example:

    >>> config = TrainConfig(data="fashion_mnist", penalty="synaptic", weight=0.1)
    >>> TrainConfig.from_dict(config.to_dict()) == config
    True
    """

    data: str = _field("digits", "data set", choices=NAMES)
    train_samples: int | None = _field(
        None, "use only so many training samples, and as large a share for validation"
    )
    augment: str = _field(
        "none",
        "random crops and mirror images of the training data",
        choices=AUGMENTATIONS,
    )

    model: str = _field("small_cnn", "network", choices=models.names)
    width: float = _field(1.0, "multiplies the number of all filters")
    time_steps: int = _field(4, "T, simulation steps per image")
    activation: str = _field(
        "lif",
        "neurons; relu and qcfs make the ANN of the same shape",
        choices=models.activation_names,
    )
    pooling: str = _field("average", "kind of pooling", choices=POOLINGS)
    beta: float = _field(0.5, "leak factor of the LIF neurons")
    threshold: float = _field(1.0, "threshold of the LIF neurons")
    reset: str = _field("hard", "reset of the LIF neurons", choices=RESETS)
    surrogate: str = _field("triangle", "surrogate gradient", choices=surrogates.names)

    penalty: str = _field("synaptic", "penalty", choices=PENALTIES)
    weight: float = _field(0.0, "lambda, the weight of the penalty in the loss")
    p: float = _field(1.0, "exponent of the penalty")
    normalize: bool = _field(
        True,
        "divide the penalty by its largest possible value, so that lambda means "
        "the same in every network",
    )
    target: float | None = _field(None, "S_0 of the synops_target penalty, in SynOps")
    ramp: float = _field(0.0, "epochs over which lambda rises from 0")

    epochs: int = _field(20, "passes over the training data")
    batch_size: int = _field(64, "images per step")
    optimizer: str = _field("adamw", "optimiser", choices=OPTIMIZERS)
    learning_rate: float = _field(2e-3, "peak learning rate, then cosine decay to 0")
    warmup: float = _field(0.0, "epochs of linear warm-up to the peak")
    weight_decay: float = _field(0.0, "decoupled decay of kernels")
    momentum: float = _field(0.9, "of sgd")
    clip_norm: float | None = _field(None, "largest global norm of the gradient")
    label_smoothing: float = _field(0.0, "share of the label spread over all classes")
    precision: str = _field("float32", "Keras dtype policy", choices=PRECISIONS)
    seed: int = _field(0, "of weights, order of the samples and augmentation")

    energy_model: str = _field("cmos45", "what operations cost", choices=hardware.names)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            allowed = choices(field)
            if allowed is not None:
                one_of(field.name, getattr(self, field.name), allowed)
        for name in ("time_steps", "epochs", "batch_size"):
            positive_int(name, getattr(self, name))
        positive_int("train_samples", self.train_samples, optional=True)
        real("beta", self.beta, low=0.0, high=1.0)
        real("p", self.p, low=1.0)
        real("momentum", self.momentum, low=0.0, high=1.0)
        real("label_smoothing", self.label_smoothing, low=0.0, high=0.5)
        for name in ("weight", "weight_decay"):
            real(name, getattr(self, name), low=0.0)
        for name in ("width", "threshold", "learning_rate"):
            real(name, getattr(self, name), above=0.0)
        for name in ("ramp", "warmup"):
            real(name, getattr(self, name), low=0.0, high=self.epochs)
        for name in ("clip_norm", "target"):
            if getattr(self, name) is not None:
                real(name, getattr(self, name), above=0.0)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise ValueError(
                f"`seed` must be an integer. Received: seed={self.seed!r}."
            )
        self._check_penalty()

    def _check_penalty(self) -> None:
        if (self.penalty == "synops_target") != (self.target is not None):
            raise ValueError(
                "`target` must be given with penalty='synops_target', and only then. "
                f"Received: penalty={self.penalty!r}, target={self.target!r}."
            )
        if self.activation != "lif" and self.penalty != "none":
            raise ValueError(
                "`penalty` must be 'none' in a network without spikes. Received: "
                f"penalty={self.penalty!r}, activation={self.activation!r}."
            )
        if self.penalty == "none" and self.weight:
            raise ValueError(
                "`weight` must be 0 with penalty='none'. "
                f"Received: weight={self.weight!r}."
            )

    def make_penalty(self) -> penalties.SpikePenalty | None:
        """The penalty of the config, `None` for none."""
        if self.penalty == "none":
            return None
        if self.target is not None:
            return penalties.SynOpsTarget(self.weight, target=self.target)
        cls = _WEIGHTED[self.penalty]
        return cls(self.weight, p=self.p, normalize=self.normalize)

    def to_dict(self) -> dict[str, Any]:
        """The config as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Restores a config; unknown names are an error."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(
                f"A config must only have the names {', '.join(sorted(known))}. "
                f"Received: {', '.join(unknown)}."
            )
        return cls(**values)


def read_config(path: str | pathlib.Path) -> dict[str, Any]:
    """Reads the values of a config file: `.toml`, `.json`, `.yaml` or `.yml`.

    Raises:
        ValueError: If the ending is another one, or the file does not parse to a
            table of names and values.
        ImportError: If a YAML file is read without PyYAML.
        OSError: If the file cannot be read.
    """
    path = pathlib.Path(path)
    readers: dict[str, Callable[[str], Any]] = {
        ".toml": tomllib.loads,
        ".json": json.loads,
        ".yaml": _yaml,
        ".yml": _yaml,
    }
    if path.suffix not in readers:
        raise ValueError(
            f"`config` must be a file that ends in {', '.join(readers)}. "
            f"Received: config={str(path)!r}."
        )
    text = path.read_text(encoding="utf-8")
    try:
        values = readers[path.suffix](text)
    except ImportError:
        raise
    except Exception as error:  # each format has errors of its own
        raise ValueError(f"`config` does not parse: {path}: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(
            "`config` must be a table of names and values. "
            f"Received: {type(values).__name__} in {path}."
        )
    return values


def _yaml(text: str) -> Any:
    return require("yaml", extra="yaml").safe_load(text)
