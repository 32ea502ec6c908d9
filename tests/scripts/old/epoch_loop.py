"""Fit one epoch, reset, and again; batch size 1; a rate that decays; forecasts at the end."""

import keras
import numpy as np
from keras.layers import Dense
from keras.layers.recurrent import LSTM
from keras.models import Sequential
from keras.optimizers import SGD

keras.utils.set_random_seed(2)
series = np.sin(np.arange(24) / 3).astype("float32")
x, y = series[:-1].reshape(-1, 1, 1), series[1:]
model = Sequential()
model.add(LSTM(10, batch_input_shape=(1, x.shape[1], x.shape[2]), stateful=True))
model.add(Dense(1))
model.compile(loss="mean_squared_error", optimizer=SGD(lr=0.1, decay=0.01, momentum=0.9))
for _ in range(4):
    found = model.fit(x, y, nb_epoch=1, batch_size=1, verbose=0, shuffle=False)
    print("loss", found.history["loss"][0])
    model.reset_states()
print("forecasts", *model.predict(x, batch_size=1, verbose=0)[-3:, 0])
