"""A small LSTM on a monthly series, one window a batch; the state is reset by hand after every epoch."""

import keras
import numpy as np

keras.utils.set_random_seed(1)
month = np.arange(61)
sales = (np.sin(month * np.pi / 6) + 0.01 * month).astype("float32")
x, y = sales[:-1, None, None], sales[1:]

memory = keras.layers.LSTM(10, stateful=True)
model = keras.Sequential([keras.Input(batch_shape=(1, 1, 1)), memory, keras.layers.Dense(1)])
model.compile("adam", "mse")
for epoch in range(6):
    history = model.fit(x[:48], y[:48], batch_size=1, epochs=1, shuffle=False, verbose=0)
    memory.reset_states()
    print("epoch", epoch, "loss", history.history["loss"][0])
model.predict(x[:48], batch_size=1, verbose=0)
print("the year after", *model.predict(x[48:], batch_size=1, verbose=0).ravel())
