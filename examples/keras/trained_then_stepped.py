"""Two GRUs trained on windows without a state, and a stateful copy of batch 1 that forecasts step by step."""

import keras
import numpy as np

keras.utils.set_random_seed(6)
wave = (np.sin(np.arange(400) / 9) + 0.3 * np.sin(np.arange(400) / 4)).astype("float32")
x = np.lib.stride_tricks.sliding_window_view(wave[:-1], 24)[:, :, None]
y = wave[24:]


def forecaster(shape, stateful):
    return keras.Sequential(
        [
            keras.Input(batch_shape=shape),
            keras.layers.GRU(64, return_sequences=True, stateful=stateful),
            keras.layers.GRU(32, stateful=stateful),
            keras.layers.Dense(1),
        ]
    )


model = forecaster((None, 24, 1), False)
model.compile("adam", "mae")
print("losses", *model.fit(x, y, batch_size=32, epochs=3, shuffle=False, verbose=0).history["loss"])
stepper = forecaster((1, 1, 1), True)
stepper.set_weights(model.get_weights())
for value in wave[:24]:
    following = stepper.predict(np.array([[[value]]]), verbose=0)
for _ in range(8):
    print("next", float(following[0, 0]))
    following = stepper.predict(following[:, None], verbose=0)
