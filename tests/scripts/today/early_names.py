"""`old/early_names.py` ported to Keras 3."""

import os
import tempfile

import keras
import numpy as np


def off(truth, forecast):
    """A loss in the words of the backend."""
    return keras.ops.mean(keras.ops.square(forecast - truth), axis=-1)


keras.utils.set_random_seed(5)
print([[1, 2, 3]])
x = np.random.rand(12, 4, 2).astype("float32")
y = (x.mean(axis=(1, 2)) > 0.5).astype(int)
model = keras.Sequential(
    [
        keras.Input((None, 2)),
        keras.layers.LSTM(5, return_sequences=True),
        keras.layers.Dropout(0.0),
        keras.layers.LSTM(3),
        keras.layers.Dense(2),
        keras.layers.Activation("softmax"),
    ]
)
rate = keras.optimizers.schedules.InverseTimeDecay(0.01, 1, 0.1)
model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
path = os.path.join(tempfile.mkdtemp(), "model.keras")
watching = [
    keras.callbacks.EarlyStopping(monitor="val_accuracy", patience=1),
    keras.callbacks.ModelCheckpoint(path, monitor="val_accuracy", save_best_only=True),
]
data = {"validation_data": (x, y), "callbacks": watching, "verbose": 0}
history = model.fit(x, y, batch_size=4, epochs=4, shuffle=False, **data).history
print(*history["accuracy"], *history["val_accuracy"], *history["loss"])

rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
model.compile(keras.optimizers.Adam(rate * 2), off, metrics=["mae"])
print(*model.fit(x, np.ones((12, 2)), batch_size=4, shuffle=False, verbose=0).history["loss"])
model.optimizer.learning_rate = 0.001
model.compile("sgd", "mse", metrics=["mae"])
model.save(path)
print(*keras.models.load_model(path).evaluate(x, np.ones((12, 2)), verbose=0))
