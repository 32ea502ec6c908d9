"""Keras on a job, by `fit` as a user calls it; the backend is what KERAS_BACKEND says."""

import sys
import time

import keras
import numpy as np

from competitor import answer, job_from


def model_of(job):
    """The job's Keras model, stateful, at its initial weights."""
    head = [keras.layers.Dense(10, activation="tanh")] if job.classic_head else []
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(job.lanes, job.steps, 1)),
            getattr(keras.layers, job.cell)(job.units, stateful=True),
            *head,
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.RMSprop(1e-3), "mse")
    model.set_weights(job.weights())
    return model


def main(rounds: int = 3) -> None:
    """Time `fit` over some updates."""
    job = job_from(sys.argv)
    series, starts = job.series(), job.starts(job.slow_updates)
    x = series[starts.reshape(-1, 1) + np.arange(job.steps)][:, :, None]
    y = series[starts.reshape(-1) + job.steps][:, None]
    model = model_of(job)
    batches = [slice(k * job.lanes, (k + 1) * job.lanes) for k in range(job.checked)]
    losses = [float(np.asarray(model.train_on_batch(x[batch], y[batch]))) for batch in batches]
    model = model_of(job)
    times = []
    for _ in range(rounds + 1):
        model.layers[0].reset_states()
        began = time.perf_counter()
        model.fit(x, y, batch_size=job.lanes, epochs=1, shuffle=False, verbose=0)
        times.append(time.perf_counter() - began)
    answer([t / job.slow_updates * 1e6 for t in times[1:]], float(np.mean(losses)), times[0] - times[1])


if __name__ == "__main__":
    main()
