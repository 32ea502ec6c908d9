"""train_on_batch and its kin, with the state carried, and a fit after them."""

import keras
import numpy as np

keras.utils.set_random_seed(16)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]

model = keras.Sequential(
    [keras.Input(batch_shape=(6, 6, 1)), keras.layers.LSTM(4, stateful=True), keras.layers.Dense(1)]
)
model.compile("adam", "mse")
for i in range(0, 60, 6):
    loss = model.train_on_batch(x[i : i + 6], y[i : i + 6])
print("trained", float(loss), "tested", float(model.test_on_batch(x[60:66], y[60:66])))
print("forecast", *model.predict_on_batch(x[66:72])[:2, 0])
print("loss", model.fit(x[72:], y[72:], batch_size=6, shuffle=False, verbose=0).history["loss"][0])
