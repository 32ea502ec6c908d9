"""Batches of windows from a dataset."""

import keras
import numpy as np

keras.utils.set_random_seed(3)
series = np.sin(np.arange(80) / 5).astype("float32").reshape(-1, 1)
windows = keras.utils.timeseries_dataset_from_array(series[:-1], series[6:], 6, batch_size=6)
model = keras.Sequential([keras.Input((6, 1)), keras.layers.LSTM(5), keras.layers.Dense(1)])
model.compile("adam", "mse")
found = model.fit(windows, epochs=2, verbose=0)
print("losses", *found.history["loss"])
print("loss", model.evaluate(windows, verbose=0))
print("first", *model.predict(windows, verbose=0)[:2, 0])
