"""Every step is scored, in a functional model; its last batch is a smaller one."""

import keras
import numpy as np

keras.utils.set_random_seed(18)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]

inputs = keras.Input((12, 1))
hidden = keras.layers.GRU(6, return_sequences=True)(inputs)
outputs = keras.layers.TimeDistributed(keras.layers.Dense(1))(hidden)
model = keras.Model(inputs, outputs)
model.compile("adam", "mse", metrics=["mse"])
rows, aims = wave[:120].reshape(10, 12, 1), wave[1:121].reshape(10, 12, 1)
print("losses", *model.fit(rows, aims, batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"])
print("evaluated", *model.evaluate(rows, aims, batch_size=4, verbose=0))
print("forecasts", *model.predict(rows, batch_size=4, verbose=0)[9, -3:, 0], model.predict(rows, verbose=0).shape)
