"""Seven readings of the weather over 120 steps, in batches from a dataset; the best weights are kept in a file."""

import os
import tempfile

import keras
import numpy as np

keras.utils.set_random_seed(7)
hours = np.arange(900)[:, None]
readings = np.sin(hours / np.array([24, 12, 168, 30, 7, 100, 50])) + np.random.default_rng(4).normal(0, 0.1, (900, 7))
readings = readings.astype("float32")


def windows(first, last):
    """Batches of 120 readings each and the first column 24 steps after them."""
    return keras.utils.timeseries_dataset_from_array(
        readings[first : last - 24], readings[first + 120 + 23 : last, 0], 120, sampling_rate=1, batch_size=64
    )


model = keras.Sequential([keras.Input((120, 7)), keras.layers.LSTM(32), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.001), "mse")
with tempfile.TemporaryDirectory() as folder:
    best = os.path.join(folder, "best.weights.h5")
    history = model.fit(
        windows(0, 600),
        epochs=3,
        validation_data=windows(600, 900),
        callbacks=[
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=5),
            keras.callbacks.ModelCheckpoint(best, monitor="val_loss", save_weights_only=True, save_best_only=True),
        ],
        verbose=0,
    ).history
    model.load_weights(best)
print("losses", *history["loss"])
print("validation", *history["val_loss"])
