"""EarlyStopping, ModelCheckpoint and ReduceLROnPlateau on a split; the best model is loaded."""

import os
import tempfile

import keras
import numpy as np

keras.utils.set_random_seed(9)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]

path = os.path.join(tempfile.mkdtemp(), "best.keras")
model = keras.Sequential([keras.Input((6, 1)), keras.layers.SimpleRNN(6), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.2), "mse")
callbacks = [
    keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True),
    keras.callbacks.ModelCheckpoint(path, save_best_only=True),
    keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5),
]
history = model.fit(
    x, y, epochs=8, batch_size=10, shuffle=False, verbose=0, validation_split=0.25, callbacks=callbacks
).history
print("epochs", len(history["loss"]), "validated", *history["val_loss"])
print("best", keras.saving.load_model(path).evaluate(x[90:], y[90:], verbose=0))
