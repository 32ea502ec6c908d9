"""Chunks of a series, the state carried from one fit to the next; reset after each round."""

import keras
import numpy as np

keras.utils.set_random_seed(6)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]

model = keras.Sequential(
    [
        keras.Input(batch_shape=(6, 6, 1)),
        keras.layers.LSTM(4, stateful=True, return_sequences=True),
        keras.layers.LSTM(4, stateful=True),
        keras.layers.Dense(1),
    ]
)
model.compile(keras.optimizers.Adam(0.01, clipnorm=1.0), "mse")
for round in range(2):
    for first in range(0, 120, 30):
        part = slice(first, first + 30)
        print(round, first, model.fit(x[part], y[part], batch_size=6, shuffle=False, verbose=0).history["loss"][0])
    for layer in model.layers[:2]:
        layer.reset_state()
