"""The LIF neuron and its backpropagation through time, in float64 NumPy."""

import numpy as np


def lif_forward(x, *, beta, threshold, reset, initial_potential=0.0):
    """Spikes, potentials before and after reset, all (batch, time, neurons)."""
    x = np.asarray(x, "float64")
    s, v, u = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    before = np.full_like(x[:, 0], initial_potential)
    for t in range(x.shape[1]):
        v[:, t] = beta * before + x[:, t]
        s[:, t] = v[:, t] >= threshold
        if reset == "hard":
            u[:, t] = np.where(s[:, t] == 1, 0.0, v[:, t])
        elif reset == "soft":
            u[:, t] = v[:, t] - threshold * s[:, t]
        else:
            u[:, t] = v[:, t]
        before = u[:, t]
    return s, v, u


def lif_backward(
    x,
    ds,
    du,
    *,
    beta,
    threshold,
    reset,
    detach_reset,
    derivative,
    initial_potential=0.0,
):
    """Gradients of sum(ds * s + du * u): dx, dbeta and dthreshold.

    Written from the chain rule, one partial derivative per line, with `derivative`
    (of v - threshold) in the place of dH/dv.
    """
    s, v, u = lif_forward(
        x,
        beta=beta,
        threshold=threshold,
        reset=reset,
        initial_potential=initial_potential,
    )
    dx = np.zeros_like(v)
    dbeta = dthreshold = 0.0
    carried = np.zeros_like(v[:, 0])
    for t in reversed(range(v.shape[1])):
        g = derivative(v[:, t] - threshold)
        du_dv, du_ds, du_dth = {
            "hard": (1 - s[:, t], -v[:, t], 0.0),
            "soft": (1.0, -threshold, -s[:, t]),
            "none": (1.0, 0.0, 0.0),
        }[reset]
        if detach_reset:
            du_ds = 0.0
        to_u = du[:, t] + carried
        to_s = ds[:, t] + to_u * du_ds
        to_v = to_u * du_dv + to_s * g
        before = u[:, t - 1] if t else np.full_like(u[:, 0], initial_potential)
        dx[:, t] = to_v
        dbeta += (to_v * before).sum()
        dthreshold += (to_u * du_dth - to_s * g).sum()
        carried = beta * to_v
    return {"dx": dx, "dbeta": dbeta, "dthreshold": dthreshold}
