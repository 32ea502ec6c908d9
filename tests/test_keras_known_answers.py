"""Keras models of letters whose right answer is known: a text learnt by heart, and letters copied after a delay."""

from random import Random

import numpy as np

import tsuzuki
from keras_models import keras
from tsuzuki.keras.forward import prepare_predict

L = keras.layers


def of_letters(count, units, rows, steps, *, stateful):
    """An Embedding and a GRU that gives a logit for each letter at every step."""
    keras.utils.set_random_seed(0)
    gru = L.GRU(units, return_sequences=True, stateful=stateful)
    letters = keras.Input(batch_shape=(rows if stateful else None, steps))
    model = keras.Sequential([letters, L.Embedding(count, 32), gru, L.Dense(count)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.005), loss, metrics=["accuracy"])
    return model


def test_a_text_is_learnt_by_heart_and_continued():
    random, text = Random(4), ""
    words = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randint(2, 8))) for _ in range(60)]
    while len(text) < 2001:
        text += random.choice(words) + " "
    letters = sorted(set(text))
    codes = np.array([letters.index(letter) for letter in text[:2001]])
    rows, steps = 10, 20
    # Row j of each batch goes on where row j of the batch before ended.
    order = np.arange(2000).reshape(rows, -1, steps).transpose(1, 0, 2).reshape(-1, steps)
    model = of_letters(len(letters), 128, rows, steps, stateful=True)
    losses = tsuzuki.fit(model, codes[order], codes[1:][order], epochs=150, verbose=0).history["loss"]
    assert np.exp(losses[-1]) < 1.05
    copy = of_letters(len(letters), 128, 1, 1, stateful=True)
    copy.set_weights(model.get_weights())
    said = text[:20]
    for place in range(150):
        scores = prepare_predict(copy, np.array([[letters.index(said[place])]]), verbose=0).predict()
        said += letters[scores[0, 0].argmax()] if place + 1 >= len(said) else ""
    assert said == text[: len(said)]
    assert len(said) == 151


def test_letters_are_copied_after_a_delay():
    generator = np.random.default_rng(1)
    letters, delay = 6, 3
    codes = generator.integers(0, letters, (600, 12))
    late = np.concatenate([np.zeros((600, delay), np.int64), codes[:, :-delay]], axis=1)
    model = of_letters(letters, 48, 30, 12, stateful=False)
    tsuzuki.fit(model, codes[:500], late[:500], batch_size=20, epochs=60, verbose=0)
    assert model.evaluate(codes[500:], late[500:], verbose=0, return_dict=True)["accuracy"] > 0.99
