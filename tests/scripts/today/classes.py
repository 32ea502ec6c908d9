"""Two classes by a threshold, a single layer's states, the rate of an optimiser."""

import keras
import numpy as np

keras.utils.set_random_seed(4)
x = np.random.rand(12, 4, 2).astype("float32")
y = (x.mean(axis=(1, 2)) > 0.5).astype(int)
model = keras.Sequential(
    [
        keras.Input((4, 2)),
        keras.layers.GRU(6, return_sequences=True),
        keras.layers.GRU(3),
        keras.layers.Dense(2, activation="sigmoid"),
    ]
)
model.compile("rmsprop", "mse")
found = model.fit(x, keras.utils.to_categorical(y), epochs=3, batch_size=12, verbose=0)
print("losses", *found.history["loss"])
print("classes", *model.predict(x, verbose=0).argmax(axis=-1))
carrying = keras.Sequential(
    [keras.Input(batch_shape=(3, 4, 2)), keras.layers.GRU(3, stateful=True), keras.layers.Dense(1)]
)
carrying.compile(keras.optimizers.Adam(0.01), "log_cosh")
print("losses", *carrying.fit(x, y, batch_size=3, epochs=2, shuffle=False, verbose=0).history["loss"])
carrying.layers[0].reset_state()
rate = float(carrying.optimizer.learning_rate)
print("rate", rate, "loss", carrying.evaluate(x, y, batch_size=3, verbose=0))
weighted = carrying.fit(x, y, batch_size=3, class_weight={1: 3.0}, validation_split=0.25, shuffle=False, verbose=0)
print("losses", *weighted.history["loss"], *weighted.history["val_loss"])
