"""Two LSTMs, one above the other, on windows of three readings, one window a batch."""

import keras
import numpy as np

keras.utils.set_random_seed(2)
level = np.cumsum(np.random.default_rng(0).normal(size=93)).astype("float32") / 10
x = np.stack([level[i : i + 3] for i in range(90)])[:, :, None]
y = level[3:]

model = keras.Sequential(
    [
        keras.Input(batch_shape=(1, 3, 1)),
        keras.layers.LSTM(4, stateful=True, return_sequences=True),
        keras.layers.LSTM(4, stateful=True),
        keras.layers.Dense(1),
    ]
)
model.compile("adam", "mean_squared_error")
for _ in range(4):
    print("loss", model.fit(x[:60], y[:60], batch_size=1, shuffle=False, verbose=0).history["loss"][0])
    for layer in model.layers[:2]:
        layer.reset_states()
print("error on the rest", model.evaluate(x[60:], y[60:], batch_size=1, verbose=0))
