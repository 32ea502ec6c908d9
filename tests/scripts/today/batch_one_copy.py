"""Trained without states, then a stateful copy of batch 1 that forecasts step by step."""

import keras
import numpy as np

keras.utils.set_random_seed(8)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]

model = keras.Sequential([keras.Input((6, 1)), keras.layers.GRU(8), keras.layers.Dense(1)])
model.compile("adam", "mse")
print("losses", *model.fit(x, y, epochs=3, batch_size=20, shuffle=False, verbose=0).history["loss"])
copy = keras.Sequential([keras.Input(batch_shape=(1, 1, 1)), keras.layers.GRU(8, stateful=True), keras.layers.Dense(1)])
copy.set_weights(model.get_weights())
for value in wave[:20]:
    last = copy.predict(np.reshape(value, (1, 1, 1)), verbose=0)
for _ in range(5):
    last = copy.predict(last[:, None], verbose=0)
    print("ahead", float(last[0, 0]))
