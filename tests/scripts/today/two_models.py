"""Two models in turn, one of them with a layer that has no equal."""

import keras
import numpy as np

keras.utils.set_random_seed(13)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]

first = keras.Sequential([keras.Input((6, 1)), keras.layers.LSTM(4), keras.layers.Dense(1)])
second = keras.Sequential(
    [keras.Input((6, 1)), keras.layers.SeparableConv1D(3, 2), keras.layers.LSTM(4), keras.layers.Dense(1)]
)
first.compile("sgd", "mse")
second.compile("sgd", "mse")
for _ in range(2):
    for model in (first, second):
        print("loss", model.fit(x, y, batch_size=30, shuffle=False, verbose=0).history["loss"][0])
