"""A PyDataset whose batches have weights."""

import keras
import numpy as np

keras.utils.set_random_seed(12)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 20

    def __getitem__(self, i):
        part = slice(6 * i, 6 * i + 6)
        return np.array(x[part]), y[part], np.linspace(0, 1, 6)


model = keras.Sequential([keras.Input((6, 1)), keras.layers.GRU(5), keras.layers.Dense(1)])
model.compile("adam", "mse", weighted_metrics=["mae"])
history = model.fit(Batches(), epochs=2, verbose=0, shuffle=False).history
print("losses", *history["loss"], *history["mae"])
