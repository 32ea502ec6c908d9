"""Calls that are mostly overhead, in Keras 3; run with `python` and with `tsuzuki run`.

    python small_calls.py ROUNDS

Prints a JSON line for each kind of call: the fastest and the median round in seconds a call, the least CPU time of all
threads, and what came out.
"""

import json
import sys
import time

import keras
import numpy as np

rounds = int(sys.argv[1])


def timed(name, call, calls, check):
    """Time rounds of calls, after one that makes everything ready."""
    call()
    seconds, cpu = [], []
    for _ in range(rounds):
        began = time.perf_counter(), time.process_time()
        for _ in range(calls):
            call()
        seconds.append((time.perf_counter() - began[0]) / calls)
        cpu.append((time.process_time() - began[1]) / calls)
    row = {"what": name, "best": min(seconds), "median": float(np.median(seconds)), "cpu": min(cpu), "found": check()}
    print(json.dumps(row), flush=True)


def model_of(layer, batch_shape, optimizer=None):
    """A compiled model of one cell."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(batch_shape=batch_shape), layer, keras.layers.Dense(1)])
    model.compile(optimizer=optimizer or keras.optimizers.RMSprop(0.001), loss="mean_squared_error")
    return model


random = np.random.default_rng(0)

model = model_of(keras.layers.LSTM(32, stateful=True), (1, 1, 1))
one = np.full((1, 1, 1), 0.5, np.float32)
timed(
    "predict, 1 step of a stateful LSTM(32)",
    lambda: model.predict(one, verbose=0),
    20,
    lambda: float(model.predict(one, verbose=0)[0, 0]),
)

trained = model_of(keras.layers.LSTM(32), (32, 24, 1))
x = random.standard_normal((32, 24, 1)).astype(np.float32)
y = random.standard_normal((32, 1)).astype(np.float32)
timed(
    "train_on_batch, LSTM(32), 32 x 24",
    lambda: trained.train_on_batch(x, y),
    20,
    lambda: float(trained.train_on_batch(x, y)),
)

# Brownlee's model of the shampoo sales: 23 samples, batches of one, 19 variables with Adam's.
small = model_of(keras.layers.LSTM(4, stateful=True), (1, 1, 1), keras.optimizers.Adam())
rows, aims = random.standard_normal((23, 1, 1)).astype(np.float32), random.standard_normal((23, 1)).astype(np.float32)


def turn():
    """An epoch, as scripts write it that reset by hand."""
    small.fit(rows, aims, epochs=1, batch_size=1, verbose=0, shuffle=False)
    small.layers[0].reset_state()


timed(
    "fit of one epoch on 23 samples, reset_state",
    turn,
    10,
    lambda: float(small.evaluate(rows, aims, batch_size=1, verbose=0)),
)
