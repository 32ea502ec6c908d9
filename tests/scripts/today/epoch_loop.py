"""Fit one epoch, reset, and again; batch size 1; a rate that decays; forecasts at the end."""

import keras
import numpy as np

keras.utils.set_random_seed(2)
series = np.sin(np.arange(24) / 3).astype("float32")
x, y = series[:-1].reshape(-1, 1, 1), series[1:]
model = keras.Sequential(
    [keras.Input(batch_shape=(1, 1, 1)), keras.layers.LSTM(10, stateful=True), keras.layers.Dense(1)]
)
rate = keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 0.01)
model.compile(loss="mean_squared_error", optimizer=keras.optimizers.SGD(rate, momentum=0.9))
for _ in range(4):
    found = model.fit(x, y, epochs=1, batch_size=1, verbose=0, shuffle=False)
    print("loss", found.history["loss"][0])
    model.layers[0].reset_state()
print("forecasts", *model.predict(x, batch_size=1, verbose=0)[-3:, 0])
