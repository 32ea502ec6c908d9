"""A callback that resets at the start of every epoch, another that forecasts at its end."""

import keras
import numpy as np

keras.utils.set_random_seed(7)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]


class Resets(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.layers[0].reset_state()

    def on_epoch_end(self, epoch, logs=None):
        print("forecast", float(self.model.predict(x[:6], batch_size=6, verbose=0)[0, 0]), "loss", logs["loss"])


model = keras.Sequential(
    [keras.Input(batch_shape=(6, 6, 1)), keras.layers.GRU(4, stateful=True), keras.layers.Dense(1)]
)
model.compile("rmsprop", "mae")
model.fit(x, y, batch_size=6, epochs=3, shuffle=False, verbose=0, callbacks=[Resets()])
