"""Rare failures of a machine: an LSTM with softmax, class weights, early stopping, one sample a batch."""

import keras
import numpy as np

keras.utils.set_random_seed(5)
generator = np.random.default_rng(2)
fails = generator.random(60) < 0.15
x = generator.normal(0, 0.2, (60, 5, 2)).astype("float32")
x[fails, 2:, 1] += 1
y = keras.utils.to_categorical(fails, 2)

model = keras.Sequential(
    [keras.Input((5, 2)), keras.layers.LSTM(8), keras.layers.Dense(2, activation="softmax")],
)
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x[:40],
    y[:40],
    batch_size=1,
    epochs=8,
    shuffle=False,
    class_weight={0: 1.0, 1: 5.0},
    validation_data=(x[40:], y[40:]),
    callbacks=[keras.callbacks.EarlyStopping(patience=2)],
    verbose=0,
)
for name, values in history.history.items():
    print(name, *values)
