"""JAX on a job: the whole epoch as one jitted `lax.scan` over updates, windows read through their starts."""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from competitor import answer, job_from


def cell_step(job, weights, x, state):
    """One step: x [lanes, 1]."""
    kernel, recurrent, bias = weights[:3]
    if job.cell == "SimpleRNN":
        h = jnp.tanh(x @ kernel + state[0] @ recurrent + bias)
        return (h,)
    if job.cell == "LSTM":
        i, f, c, o = jnp.split(x @ kernel + state[0] @ recurrent + bias, 4, axis=1)
        cell = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(c)
        return (jax.nn.sigmoid(o) * jnp.tanh(cell), cell)
    xz, xr, xh = jnp.split(x @ kernel + bias[0], 3, axis=1)
    hz, hr, hh = jnp.split(state[0] @ recurrent + bias[1], 3, axis=1)
    z, r = jax.nn.sigmoid(xz + hz), jax.nn.sigmoid(xr + hr)
    return (z * state[0] + (1 - z) * jnp.tanh(xh + r * hh),)


def epoch_of(job, series):
    """The jitted epoch: (weights, slots, starts) -> (weights, slots, losses)."""
    steps = jnp.arange(job.steps)

    def loss_of(weights, state, start):
        x = series[start[None, :] + steps[:, None]][:, :, None]

        def step(state, now):
            state = cell_step(job, weights, now, state)
            return state, state[0]

        state, out = jax.lax.scan(step, state, x, unroll=job.steps if job.steps <= 8 else 4)
        if job.every_step:
            y = series[start[None, :] + steps[:, None] + 1][:, :, None]
        else:
            out, y = out[-1], series[start + job.steps][:, None]
        if job.classic_head:
            out = jnp.tanh(out @ weights[3] + weights[4])
        return jnp.mean((out @ weights[-2] + weights[-1] - y) ** 2), state

    def update(carry, start):
        weights, slots, state = carry
        (loss, state), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights, state, start)
        slots = [0.9 * s + 0.1 * g * g for s, g in zip(slots, gradients, strict=True)]
        weights = [w - 1e-3 * g / jnp.sqrt(s + 1e-7) for w, g, s in zip(weights, gradients, slots, strict=True)]
        return (weights, slots, state), loss

    @jax.jit
    def epoch(weights, slots, starts):
        count = 2 if job.cell == "LSTM" else 1
        state = tuple(jnp.zeros((job.lanes, job.units)) for _ in range(count))
        (weights, slots, _), losses = jax.lax.scan(update, (weights, slots, state), starts)
        return weights, slots, losses

    return epoch


def main(rounds: int = 5) -> None:
    """Time the scan."""
    job = job_from(sys.argv)
    updates = min(job.updates, 4 * job.slow_updates)
    epoch = epoch_of(job, jnp.asarray(job.series()))
    starts = jnp.asarray(job.starts(updates).astype(np.int32))
    weights = [jnp.asarray(w) for w in job.weights()]
    slots = [jnp.zeros_like(w) for w in weights]
    began = time.perf_counter()
    losses = jax.block_until_ready(epoch(weights, slots, starts))[2]
    first, times = time.perf_counter() - began, []
    for _ in range(rounds):
        began = time.perf_counter()
        jax.block_until_ready(epoch(weights, slots, starts))
        times.append(time.perf_counter() - began)
    answer([t / updates * 1e6 for t in times], float(np.mean(losses[: job.checked])), first - times[0])


if __name__ == "__main__":
    main()
