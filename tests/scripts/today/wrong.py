"""Errors are Keras's: batches that do not fit a stateful model, a model that is not compiled."""

import keras
import numpy as np

keras.utils.set_random_seed(20)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]

model = keras.Sequential(
    [keras.Input(batch_shape=(6, 6, 1)), keras.layers.LSTM(4, stateful=True), keras.layers.Dense(1)]
)
for attempt in (lambda: model.fit(x, y, verbose=0), lambda: model.predict(x[:7], batch_size=6, verbose=0)):
    try:
        attempt()
    except Exception as error:
        print(type(error).__name__)
    model.compile("adam", "mse")
print("loss", model.fit(x, y, batch_size=6, shuffle=False, verbose=0).history["loss"][0])
