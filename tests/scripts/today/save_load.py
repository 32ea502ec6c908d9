"""Train, save, load, and train on with the optimiser's memory."""

import os
import tempfile

import keras
import numpy as np

keras.utils.set_random_seed(14)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]

path = os.path.join(tempfile.mkdtemp(), "model.keras")
model = keras.Sequential(
    [keras.Input(batch_shape=(6, 6, 1)), keras.layers.LSTM(4, stateful=True), keras.layers.Dense(1)]
)
model.compile(keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True), "mse")
print("loss", model.fit(x, y, batch_size=6, shuffle=False, verbose=0).history["loss"][0])
model.save(path)
model = keras.saving.load_model(path)
print("loss", model.fit(x, y, batch_size=6, shuffle=False, verbose=0).history["loss"][0])
print("weights", *model.get_weights()[-2][:, 0])
