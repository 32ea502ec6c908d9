"""A linear SimpleRNN without a bias for each of many short series, one after another."""

import keras
import numpy as np

generator = np.random.default_rng(3)
for number in range(3):
    keras.utils.set_random_seed(number)
    series = (generator.uniform(1, 2) * np.sin(np.arange(20) + generator.uniform(0, 3))).astype("float32")
    x = np.lib.stride_tricks.sliding_window_view(series[:-1], 3)[:, :, None]
    y = series[3:]
    model = keras.Sequential(
        [
            keras.Input((3, 1)),
            keras.layers.SimpleRNN(6, activation="linear", use_bias=False),
            keras.layers.Dense(1, activation="linear"),
        ]
    )
    model.compile(keras.optimizers.RMSprop(0.001), "mean_squared_error")
    losses = model.fit(x, y, batch_size=1, epochs=10, shuffle=False, verbose=0).history["loss"]
    print("series", number, "losses", losses[0], losses[-1], "next", float(model.predict(x[-1:], verbose=0)[0, 0]))
