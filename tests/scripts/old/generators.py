"""TimeseriesGenerator, fit_generator and its kin, a layer that was for GPUs only."""

import numpy as np
from tensorflow import keras
from tensorflow.keras.layers import CuDNNLSTM, Dense
from tensorflow.keras.models import Sequential
from tensorflow.keras.preprocessing.sequence import TimeseriesGenerator

keras.utils.set_random_seed(3)
series = np.sin(np.arange(80) / 5).astype("float32").reshape(-1, 1)
windows = TimeseriesGenerator(series, series, length=6, batch_size=6)
model = Sequential([CuDNNLSTM(5, input_shape=(6, 1)), Dense(1)])
model.compile("adam", "mse")
found = model.fit_generator(windows, epochs=2, verbose=0, shuffle=False, workers=1)
print("losses", *found.history["loss"])
print("loss", model.evaluate_generator(windows, verbose=0))
print("first", *model.predict_generator(windows, verbose=0)[:2, 0])
