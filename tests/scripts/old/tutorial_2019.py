"""The classic tutorial as of 2019: a stateless and a stateful SimpleRNN on hourly temperatures."""

import sys

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow.keras.layers import Dense, SimpleRNN
from tensorflow.keras.models import Sequential
from tensorflow.keras.optimizers import RMSprop

frame = pd.read_csv(sys.argv[1], index_col=0, parse_dates=True)
values = frame.iloc[:, 0].interpolate().to_numpy(np.float32)[: int(sys.argv[2])]
z = ((values - values.mean()) / values.std()).astype(np.float32)
tf.keras.utils.set_random_seed(1)

steps = 6
count = (len(z) - steps) // steps * steps
x = np.stack([z[i : i + steps] for i in range(count)])[:, :, None]
y = z[steps : steps + count]

model = Sequential()
model.add(SimpleRNN(10, stateful=True, input_shape=(steps, 1), batch_size=steps))
model.add(Dense(10, activation="tanh"))
model.add(Dense(1))
model.compile(optimizer=RMSprop(lr=0.001), loss="mean_squared_error")
for epoch in range(3):
    found = model.fit(x, y, batch_size=steps, epochs=1, shuffle=False, verbose=0)
    print("epoch", epoch + 1, "loss", found.history["loss"][0])
    model.reset_states()
