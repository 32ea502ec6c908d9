"""Calls that are mostly overhead, in Keras 3; run with `python` and with `tsuzuki run`.

    python small_calls.py ROUNDS

Prints a JSON line for each kind of call: the fastest and the median round in seconds a call, the least CPU time of all
threads, and what the first three calls came to.
"""

import json
import sys
import time

import keras
import numpy as np

rounds = int(sys.argv[1])


def timed(name, call, calls):
    """Time rounds of calls, after three that make everything ready."""
    found, seconds, cpu = [float(call()) for _ in range(3)], [], []
    for _ in range(rounds):
        began = time.perf_counter(), time.process_time()
        for _ in range(calls):
            call()
        seconds.append((time.perf_counter() - began[0]) / calls)
        cpu.append((time.process_time() - began[1]) / calls)
    row = {"what": name, "best": min(seconds), "median": float(np.median(seconds)), "cpu": min(cpu), "found": found}
    print(json.dumps(row), flush=True)


def model_of(units, stateful, batch_shape, optimizer=None):
    """A compiled model of one LSTM."""
    keras.utils.set_random_seed(1)
    cell = keras.layers.LSTM(units, stateful=stateful)
    model = keras.Sequential([keras.Input(batch_shape=batch_shape), cell, keras.layers.Dense(1)])
    model.compile(optimizer=optimizer or keras.optimizers.RMSprop(0.001), loss="mean_squared_error")
    return model


random = np.random.default_rng(0)

model = model_of(32, True, (1, 1, 1))
one = np.full((1, 1, 1), 0.5, np.float32)
timed("predict, 1 step of a stateful LSTM(32)", lambda: model.predict(one, verbose=0)[0, 0], 20)
timed("model(x), the same step", lambda: model(one)[0, 0], 20)

trained = model_of(32, False, (32, 24, 1))
x = random.standard_normal((32, 24, 1)).astype(np.float32)
y = random.standard_normal((32, 1)).astype(np.float32)
timed("train_on_batch, LSTM(32), 32 x 24", lambda: trained.train_on_batch(x, y), 20)

# Brownlee's model of the shampoo sales: 23 samples, batches of one, 19 variables with Adam's.
small = model_of(4, True, (1, 1, 1), keras.optimizers.Adam())
rows, aims = random.standard_normal((23, 1, 1)).astype(np.float32), random.standard_normal((23, 1)).astype(np.float32)


def turn():
    """An epoch, as scripts write it that reset by hand."""
    found = small.fit(rows, aims, epochs=1, batch_size=1, verbose=0, shuffle=False)
    small.layers[0].reset_state()
    return found.history["loss"][0]


timed("fit of one epoch on 23 samples; reset_state()", turn, 10)
