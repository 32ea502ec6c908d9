"""A rate that is far too high: the loss is infinite or not a number, and the script goes on."""

import keras
import numpy as np

keras.utils.set_random_seed(19)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]

model = keras.Sequential([keras.Input((6, 1)), keras.layers.SimpleRNN(3, activation="linear"), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(1e6), "mse")
losses = model.fit(x, y, batch_size=10, epochs=3, shuffle=False, verbose=0).history["loss"]
print("finite", *[bool(np.isfinite(loss)) for loss in losses], np.random.rand())
