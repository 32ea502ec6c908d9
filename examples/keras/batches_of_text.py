"""An embedding, four stateful LSTMs with Dropout, a softmax for each step, by train_on_batch from a batch generator."""

import keras
import numpy as np

keras.utils.set_random_seed(5)
text = "abacadabacabadacab" * 60
letters = sorted(set(text))
codes = np.array([letters.index(letter) for letter in text])
BATCH, STEPS = 4, 12


def batches():
    """Row j of each batch goes on where row j of the batch before ended."""
    rows = len(codes) // BATCH
    starts = np.arange(BATCH) * rows
    for at in range(0, rows - STEPS - 1, STEPS):
        places = starts[:, None] + at + np.arange(STEPS)
        yield codes[places], np.eye(len(letters), dtype="float32")[codes[places + 1]]


model = keras.Sequential([keras.Input(batch_shape=(BATCH, STEPS)), keras.layers.Embedding(len(letters), 32)])
for _ in range(4):
    model.add(keras.layers.LSTM(32, return_sequences=True, stateful=True))
    model.add(keras.layers.Dropout(0.1))
model.add(keras.layers.TimeDistributed(keras.layers.Dense(len(letters))))
model.add(keras.layers.Activation("softmax"))
model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"])
means = []
for _ in range(8):
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()
    losses = []
    for x, y in batches():
        loss, accuracy = model.train_on_batch(x, y)
        losses.append(float(loss))
    means.append(np.mean(losses))
# Dropout draws other numbers in each engine, so the losses themselves are not the same.
print("the loss fell below two thirds:", bool(means[-1] < means[0] * 2 / 3))
