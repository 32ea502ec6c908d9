"""Two classes by a threshold, names of inner modules, a single layer's states, the rate of an optimiser."""

import numpy as np
import tensorflow as tf
from keras.utils import np_utils
from tensorflow.keras.utils import set_random_seed
from tensorflow.python.keras.layers import GRU, Dense
from tensorflow.python.keras.models import Sequential
from tensorflow.python.keras.optimizers import Adam

set_random_seed(4)
x = np.random.rand(12, 4, 2).astype("float32")
y = (x.mean(axis=(1, 2)) > 0.5).astype(int)
model = Sequential()
model.add(GRU(6, input_dim=2, input_length=4, return_sequences=True))
model.add(GRU(3))
model.add(Dense(2, activation="sigmoid"))
model.compile("rmsprop", tf.keras.losses.mean_squared_error)
print("losses", *model.fit(x, np_utils.to_categorical(y), epochs=3, batch_size=12, verbose=0).history["loss"])
print("classes", *model.predict_classes(x))
carrying = Sequential([GRU(3, stateful=True, batch_input_shape=(3, 4, 2)), Dense(1)])
carrying.compile(Adam(lr=0.01, epsilon=None, decay=0.0), "logcosh")
print("losses", *carrying.fit(x, y, batch_size=3, epochs=2, shuffle=False, verbose=0).history["loss"])
carrying.layers[0].reset_states()
print("rate", float(carrying.optimizer.lr), "loss", carrying.evaluate(x, y, batch_size=3, verbose=0))
weighted = carrying.fit(x, y, batch_size=3, class_weight={1: 3.0}, validation_split=0.25, shuffle=False, verbose=0)
print("losses", *weighted.history["loss"], *weighted.history["val_loss"])
