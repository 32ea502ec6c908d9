"""The same as `as_of_2019.py`, ported to Keras 3."""

import json
import sys
import time

import keras
import numpy as np
import pandas as pd

frame = pd.read_csv(sys.argv[1], index_col=0, parse_dates=True)
values = frame.iloc[:, 0].interpolate().to_numpy(np.float32)[: int(sys.argv[2])]
z = ((values - values.mean()) / values.std()).astype(np.float32)

steps = 6
count = (len(z) - steps) // steps * steps
x = np.stack([z[i : i + steps] for i in range(count)])[:, :, None]
y = z[steps : steps + count]

# What the first call of a process costs, imports for the most part, does not count.
first = keras.Sequential([keras.Input((steps, 1)), keras.layers.SimpleRNN(1)])
first.compile(optimizer="sgd", loss="mse")
first.fit(x[:steps], y[:steps], verbose=0)

for cell in (keras.layers.SimpleRNN, keras.layers.GRU, keras.layers.LSTM):
    if sys.argv[3:] and cell.__name__ not in sys.argv[3:]:
        continue
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(steps, steps, 1)),
            cell(10, stateful=True),
            keras.layers.Dense(10, activation="tanh"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer=keras.optimizers.RMSprop(0.001), loss="mean_squared_error")
    for epoch in range(3):
        began, busy = time.perf_counter(), time.process_time()
        found = model.fit(x, y, batch_size=steps, epochs=1, shuffle=False, verbose=0)
        model.layers[0].reset_state()
        row = {"cell": cell.__name__, "epoch": epoch + 1, "loss": found.history["loss"][0]}
        row |= {"seconds": time.perf_counter() - began, "cpu": time.process_time() - busy}
        print(json.dumps(row), flush=True)
