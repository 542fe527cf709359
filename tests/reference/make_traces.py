"""Makes `traces.json`: what snnTorch and SpikingJelly compute for given currents.

Run once, by hand, where both libraries are installed (neither is a dependency):

    pip install torch snntorch==1.0.0 spikingjelly==2.0.0
    python tests/reference/make_traces.py

Conventions found by running, which the table states per trace:

* snnTorch `Leaky(beta, reset_delay=False)`: `mem = beta * mem + x`, spike where
  `mem > threshold`, reset in the same step ("subtract" is our soft, "zero" our hard
  reset); the gradient passes through the reset.
* SpikingJelly `LIFNode(tau, decay_input=False)`: `v = v * (1 - 1/tau) + x`, so
  `beta = 1 - 1/tau`; spike where `v >= threshold`; `v_reset=0.` is our hard and
  `v_reset=None` our soft reset; `detach_reset` as ours. `IFNode` is `beta=1`.
* Both give ATan the derivative `alpha / 2 / (1 + (pi / 2 * alpha * x)^2)`, our
  `ArcTan(slope=alpha)`.

The currents keep every potential 1e-3 away from the threshold, so `>` against `>=`
makes no difference to the traces.
"""

import json
import pathlib
from importlib.metadata import version

import numpy as np
import snntorch
import spikingjelly.activation_based.neuron as sj_neuron
import spikingjelly.activation_based.surrogate as sj_surrogate
import torch
from lif_numpy import lif_forward
from snntorch import surrogate as sn_surrogate

STEPS, NEURONS, ALPHA = 12, 8, 2.0


def currents(seed, beta, reset):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-0.4, 1.5, (STEPS, NEURONS)).astype("float32")
    while True:
        _, v, _ = lif_forward(x[None], beta=beta, threshold=1.0, reset=reset)
        near = np.abs(v[0] - 1.0) < 1e-3
        if not near.any():
            return x
        x = (x + 0.01 * near).astype("float32")


def run_snntorch(x, beta, reset, detach):
    neuron = snntorch.Leaky(
        beta=beta,
        reset_delay=False,
        reset_mechanism={"soft": "subtract", "hard": "zero"}[reset],
        spike_grad=sn_surrogate.atan(alpha=ALPHA),
    )
    mem, spikes, potentials = neuron.init_leaky(), [], []
    for current in x:
        s, mem = neuron(current, mem)
        spikes.append(s)
        potentials.append(mem)
    return torch.stack(spikes), torch.stack(potentials)


def run_spikingjelly(x, beta, reset, detach):
    options = {
        "v_reset": 0.0 if reset == "hard" else None,
        "detach_reset": detach,
        "surrogate_function": sj_surrogate.ATan(alpha=ALPHA),
    }
    if beta == 1.0:
        neuron = sj_neuron.IFNode(**options)
    else:
        neuron = sj_neuron.LIFNode(tau=1 / (1 - beta), decay_input=False, **options)
    spikes, potentials = [], []
    for current in x:
        spikes.append(neuron(current))
        potentials.append(neuron.v)
    return torch.stack(spikes), torch.stack(potentials)


def trace(library, run, seed, beta, reset, detach):
    x = currents(seed, beta, reset)
    weights = np.random.default_rng(seed + 100).normal(size=x.shape).astype("float32")
    current = torch.tensor(x, requires_grad=True)
    s, u = run(current, beta, reset, detach)
    (s * torch.tensor(weights)).sum().backward()
    return {
        "library": library,
        "version": version(library),
        "beta": beta,
        "threshold": 1.0,
        "reset": reset,
        "detach_reset": detach,
        "surrogate": {"name": "arctan", "slope": ALPHA},
        "current": x.tolist(),
        "weights": weights.tolist(),
        "spikes": s.detach().int().tolist(),
        "potential": u.detach().tolist(),
        "gradient": current.grad.tolist(),
    }


def main():
    traces, seed = [], 0
    for beta in (0.5, 1.0):
        for reset in ("hard", "soft"):
            runs = [("snntorch", run_snntorch, False)] if beta < 1 else []
            runs += [("spikingjelly", run_spikingjelly, d) for d in (False, True)]
            for library, run, detach in runs:
                traces.append(trace(library, run, seed, beta, reset, detach))
                seed += 1
    path = pathlib.Path(__file__).with_name("traces.json")
    rows = ",\n".join(json.dumps(row) for row in traces)
    path.write_text(f"[\n{rows}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
