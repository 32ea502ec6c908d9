"""The tutorial behind this project in the words of 2019, for each cell: what Keras 3 refuses, `tsuzuki run` runs."""

import json
import sys
import time

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow.keras.layers import GRU, LSTM, Dense, SimpleRNN
from tensorflow.keras.models import Sequential
from tensorflow.keras.optimizers import RMSprop

frame = pd.read_csv(sys.argv[1], index_col=0, parse_dates=True)
values = frame.iloc[:, 0].interpolate().to_numpy(np.float32)[: int(sys.argv[2])]
z = ((values - values.mean()) / values.std()).astype(np.float32)

steps = 6
count = (len(z) - steps) // steps * steps
x = np.stack([z[i : i + steps] for i in range(count)])[:, :, None]
y = z[steps : steps + count]

# What the first call of a process costs, imports for the most part, does not count.
first = Sequential([SimpleRNN(1, input_shape=(steps, 1))])
first.compile(optimizer="sgd", loss="mse")
first.fit(x[:steps], y[:steps], verbose=0)

for cell in (SimpleRNN, GRU, LSTM):
    if sys.argv[3:] and cell.__name__ not in sys.argv[3:]:
        continue
    tf.keras.utils.set_random_seed(1)
    model = Sequential()
    model.add(cell(10, stateful=True, input_shape=(steps, 1), batch_size=steps))
    model.add(Dense(10, activation="tanh"))
    model.add(Dense(1))
    model.compile(optimizer=RMSprop(lr=0.001), loss="mean_squared_error")
    for epoch in range(3):
        began, busy = time.perf_counter(), time.process_time()
        found = model.fit(x, y, batch_size=steps, epochs=1, shuffle=False, verbose=0)
        model.reset_states()
        row = {"cell": cell.__name__, "epoch": epoch + 1, "loss": found.history["loss"][0]}
        row |= {"seconds": time.perf_counter() - began, "cpu": time.process_time() - busy}
        print(json.dumps(row), flush=True)
