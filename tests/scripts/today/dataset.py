"""A tf.data dataset of windows."""

import keras
import numpy as np

keras.utils.set_random_seed(10)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]

windows = keras.utils.timeseries_dataset_from_array(wave[:-6, None], wave[6:], 6, batch_size=10)
model = keras.Sequential([keras.Input((6, 1)), keras.layers.LSTM(4), keras.layers.Dense(1)])
model.compile("rmsprop", keras.losses.Huber(0.1), metrics=[keras.metrics.RootMeanSquaredError()])
history = model.fit(windows.take(10), epochs=2, verbose=0, validation_data=windows.skip(10)).history
for name in sorted(history):
    print(name, *history[name])
# A dataset that is known to be windows of a series.
history = model.fit(windows, epochs=2, verbose=0, validation_data=windows, validation_steps=5).history
for name in sorted(history):
    print(name, *history[name])
print(*model.evaluate(windows, verbose=0), model.predict(windows, verbose=0).sum())
# Datasets that do not say how long they are.
high = windows.unbatch().filter(lambda steps, target: target > -0.5).batch(8)
history = model.fit(high, epochs=2, verbose=0, validation_data=high).history
for name in sorted(history):
    print(name, *history[name])
print(*model.evaluate(high, verbose=0), model.predict(high, verbose=0).sum())
print(*model.predict(high.map(lambda steps, target: steps), steps=2, verbose=0).shape)
print(*model.evaluate(windows, steps=3, verbose=0), model.predict(windows, steps=3, verbose=0).shape)
