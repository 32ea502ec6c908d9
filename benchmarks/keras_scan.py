"""A Keras model's row as JAX would have it by hand: the epoch one jitted scan over updates, in each a scan over steps.

The weights are drawn by Keras and the layers' formulas are its own; no mask.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras

EPSILON = 1e-7


def _cell(kind: str, weights: list[Any], x: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    """One step: x [lanes, gates], multiplied by the kernel already."""
    _, recurrent, bias = weights
    if kind == "LSTM":
        i, f, c, o = jnp.split(x + state[0] @ recurrent + bias, 4, axis=1)
        cell = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(c)
        return jax.nn.sigmoid(o) * jnp.tanh(cell), cell
    xz, xr, xh = jnp.split(x + bias[0], 3, axis=1)
    hz, hr, hh = jnp.split(state[0] @ recurrent + bias[1], 3, axis=1)
    z = jax.nn.sigmoid(xz + hz)
    return (z * state[0] + (1 - z) * jnp.tanh(xh + jax.nn.sigmoid(xr + hr) * hh),)


def _over_steps(layer: Any, weights: list[Any], x: Any, state: Any) -> tuple[Any, Any]:
    """A recurrent layer: outputs [lanes, steps, units] or the last, and the states behind them."""
    along = jnp.moveaxis(x @ weights[0], 1, 0)
    if layer.go_backwards:
        along = along[::-1]

    def step(carried: Any, now: Any) -> tuple[Any, Any]:
        carried = _cell(type(layer).__name__, weights, now, carried)
        return carried, carried[0]

    state, out = jax.lax.scan(step, state, along, unroll=min(8, len(along)))
    return (jnp.moveaxis(out, 0, 1) if layer.return_sequences else state[0]), state


def epoch_of(row: Any, x: Any, y: Any) -> Callable[[], None]:
    """A function that trains for one more epoch.

    Raises:
        SystemExit: a layer that is not written here.
    """
    keras.utils.set_random_seed(0)
    layers = keras.Sequential(row.layers(keras)).layers
    kinds = {type(layer).__name__ for layer in layers}
    if odd := kinds - {"Embedding", "LSTM", "GRU", "Bidirectional", "Dense"}:
        raise SystemExit(f"{', '.join(odd)} is not written as a scan")
    cells = [
        cell
        for layer in layers
        for cell in ((layer.forward_layer, layer.backward_layer) if hasattr(layer, "forward_layer") else (layer,))
    ]
    drawn = [[jnp.asarray(weight.value) for weight in cell.weights] for cell in cells]
    zeros = [
        tuple(jnp.zeros((row.lanes, cell.units)) for _ in range(2 if type(cell).__name__ == "LSTM" else 1))
        if isinstance(cell, keras.layers.RNN)
        else ()
        for cell in cells
    ]

    def loss_of(weights: Any, states: Any, x: Any, y: Any) -> tuple[Any, Any]:
        after, at = [], 0
        for layer in layers:
            if hasattr(layer, "forward_layer"):
                both = [_over_steps(cells[at + n], weights[at + n], x, states[at + n]) for n in range(2)]
                x, new = jnp.concatenate([out for out, _ in both], axis=-1), [state for _, state in both]
            elif isinstance(layer, keras.layers.RNN):
                x, state = _over_steps(layer, weights[at], x, states[at])
                new = [state]
            elif type(layer).__name__ == "Embedding":
                x, new = weights[at][0][x], [()]
            else:
                # The softmax or sigmoid belongs to the loss.
                x, new = x @ weights[at][0] + weights[at][1], [()]
            after, at = after + new, at + len(new)
        kept = [
            state if getattr(cell, "stateful", False) else zero
            for cell, state, zero in zip(cells, after, zeros, strict=True)
        ]
        if row.loss == "mse":
            return jnp.mean((x - y) ** 2), kept
        if row.loss == "binary_crossentropy":
            return jnp.mean(jnp.maximum(x, 0) - x * y + jnp.log1p(jnp.exp(-jnp.abs(x)))), kept
        logs = jax.nn.log_softmax(x)
        if row.loss == "logits":
            return -jnp.mean(jnp.take_along_axis(logs, y[..., None], axis=-1)), kept
        return -jnp.mean(jnp.sum(y * logs, axis=-1)), kept

    def update(carried: Any, batch: Any) -> tuple[Any, Any]:
        weights, means, squares, count, states = carried
        (loss, states), slopes = jax.value_and_grad(loss_of, has_aux=True)(weights, states, *batch)
        count = count + 1
        first, second = (0.0, 0.9) if row.optimizer == "rmsprop" else (0.9, 0.999)
        means = jax.tree.map(lambda m, g: first * m + (1 - first) * g, means, slopes)
        squares = jax.tree.map(lambda s, g: second * s + (1 - second) * g * g, squares, slopes)
        rate = 1e-3 if row.optimizer == "rmsprop" else 1e-3 * jnp.sqrt(1 - second**count) / (1 - first**count)
        weights = jax.tree.map(lambda w, m, s: w - rate * m / (jnp.sqrt(s) + EPSILON), weights, means, squares)
        return (weights, means, squares, count, states), loss

    batches = [jnp.asarray(array).reshape(-1, row.lanes, *array.shape[1:]) for array in (x, y)]
    run = jax.jit(lambda carried: jax.lax.scan(update, carried, batches))
    nothing = jax.tree.map(jnp.zeros_like, drawn)
    held = [(drawn, nothing, nothing, jnp.zeros(()), zeros)]

    def epoch() -> None:
        held[0], losses = run(held[0])
        if not jnp.isfinite(jax.block_until_ready(losses)).all():
            raise SystemExit("the loss is not finite")

    return epoch
