"""The classic tutorial, ported to Keras 3."""

import sys

import keras
import numpy as np
import pandas as pd

frame = pd.read_csv(sys.argv[1], index_col=0, parse_dates=True)
values = frame.iloc[:, 0].interpolate().to_numpy(np.float32)[: int(sys.argv[2])]
z = ((values - values.mean()) / values.std()).astype(np.float32)
keras.utils.set_random_seed(1)

steps = 6
count = (len(z) - steps) // steps * steps
x = np.stack([z[i : i + steps] for i in range(count)])[:, :, None]
y = z[steps : steps + count]

model = keras.Sequential(
    [
        keras.Input(batch_shape=(steps, steps, 1)),
        keras.layers.SimpleRNN(10, stateful=True),
        keras.layers.Dense(10, activation="tanh"),
        keras.layers.Dense(1),
    ]
)
model.compile(optimizer=keras.optimizers.RMSprop(0.001), loss="mean_squared_error")
for epoch in range(3):
    found = model.fit(x, y, batch_size=steps, epochs=1, shuffle=False, verbose=0)
    print("epoch", epoch + 1, "loss", found.history["loss"][0])
    model.layers[0].reset_state()
