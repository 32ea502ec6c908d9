"""The classic stateful tutorial in Keras, and the same with one line changed.

    python examples/keras_one_line.py [readings.csv]

The CSV's last column is the series; without one the hourly temperatures of New York JFK are looked for where this
repository's tests expect them, and the bundled Beijing series is taken where they are not at hand. Both engines train
the same model from the same weights on the same batches. Each is called once on a few samples first, because Keras
traces its graph in the first call and tsuzuki loads its kernels; that is not timed. Keras trains once, for half a
minute; tsuzuki's run is so short that whatever else the machine does shows in it, so it is the median of nine.
"""

import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np

import tsuzuki

STEPS = BATCH = 6
EPOCHS = 3
JFK = Path(__file__).resolve().parents[2] / "shared" / "data" / "jfk_temperature.csv"


def readings() -> tuple[str, np.ndarray]:
    """The series to train on, standardised, and where it is from."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else JFK
    if len(sys.argv) > 1 or path.exists():
        values, name = tsuzuki.read(path).frame["y"].to_numpy(), path.name
    else:
        from tsuzuki.data import datasets

        values, name = datasets.load("beijing").frame["y"].to_numpy(), "the bundled Beijing series"
    return name, ((values - values.mean()) / values.std()).astype(np.float32)


def make() -> keras.Model:
    """The tutorial's model."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(BATCH, STEPS, 1)),
            keras.layers.SimpleRNN(10, stateful=True),
            keras.layers.Dense(10, activation="tanh"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.RMSprop(), "mse")
    return model


def by_keras(model: keras.Model, x: np.ndarray, y: np.ndarray) -> list[float]:
    """As tutorials do it: no shuffling, and a reset before each epoch."""
    losses = []
    for _ in range(EPOCHS):
        model.layers[0].reset_state()
        losses += model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0).history["loss"]
    return losses


def by_tsuzuki(model: keras.Model, x: np.ndarray, y: np.ndarray) -> list[float]:
    """The one line."""
    return tsuzuki.fit(model, x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0).history["loss"]


def with_early_stopping(model: keras.Model, x: np.ndarray, y: np.ndarray) -> list[float]:
    """The one line with a callback that reads the weights."""
    stopping = keras.callbacks.EarlyStopping("loss", patience=EPOCHS, restore_best_weights=True)
    return tsuzuki.fit(model, x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=[stopping]).history["loss"]


def timed(train, x: np.ndarray, y: np.ndarray, runs: int = 1) -> tuple[list[float], float]:
    """The epochs' losses and the median of the seconds they took, each run from the start."""
    model, seconds, losses = make(), [], []
    start = model.get_weights()
    train(model, x[: 4 * BATCH], y[: 4 * BATCH])
    for _ in range(runs):
        model.set_weights(start)
        for variable in model.optimizer.variables:
            if "learning_rate" not in variable.path:
                variable.assign(keras.ops.zeros_like(variable))
        began = time.perf_counter()
        losses = train(model, x, y)
        seconds.append(time.perf_counter() - began)
    return losses, statistics.median(seconds)


def main() -> None:
    """Run both and print what they came to."""
    name, series = readings()
    x = np.lib.stride_tricks.sliding_window_view(series[:-1], STEPS)[:, :, None]
    y = series[STEPS:]
    # Keras needs whole batches; tsuzuki would mask what is left over.
    x, y = x[: len(x) // BATCH * BATCH], y[: len(y) // BATCH * BATCH]
    updates = EPOCHS * len(x) // BATCH
    print(f"{name}: {len(x):,} windows of {STEPS} steps, batches of {BATCH}, {EPOCHS} epochs, {updates:,} updates")
    expected, slow = timed(by_keras, x, y)
    rows = [(f"model.fit ({keras.backend.backend()})", expected, slow)]
    rows.append(("tsuzuki.fit", *timed(by_tsuzuki, x, y, runs=9)))
    rows.append(("tsuzuki.fit, EarlyStopping", *timed(with_early_stopping, x, y, runs=9)))
    print(f"{'':27}{'loss in each epoch':>32}{'seconds':>10}{'µs/update':>11}{'times':>8}")
    for label, losses, seconds in rows:
        shown = "  ".join(f"{loss:.6f}" for loss in losses)
        print(f"{label:27}{shown:>32}{seconds:10.3f}{seconds / updates * 1e6:11.2f}{slow / seconds:8,.0f}")
    furthest = max(abs(a / b - 1) for _, losses, _ in rows[1:] for a, b in zip(losses, expected, strict=True))
    print(f"the losses agree within {furthest:.4%}")


if __name__ == "__main__":
    main()
