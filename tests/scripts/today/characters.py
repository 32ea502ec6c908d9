"""Text: an embedding, a softmax, and letters made one at a time by a copy of batch 1."""

import keras
import numpy as np

keras.utils.set_random_seed(17)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]

letters = np.array([0, 1, 2, 3, 2, 1] * 20)


def network(rows, steps):
    return keras.Sequential(
        [
            keras.Input(batch_shape=(rows, steps)),
            keras.layers.Embedding(4, 3),
            keras.layers.GRU(8, return_sequences=True, stateful=True),
            keras.layers.Dense(4),
        ]
    )


model = network(2, 6)
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
inputs, targets = letters[:108].reshape(18, 6), letters[1:109].reshape(18, 6)
print("losses", *model.fit(inputs, targets, batch_size=2, epochs=3, shuffle=False, verbose=0).history["loss"])
copy = network(1, 1)
copy.set_weights(model.get_weights())
letter = 0
for _ in range(4):
    scores = copy.predict(np.array([[letter]]), verbose=0)[0, 0]
    letter = int(scores.argmax())
    print("letter", letter, "score", float(scores.max()))
