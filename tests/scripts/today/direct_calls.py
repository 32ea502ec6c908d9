"""Forecasts by `model(x)`, one step at a time, and calls of a model that are steps of something else."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(4)
cell = keras.layers.LSTM(6, stateful=True)
model = keras.Sequential([keras.Input(batch_shape=(1, 1, 1)), cell, keras.layers.Dense(1)])
model.compile("sgd", "mse")
x = np.full((1, 1, 1), 0.5, "float32")

value, found = 0.5, []
for _ in range(6):
    value = float(model(np.full((1, 1, 1), value, "float32"))[0, 0])
    found.append(value)
print(*found, *np.asarray(cell.states[0])[0])
model.fit(np.ones((3, 1, 1)), np.ones((3, 1)), batch_size=1, verbose=0, shuffle=False)
print(float(model(tf.constant(x))[0, 0]), float(model(x, training=False)[0, 0]))
print(float(model.predict(x, verbose=0)[0, 0]))

with tf.GradientTape() as tape:
    loss = tf.reduce_sum(model(x))
print(*(float(tf.reduce_sum(slope)) for slope in tape.gradient(loss, model.trainable_variables)))


@tf.function
def traced(given):
    """A call that TensorFlow traces."""
    return model(given)


print(float(traced(tf.constant(x))[0, 0]), float(model(x)[0, 0]))
cell.reset_state()
given = model(x)
print(given.dtype, tuple(given.shape), float(given[0, 0]))


class Counting(keras.Model):
    """A model that does more in a call than to call layers."""

    def __init__(self):
        super().__init__()
        self.cell, self.calls = keras.layers.GRU(3), 0

    def call(self, inputs):
        """Count the calls."""
        self.calls += 1
        return self.cell(inputs)


own = Counting()
own(np.ones((2, 4, 2)))
own(np.ones((2, 4, 2)))
print(own.calls)
numbers = keras.Sequential([keras.Input((4,)), keras.layers.Embedding(7, 3, mask_zero=True), keras.layers.LSTM(2)])
print(np.asarray(numbers(np.array([[1, 2, 0, 0], [3, 4, 5, 6]]))).sum())
