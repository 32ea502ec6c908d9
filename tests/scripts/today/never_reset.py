"""One fit over several epochs, never reset, validated on the way and evaluated."""

import keras
import numpy as np

keras.utils.set_random_seed(5)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]

model = keras.Sequential(
    [keras.Input(batch_shape=(6, 6, 1)), keras.layers.LSTM(4, stateful=True), keras.layers.Dense(1)]
)
model.compile("adam", "mse", metrics=["mae"])
history = model.fit(x, y, 6, 3, verbose=0, validation_data=(x[:12], y[:12]), shuffle=False).history
for name in sorted(history):
    print(name, *history[name])
print("evaluated", *model.evaluate(x[:60], y[:60], batch_size=6, verbose=0))
print("evaluated", model.evaluate(x[:60], y[:60], batch_size=6, verbose=0, return_dict=True))
print("forecasts", *model.predict(x[:12], batch_size=6, verbose=0)[:, 0])
