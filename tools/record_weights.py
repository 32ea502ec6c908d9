"""Figures of small trainings, recorded from one version so that later ones can be compared with them.

    PYTHONPATH=path/of/a/version/src python tools/record_weights.py tests/recorded/weights-0.1.0.npz

It uses public names alone, so it runs with any version; `tests/test_same_as_before.py` runs the same trainings again.
All data and nearly all starting weights are made by whole-number arithmetic, which is the same everywhere. Only the
forecaster draws its own weights.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import tsuzuki
from tsuzuki import GRU, LSTM, Activation, Dense, Dropout, Network, Segment, SimpleRNN, Streams, Windows

POINTS = 200
MOST_UPDATES = 100
Figures = dict[str, np.ndarray]


def machine() -> dict[str, object]:
    """What decides the bits: the vector width, the CPU's features, and who makes code of the sources."""
    import llvmlite
    from llvmlite import binding

    from tsuzuki.kernels.host import WIDTH

    features = sorted(name for name, present in binding.get_host_cpu_features().items() if present)
    return {"width": WIDTH, "features": features, "numpy": np.__version__, "llvmlite": llvmlite.__version__}


def wave(points: int) -> np.ndarray:
    """A triangle of period 24 with bumps, in multiples of 1/64: float64 [points]."""
    i = np.arange(points, dtype=np.int64)
    triangle = np.abs(i % 24 - 12) * 8 - 48
    bumps = (i * 37 + i * i * 11) % 29 - 14
    return (triangle + bumps) / 64


def starting_weights(network: Network) -> list[np.ndarray]:
    """Weights between -1/2 and 1/2 in multiples of 1/256, all different for a while."""
    made, first = [], 1
    for array in tsuzuki.initialise(network, 0):
        k = np.arange(first, first + array.size, dtype=np.int64)
        made.append((((k * 7919) % 257 - 128) / 256).astype(np.float32).reshape(array.shape))
        first += array.size
    return made


def trained(network: Network, way: Streams | Windows, epochs: int, **options: object) -> Figures:
    """The weights, the losses and the forecasts after at most 100 updates on two segments with a gap between them."""
    values = wave(POINTS).astype(np.float32)
    other = np.roll(values, 5)
    inputs = np.stack([values, other], axis=1)[:, : network.inputs - len(options.get("lags", ()))]
    segments = (Segment(8, 120), Segment(130, POINTS - 4))
    layout = way.over(segments)
    if epochs * layout.updates > MOST_UPDATES:
        raise ValueError(f"{epochs} epochs of {layout.updates} updates are more than {MOST_UPDATES}")
    weights = starting_weights(network)
    done = tsuzuki.fit(network, weights, inputs, values[:, None], layout, epochs=epochs, **options)
    asked = {name: options[name] for name in ("residual", "lags") if name in options}
    forecasts = tsuzuki.predict(network, done.weights, inputs, Streams(8, 1).over(segments), **asked)
    found = {f"weights {i}": array for i, array in enumerate(done.weights)}
    found["losses"] = np.array([record.loss for record in done.history])
    return found | {"forecasts": forecasts[~np.isnan(forecasts[:, 0])]}


def simple_rnn() -> Figures:
    """SGD with momentum on stateful windows."""
    network = Network(2, (SimpleRNN(5), Dense(1)))
    optimizer = tsuzuki.SGD(learning_rate=0.02, momentum=0.9, nesterov=True)
    return trained(network, Windows(8, 8, stateful=True), 3, optimizer=optimizer)


def gru_reset_after() -> Figures:
    """RMSprop on streams."""
    network = Network(2, (GRU(6), Dense(1)))
    return trained(network, Streams(8, 4), 10, optimizer=tsuzuki.RMSprop())


def gru_reset_before() -> Figures:
    """Adam on stateful windows."""
    network = Network(2, (GRU(5, reset_after=False), Dense(1)))
    return trained(network, Windows(8, 8, stateful=True), 3, optimizer=tsuzuki.Adam())


def lstm() -> Figures:
    """RMSprop as in the classic recipe, with momentum and centred, on streams."""
    network = Network(2, (LSTM(5), Dense(1)))
    return trained(network, Streams(8, 4), 10, optimizer=tsuzuki.RMSprop(momentum=0.5, centered=True))


def two_layers() -> Figures:
    """All kinds of layers, dropout's masks, and AdamW on a cosine with clipped gradients, on streams."""
    layers = (LSTM(6), GRU(5), Dropout(0.2), Dense(7, "relu"), Activation("tanh"), Dense(1))
    schedule = tsuzuki.Cosine(0.005, 70, warmup=7)
    optimizer = tsuzuki.AdamW(learning_rate=schedule, global_clipnorm=1.0)
    return trained(Network(2, layers), Streams(8, 4), 10, optimizer=optimizer, seed=3)


def dropped_inputs() -> Figures:
    """Dropout inside a recurrent layer, Adam with amsgrad, windows that begin at zero."""
    network = Network(2, (SimpleRNN(6, dropout=0.1, recurrent_dropout=0.1), Dense(1)))
    return trained(network, Windows(8, 8), 3, optimizer=tsuzuki.Adam(amsgrad=True), seed=5)


def quantiles_ahead() -> Figures:
    """Three quantiles of three steps ahead as changes, from lags, on streams."""
    network = Network(4, (GRU(6), Dense(9)))
    lags = ((1, 1), (0, 4))
    loss = tsuzuki.Pinball((0.1, 0.5, 0.9))
    return trained(network, Streams(8, 4), 10, optimizer=tsuzuki.Adam(), loss=loss, horizon=3, residual=True, lags=lags)


def _fitted() -> "tuple[tsuzuki.Forecaster, np.ndarray]":
    """A forecaster of two networks that made 200 updates, the fewest a forecaster makes, and what follows its data."""
    import pandas as pd

    values = wave(100)
    values[[17, 18, 40]] = np.nan
    series = pd.Series(values[:60], pd.date_range("2024-01-01", periods=60, freq="h"), name="a")
    small = {"cell": "gru", "units": 4, "layers": 1, "head": 0, "ensemble": 2, "epochs": 1, "validation_fraction": 0}
    # What version 0.1.0 did without a setting.
    small |= {"committee": False, "transform": "none", "loss": "mse", "cycles": ("hour", "weekday", "day of year")}
    lags = ((1, 1), (0, 4))
    made = tsuzuki.Forecaster(3, **small, timesteps=60, learning_rate=5e-4, lags=lags, seed=7).fit(series)
    return made, values[60:]


def forecaster() -> Figures:
    """A forecaster's weights, and its forecasts with their intervals."""
    made, _ = _fitted()
    found = {f"network {n} weights {i}": one for n, own in enumerate(made.fitted.members) for i, one in enumerate(own)}
    return found | {"forecasts": made.predict().drop(columns=["unique_id", "ds"]).to_numpy(np.float64)}


def stream() -> Figures:
    """What a stream answers to readings, of which some are missing."""
    made, readings = _fitted()
    following = made.stream()
    found = [following.update(None if i % 11 == 5 else value) for i, value in enumerate(readings)]
    return {"forecasts": np.stack(found)}


def learning_stream() -> Figures:
    """What a stream answers that learns from each reading."""
    made, readings = _fitted()
    following = made.stream(learn=True)
    return {"forecasts": np.stack([following.update(value) for value in readings])}


CASES: dict[str, Callable[[], Figures]] = {
    made.__name__: made
    for made in (
        simple_rnn,
        gru_reset_after,
        gru_reset_before,
        lstm,
        two_layers,
        dropped_inputs,
        quantiles_ahead,
        forecaster,
        stream,
        learning_stream,
    )
}


def record(path: Path) -> None:
    """Write the figures of all cases, and what machine they come from."""
    found = {f"{case}/{name}": array for case, made in CASES.items() for name, array in made().items()}
    np.savez_compressed(path, machine=np.array(json.dumps(machine())), **found)


if __name__ == "__main__":
    record(Path(sys.argv[1]))
