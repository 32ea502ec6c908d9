"""A rate that is far too high: the loss is infinite or not a number, and the script goes on."""

import keras
import numpy as np

keras.utils.set_random_seed(19)
wave = np.sin(np.arange(127, dtype="float32") / 7)
x, y = np.lib.stride_tricks.sliding_window_view(wave[:-1], 6)[:120, :, None], wave[6:126]


class Heard(keras.callbacks.Callback):
    """What callbacks hear, and how much of it is finite."""

    def on_train_begin(self, logs=None):
        print("begins")

    def on_epoch_begin(self, epoch, logs=None):
        print("epoch", epoch)

    def on_epoch_end(self, epoch, logs=None):
        print("ends", epoch, *(f"{name} {value:.4g}" for name, value in sorted(logs.items())))

    def on_train_end(self, logs=None):
        print("ended", int(self.model.optimizer.iterations))


class Batches(Heard):
    """Batches too; the second of an epoch is scored from zero states."""

    def on_train_batch_begin(self, batch, logs=None):
        print("batch", batch)

    def on_train_batch_end(self, batch, logs=None):
        print(f"loss {logs['loss']:.4g} error {logs['mae']:.4g}")
        if batch == 0:
            self.model.layers[0].reset_state()


model = keras.Sequential([keras.Input((6, 1)), keras.layers.SimpleRNN(3, activation="linear"), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(1.5), "mse", metrics=["mae"])
options = {"batch_size": 10, "shuffle": False, "verbose": 0}
losses = model.fit(x, y, epochs=3, callbacks=[Heard()], validation_split=0.2, **options).history["loss"]
print("finite", *[bool(np.isfinite(loss)) for loss in losses], np.random.rand())

cell = keras.layers.SimpleRNN(3, activation="linear", stateful=True)
model = keras.Sequential([keras.Input(batch_shape=(10, 6, 1)), cell, keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(2.0), "mse", metrics=["mae"])
model.fit(x[:60], y[:60], epochs=2, callbacks=[Batches()], sample_weight=np.linspace(0, 2, 60), **options)

# Several inputs and outputs, one of them without steps.
near, far, fixed = keras.Input((6, 1), name="near"), keras.Input((4, 2), name="far"), keras.Input((3,), name="fixed")
kinds = {"activation": "linear"}
found = [keras.layers.SimpleRNN(3, **kinds)(near), keras.layers.SimpleRNN(2, **kinds)(far), fixed]
joined = keras.layers.concatenate(found)
model = keras.Model(
    [near, far, fixed], [keras.layers.Dense(1, name="one")(joined), keras.layers.Dense(2, name="pair")(joined)]
)
model.compile(keras.optimizers.SGD(1.2), ["mse", "mae"], metrics=[["mae", "mape"], ["mse"]])
drawn = np.random.rand(60, 13).astype("float32")
given = [x[:60], drawn[:, :8].reshape(60, 4, 2), drawn[:, 8:11]]
model.fit(given, [y[:60], drawn[:, 11:]], epochs=2, callbacks=[Heard()], validation_split=0.2, **options)
