"""The config of one training run: everything that decides its result."""

from __future__ import annotations

import copy
import dataclasses

from keras_ssp import datasets, models, penalties, surrogates
from keras_ssp._checks import (
    boolean,
    did_you_mean,
    positive_int,
    real,
    shown,
    whole,
)
from keras_ssp._units import picojoules
from keras_ssp.datasets.augmentation import AUGMENTATIONS
from keras_ssp.datasets.own import KINDS
from keras_ssp.datasets.registry import check_name
from keras_ssp.energy import hardware
from keras_ssp.layers import get_neuron, neuron_arguments, neuron_names
from keras_ssp.layers.lif import RESETS
from keras_ssp.models.builder import POOLINGS
from keras_ssp.training._arguments import Argument, select, takes
from keras_ssp.training._fields import check_fields, field
from keras_ssp.training.optimizers import optimizer_arguments, optimizer_names
from keras_ssp.types import Config, Table

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
# Fields that are arguments of the neurons, where these take them.
NEURON_FIELDS = ("beta", "threshold", "reset", "surrogate")


def penalty_names() -> tuple[str, ...]:
    """What `penalty` may be: `"none"` and every registered penalty."""
    return ("none", *penalties.names())


def penalty_takes(penalty: str, argument: str) -> bool:
    """Whether a penalty's constructor has an argument, such as `p` or `target`."""
    return penalty != "none" and takes(penalties.get(penalty), argument)


def _checked_prices(argument: str, value: object) -> None:
    if not isinstance(value, str):  # what a file of a config can hold
        raise ValueError(
            f"`{argument}` must be a name or a path. Received: {argument}={value!r}."
        )
    hardware.get(value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides the result of one training run.

    `keras-ssp train --help` lists the fields with what they mean; the flags have
    their names.

    Raises:
        ValueError: If a value is not one of those that its field may have, or two do
            not go together.

    Example:

    >>> config = TrainConfig(data="fashion_mnist", penalty="synaptic", weight=0.1)
    >>> TrainConfig.from_dict(config.to_dict()) == config
    True
    """

    data: str = field(
        "digits",
        "data set",
        check=check_name,
        names=datasets.names,
        also=KINDS,
    )
    train_samples: int | None = field(
        None, "training samples to use at most, and as large a share for validation"
    )
    augment: str = field(
        "none",
        "random crops and mirror images of the training data",
        choices=AUGMENTATIONS,
    )

    model: str = field("small_cnn", "network", choices=models.names)
    width: float = field(1.0, "multiplies the number of all filters")
    time_steps: int = field(4, "T, simulation steps per image")
    activation: str = field(
        "lif",
        "neurons; relu and qcfs make the ANN of the same shape",
        choices=models.activation_names,
    )
    pooling: str = field("average", "kind of pooling", choices=POOLINGS)
    beta: float = field(0.5, "leak factor of the neurons")
    threshold: float = field(1.0, "threshold of the neurons")
    reset: str = field("hard", "reset of the neurons", choices=RESETS)
    surrogate: str = field("triangle", "surrogate gradient", choices=surrogates.names)
    neuron: Config = dataclasses.field(
        default_factory=dict,
        hash=False,
        metadata={"help": "a further argument of the neurons; may be repeated"},
    )

    penalty: str = field("synaptic", "penalty", choices=penalty_names)
    weight: float = field(0.0, "lambda, the weight of the penalty in the loss")
    p: float = field(1.0, "exponent of the penalty")
    normalize: bool = field(
        True,
        "divide the penalty by its largest possible value, so that lambda means "
        "the same in every network",
    )
    target: float | None = field(None, "S_0 of the synops_target penalty, in SynOps")
    ramp: float = field(0.0, "epochs over which lambda rises from 0")
    budget: str | None = field(
        None,
        "synaptic energy that the network may spend per image, such as '50 nJ'; "
        "lambda is found while it trains",
    )

    epochs: int = field(20, "passes over the training data")
    batch_size: int = field(64, "images per step")
    optimizer: str = field("adamw", "optimiser", choices=optimizer_names)
    learning_rate: float = field(2e-3, "peak learning rate, then cosine decay to 0")
    warmup: float = field(0.0, "epochs of linear warm-up to the peak")
    weight_decay: float = field(0.0, "decoupled decay of kernels")
    momentum: float = field(0.9, "of sgd")
    clip_norm: float | None = field(None, "largest global norm of the gradient")
    label_smoothing: float = field(0.0, "share of the label spread over all classes")
    precision: str = field("float32", "Keras dtype policy", choices=PRECISIONS)
    seed: int = field(0, "of weights, order of the samples and augmentation")

    energy_model: str = field(
        "cmos45",
        "what operations cost",
        check=_checked_prices,
        names=hardware.names,
        also="a .toml or .json file with ac_pj, mac_pj, ...",
    )

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("time_steps", "epochs", "batch_size"):
            self._set(name, positive_int(name, getattr(self, name)))
        samples = positive_int("train_samples", self.train_samples, optional=True)
        self._set("train_samples", samples)
        self._real(("beta", "momentum"), low=0.0, high=1.0)
        self._real(("p",), low=1.0)
        self._real(("label_smoothing",), low=0.0, high=0.5)
        self._real(("weight", "weight_decay"), low=0.0)
        self._real(("width", "threshold", "learning_rate"), above=0.0)
        self._real(("ramp", "warmup"), low=0.0, high=self.epochs)
        self._real(("clip_norm", "target"), above=0.0)
        named = isinstance(self.neuron, dict)
        if not named or not all(isinstance(name, str) for name in self.neuron):
            raise ValueError(
                "`neuron` must be a table of names and values. "
                f"Received: neuron={shown(self.neuron)}."
            )
        self._set("seed", whole("seed", self.seed))
        self._set("normalize", boolean("normalize", self.normalize))
        self._check_penalty()
        self._check_budget()
        self.neuron_arguments()
        self.optimizer_arguments()

    def _set(self, name: str, value: object) -> None:
        # A plain number, whatever it was given as: a NumPy one cannot go into a file.
        object.__setattr__(self, name, value)

    def _real(self, names: tuple[str, ...], **bounds: float) -> None:
        for name in names:
            if getattr(self, name) is not None:
                value = real(name, getattr(self, name), **bounds)
                kept = getattr(self, name)
                self._set(name, kept if type(kept) in (int, float) else value)

    def _check_penalty(self) -> None:
        if penalty_takes(self.penalty, "target") != (self.target is not None):
            raise ValueError(
                "`target` must be given with penalty='synops_target', or another that "
                f"takes one, and only then. Received: penalty={self.penalty!r}, "
                f"target={self.target!r}."
            )
        if not self.spiking and self.penalty != "none":
            raise ValueError(
                "`penalty` must be 'none' in a network without spikes. Received: "
                f"penalty={self.penalty!r}, activation={self.activation!r}."
            )
        if self.penalty == "none" and self.weight:
            raise ValueError(
                "`weight` must be 0 with penalty='none'. "
                f"Received: weight={self.weight!r}."
            )
        self.make_penalty()

    def _check_budget(self) -> None:
        if self.budget is None:
            return
        picojoules("budget", self.budget)
        if self.penalty == "none":
            raise ValueError(
                "`penalty` must not be 'none' with a budget, which is kept by moving "
                f"lambda. Received: penalty='none', budget={self.budget!r}."
            )
        for name in ("weight", "ramp"):
            if getattr(self, name):
                raise ValueError(
                    f"`{name}` must be left out with a budget, which moves lambda "
                    f"itself. Received: {name}={getattr(self, name)!r}, "
                    f"budget={self.budget!r}."
                )

    @property
    def budget_pj(self) -> float | None:
        """The budget in pJ, `None` for none."""
        return None if self.budget is None else picojoules("budget", self.budget)

    @property
    def spiking(self) -> bool:
        """Whether the network has spiking neurons."""
        return self.activation in neuron_names()

    def make_penalty(self) -> penalties.SpikePenalty | None:
        """The penalty of the config, `None` for none.

        Raises:
            ValueError: If its constructor does not take a value that was chosen.
        """
        if self.penalty == "none":
            return None
        cls = penalties.get(self.penalty)
        given = self._arguments(("weight", "p", "normalize", "target"))
        found: penalties.SpikePenalty = cls(
            **select(cls, given, f"penalty={self.penalty!r}")
        )
        return found

    def neuron_arguments(self) -> Config:
        """The arguments of the neurons, none for an ANN.

        Raises:
            ValueError: If the neurons do not take a value that was chosen.
        """
        if not self.spiking:
            if self.neuron:
                raise ValueError(
                    "`neuron` must be empty in a network without spikes. Received: "
                    f"neuron={self.neuron!r}, activation={self.activation!r}."
                )
            return {}
        cls = get_neuron(self.activation)
        known = neuron_arguments(cls)
        taken = []
        for name, argument in self._arguments(NEURON_FIELDS).items():
            if name in known:
                taken.append(name)
            elif argument.value != argument.default:
                raise ValueError(
                    f"`{name}` must be left out with activation={self.activation!r}, "
                    "whose neurons take no such argument. Received: "
                    f"{name}={argument.value!r}."
                )
        further = tuple(n for n in known if n not in NEURON_FIELDS)
        for name in self.neuron:
            if name not in further:
                raise ValueError(
                    f"`neuron` must only have arguments of activation="
                    f"{self.activation!r} that are no field of the config: "
                    f"{', '.join(further)}. Received: {name}."
                    f"{did_you_mean(name, further)}"
                )
        return {name: getattr(self, name) for name in taken} | self.neuron

    def optimizer_arguments(self) -> Config:
        """The arguments of the optimiser, without the learning rate.

        Raises:
            ValueError: If it does not take a value that was chosen.
        """
        given = self._arguments(("weight_decay", "clip_norm"))
        given["global_clipnorm"] = given.pop("clip_norm")
        # Of sgd, as its help says; others are as they are without it.
        given["momentum"] = Argument("momentum", self.momentum, self.momentum)
        return optimizer_arguments(self.optimizer, given)

    def _arguments(self, names: tuple[str, ...]) -> dict[str, Argument]:
        default = {f.name: f.default for f in dataclasses.fields(self)}
        return {n: Argument(n, getattr(self, n), default[n]) for n in names}

    def with_data(self, name: str) -> TrainConfig:
        """The config with another `data`, which no `datasets.register` need know.

        What was trained on data that was given as an `ImageData` has its name here.
        """
        found = copy.copy(self)
        object.__setattr__(found, "data", name)
        return found

    def to_dict(self) -> Config:
        """The config as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Table) -> TrainConfig:
        """Restores a config.

        Raises:
            ValueError: If there is no field of a name; the closest one is proposed.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(map(str, set(values) - known))
        if unknown:
            raise ValueError(
                f"A config must only have the names {', '.join(sorted(known))}. "
                f"Received: {', '.join(unknown)}.{did_you_mean(unknown[0], known)}"
            )
        return cls(**values)
