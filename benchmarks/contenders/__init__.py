"""Who is measured. Each module has `build(case, compiled)`.

It returns what can be run: `"forward"`, `"train"` (loss, gradient and update; of a
neuron layer, output and gradient), and `"copy"` of the same bytes.
"""

from __future__ import annotations

import dataclasses

#: With more steps, `torch.compile` takes minutes for a loop that is written in Python.
MOST_COMPILED = 32


@dataclasses.dataclass(frozen=True)
class Contender:
    """A package in a way of running it.

    Args:
        name: What the tables call it.
        module: Module of this package that builds its cases.
        package: The package that must be there.
        backend: Backend of Keras, for this package alone.
        compiled: Whether `torch.compile` runs it.
        parts: Parts that it takes part in.
    """

    name: str
    module: str
    package: str
    backend: str = ""
    compiled: bool = False
    parts: tuple[str, ...] = ("neuron", "linear", "network")

    def takes(self, part: str, steps: int) -> bool:
        """Whether it is measured on such a case."""
        return part in self.parts and (not self.compiled or steps <= MOST_COMPILED)

    @property
    def ours(self) -> bool:
        return self.package == "keras_ssp"


_NO_NETWORK = ("neuron", "linear")
CONTENDERS = (
    Contender("keras_ssp, TensorFlow", "ours", "keras_ssp", "tensorflow"),
    Contender("keras_ssp, JAX", "ours", "keras_ssp", "jax"),
    Contender("keras_ssp, PyTorch", "ours", "keras_ssp", "torch"),
    Contender("snnTorch", "snntorch", "snntorch"),
    Contender("snnTorch, compiled", "snntorch", "snntorch", compiled=True),
    Contender("SpikingJelly", "spikingjelly", "spikingjelly"),
    Contender("SpikingJelly, compiled", "spikingjelly", "spikingjelly", compiled=True),
    Contender("Norse", "norse", "norse"),
    Contender("sinabs", "sinabs", "sinabs"),
    Contender("PyTorch loop, compiled", "loop", "torch", compiled=True),
    Contender("Spyx", "spyx", "spyx", parts=_NO_NETWORK),
    Contender("jaxpike", "jaxpike", "jaxpike", parts=_NO_NETWORK),
)
