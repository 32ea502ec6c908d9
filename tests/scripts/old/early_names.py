"""Arguments of Keras 1, functions of its backend, keys of logs before 2.3, legacy optimisers and a file in HDF5."""

import os
import tempfile

import numpy as np
from keras import backend as K  # noqa: N812
from keras.callbacks import EarlyStopping, ModelCheckpoint
from keras.layers.core import Activation, Dense, Dropout
from keras.layers.recurrent import LSTM
from keras.models import Sequential, load_model
from keras.optimizers.legacy import Adam
from keras.preprocessing.text import Tokenizer
from keras.utils import set_random_seed


def off(truth, forecast):
    """A loss in the words of the backend."""
    return K.mean(K.square(forecast - truth), axis=-1)


set_random_seed(5)
words = Tokenizer(num_words=9)
words.fit_on_texts(["a b a", "b c"])
print(words.texts_to_sequences(["a b c"]))
x = np.random.rand(12, 4, 2).astype("float32")
y = (x.mean(axis=(1, 2)) > 0.5).astype(int)
model = Sequential()
model.add(LSTM(input_dim=2, output_dim=5, inner_activation="sigmoid", return_sequences=True, consume_less="cpu"))
model.add(Dropout(p=0.0))
model.add(LSTM(3))
model.add(Dense(output_dim=2, init="glorot_uniform"))
model.add(Activation("softmax"))
model.compile(Adam(0.01, decay=0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
path = os.path.join(tempfile.mkdtemp(), "model.h5")
watching = [EarlyStopping(monitor="val_acc", patience=1), ModelCheckpoint(path, monitor="val_acc", save_best_only=True)]
data = {"validation_data": (x, y), "callbacks": watching, "verbose": 0}
history = model.fit(x, y, batch_size=4, nb_epoch=4, shuffle=False, **data).history
print(*history["acc"], *history["val_acc"], *history["loss"])

model.compile(Adam(K.get_value(model.optimizer.lr) * 2), off, metrics=["mae"])
print(*model.fit(x, np.ones((12, 2)), batch_size=4, shuffle=False, verbose=0).history["loss"])
K.set_value(model.optimizer.lr, 0.001)
model.compile("sgd", "mse", metrics=["mae"])
model.save(path)
print(*load_model(path).evaluate(x, np.ones((12, 2)), verbose=0))
