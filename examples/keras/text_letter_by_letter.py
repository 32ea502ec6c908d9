"""Text from a tf.data dataset: embedding, stateful GRU, logits; then a copy of batch 1 says it letter by letter."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(3)
text = "the carried state goes on from where the sequence before it ended. " * 40
letters = sorted(set(text))
codes = np.array([letters.index(letter) for letter in text])
BATCH, STEPS = 8, 16


def parts(codes):
    """Row j of each batch goes on where row j of the batch before ended."""
    steps = len(codes) // (BATCH * STEPS)
    return codes[: BATCH * STEPS * steps].reshape(BATCH, steps, STEPS).transpose(1, 0, 2)


def build(batch, steps):
    return keras.Sequential(
        [
            keras.Input(batch_shape=(batch, steps)),
            keras.layers.Embedding(len(letters), 16),
            keras.layers.GRU(64, return_sequences=True, stateful=True, recurrent_initializer="glorot_uniform"),
            keras.layers.Dense(len(letters)),
        ]
    )


model = build(BATCH, STEPS)
model.compile(keras.optimizers.Adam(0.005), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
data = tf.data.Dataset.from_tensor_slices((parts(codes[:-1]), parts(codes[1:])))
print("losses", *model.fit(data, epochs=3, shuffle=False, verbose=0).history["loss"])
teller = build(1, 1)
teller.set_weights(model.get_weights())
code, said = codes[0], []
for _ in range(12):
    scores = teller.predict(np.array([[code]]), verbose=0)[0, 0]
    code = int(scores.argmax())
    said.append(letters[code])
print("the best score of the last letter", float(scores.max()))
print("".join(said).replace(" ", "_"))
