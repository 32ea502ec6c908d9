"""Keras models as people use them, an epoch of `fit` in each engine: rows of `make bench`.

    python benchmarks/keras_rows.py [--rows lstm3,letters,…] [--peers "PyTorch" "Keras, JAX"] [--updates 3]

Each engine runs in a process of its own, ours before and after the others; what it does not support is said. The first
epoch, with its compilation, does not count. PyTorch's loop begins every batch from a zero state and does not mask: it
does a little less than the others. JAX's scan carries states and does not mask; convolutions are not written for it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

OURS, KERAS_TF, KERAS_XLA, KERAS_JAX, TORCH = "tsuzuki", "Keras, TensorFlow", "Keras, TF + jit", "Keras, JAX", "PyTorch"
SCAN = "JAX scan"
PEERS = {KERAS_TF: "tensorflow", KERAS_XLA: "tensorflow", KERAS_JAX: "jax", TORCH: "torch", SCAN: "jax"}
ROUNDS = 3


@dataclass(frozen=True)
class Row:
    """One model and its data.

    Attributes:
        key: what it is asked for by.
        name: what is shown.
        layers: of the Keras model, made from `keras.layers`; the first is the input.
        torch: the same for PyTorch: (modules, which of them are recurrent and give (outputs, state)).
        data: x and y, made from a generator.
        loss: Keras's name, "logits" for classes from logits.
        lanes: samples of a batch.
        optimizer: Keras's name.
        reach: times faster than the best peer, and than Keras on TensorFlow where that is asked for.
    """

    key: str
    name: str
    layers: Callable[[Any], list[Any]]
    torch: Callable[[Any], list[Any]]
    data: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
    loss: str
    lanes: int
    optimizer: str
    reach: dict[str, float]


def _letters(letters: int, shape: tuple[int, int]) -> Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]:
    return lambda draw: (draw.integers(0, letters, shape), draw.integers(0, letters, shape))


def _floats(shape: tuple[int, ...], classes: int) -> Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]:
    def make(draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = draw.normal(size=shape).astype(np.float32)
        if classes == 1:
            return x, draw.normal(size=(shape[0], 1)).astype(np.float32)
        return x, np.eye(classes, dtype=np.float32)[draw.integers(0, classes, shape[0])]

    return make


ROWS = (
    Row(
        "lstm3",
        "LSTM(32) x 3 stateful, softmax of 10, 32 x 8 x 16",
        lambda k: [
            k.Input(batch_shape=(32, 8, 16)),
            k.layers.LSTM(32, stateful=True, return_sequences=True),
            k.layers.LSTM(32, stateful=True, return_sequences=True),
            k.layers.LSTM(32, stateful=True),
            k.layers.Dense(10, activation="softmax"),
        ],
        lambda n: [n.LSTM(16, 32, 3, batch_first=True), "last", n.Linear(32, 10)],
        _floats((32 * 100, 8, 16), 10),
        "categorical_crossentropy",
        32,
        "rmsprop",
        {"best": 8.0, KERAS_TF: 40.0},
    ),
    Row(
        "letters",
        "Embedding(65, 64), GRU(128) stateful, logits of 65, 32 x 50",
        lambda k: [
            k.Input(batch_shape=(32, 50)),
            k.layers.Embedding(65, 64),
            k.layers.GRU(128, return_sequences=True, stateful=True),
            k.layers.Dense(65),
        ],
        lambda n: [n.Embedding(65, 64), n.GRU(64, 128, batch_first=True), n.Linear(128, 65)],
        _letters(65, (32 * 40, 50)),
        "logits",
        32,
        "adam",
        {"best": 3.0},
    ),
    Row(
        "tutorial",
        "Embedding(65, 256), GRU(1024), logits of 65, 64 x 100",
        lambda k: [
            k.Input(batch_shape=(64, 100)),
            k.layers.Embedding(65, 256),
            k.layers.GRU(1024, return_sequences=True, stateful=True),
            k.layers.Dense(65),
        ],
        lambda n: [n.Embedding(65, 256), n.GRU(256, 1024, batch_first=True), n.Linear(1024, 65)],
        _letters(65, (64 * 3, 100)),
        "logits",
        64,
        "adam",
        {"best": 1.3},
    ),
    Row(
        "reviews",
        "Embedding(10k, 64, mask_zero), Bidirectional(LSTM(64)), sigmoid, 32 x 200",
        lambda k: [
            k.Input((200,)),
            k.layers.Embedding(10_000, 64, mask_zero=True),
            k.layers.Bidirectional(k.layers.LSTM(64)),
            k.layers.Dense(1, activation="sigmoid"),
        ],
        lambda n: [
            n.Embedding(10_000, 64),
            n.LSTM(64, 64, batch_first=True, bidirectional=True),
            "last",
            n.Linear(128, 1),
        ],
        lambda draw: (
            draw.integers(1, 10_000, (320, 200)) * (np.arange(200) < draw.integers(50, 201, (320, 1))),
            draw.integers(0, 2, (320, 1)).astype(np.float32),
        ),
        "binary_crossentropy",
        32,
        "adam",
        {"best": 2.5},
    ),
    Row(
        "activity",
        "Conv1D(32, 5), MaxPooling1D, LSTM(64), softmax of 6, 64 x 128 x 9",
        lambda k: [
            k.Input((128, 9)),
            k.layers.Conv1D(32, 5, activation="relu"),
            k.layers.MaxPooling1D(),
            k.layers.LSTM(64),
            k.layers.Dense(6, activation="softmax"),
        ],
        lambda n: [
            "channels",
            n.Conv1d(9, 32, 5),
            n.ReLU(),
            n.MaxPool1d(2),
            "channels",
            n.LSTM(32, 64, batch_first=True),
            "last",
            n.Linear(64, 6),
        ],
        _floats((64 * 20, 128, 9), 6),
        "categorical_crossentropy",
        64,
        "adam",
        {"best": 2.5},
    ),
    Row(
        "weather",
        "LSTM(32), Dense(1), 256 x 120 x 7",
        lambda k: [k.Input((120, 7)), k.layers.LSTM(32), k.layers.Dense(1)],
        lambda n: [n.LSTM(7, 32, batch_first=True), "last", n.Linear(32, 1)],
        _floats((256 * 20, 120, 7), 1),
        "mse",
        256,
        "adam",
        {"best": 3.0},
    ),
)


def _data_of(row: Row, updates: int | None) -> tuple[np.ndarray, np.ndarray]:
    """x and y of an epoch, or of its first updates."""
    x, y = row.data(np.random.default_rng(0))
    count = len(x) if updates is None else updates * row.lanes
    return x[:count], y[:count]


def keras_seconds(row: Row, who: str, updates: int | None) -> list[float]:
    """Seconds of each epoch of `fit`, Keras's own or ours."""
    import keras

    keras.utils.set_random_seed(0)
    x, y = _data_of(row, updates)
    model = keras.Sequential(row.layers(keras))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if row.loss == "logits" else row.loss
    # On the JAX backend "auto" compiles; on TensorFlow both are timed.
    model.compile(row.optimizer, loss, jit_compile={KERAS_TF: False, KERAS_XLA: True}.get(who, "auto"))
    fit: Callable[..., Any] = model.fit
    if who == OURS:
        import tsuzuki

        def fit(*arguments: Any, **options: Any) -> Any:
            return tsuzuki.fit(model, *arguments, reset_states="never", **options)

    found = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        fit(x, y, batch_size=row.lanes, epochs=1, shuffle=False, verbose=0)
        found.append(time.perf_counter() - began)
    return found[1:]


def torch_seconds(row: Row, updates: int | None) -> list[float]:
    """Seconds of each epoch of a hand-written loop, on as many threads as do best."""
    import torch
    from torch import nn

    x, y = (torch.tensor(array) for array in _data_of(row, updates))
    kinds = {"mse": nn.MSELoss(), "binary_crossentropy": nn.BCEWithLogitsLoss()}
    loss_of = kinds.get(row.loss, nn.CrossEntropyLoss())
    best: list[float] = []
    for threads in (1, os.cpu_count() or 1):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        parts = row.torch(nn)
        weights = [weight for part in parts if isinstance(part, nn.Module) for weight in part.parameters()]
        kind = torch.optim.RMSprop if row.optimizer == "rmsprop" else torch.optim.Adam
        optimizer, found = kind(weights, lr=1e-3), []
        for _ in range(ROUNDS + 1):
            began = time.perf_counter()
            for at in range(0, len(x), row.lanes):
                out = x[at : at + row.lanes]
                for part in parts:
                    if part == "last":
                        out = out[:, -1]
                    elif part == "channels":
                        out = out.transpose(1, 2)
                    else:
                        out = part(out)[0] if isinstance(part, nn.RNNBase) else part(out)
                aim = y[at : at + row.lanes]
                loss = loss_of(out.flatten(0, 1), aim.flatten()) if row.loss == "logits" else loss_of(out, aim)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            found.append(time.perf_counter() - began)
        if not best or median(found[1:]) < median(best):
            best = found[1:]
    return best


def scan_seconds(row: Row, updates: int | None) -> list[float]:
    """Seconds of each epoch as one jitted `lax.scan` over updates, in each a scan over steps (`keras_scan.py`)."""
    from keras_scan import epoch_of

    x, y = _data_of(row, updates)
    epoch, found = epoch_of(row, x, y), []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        epoch()
        found.append(time.perf_counter() - began)
    return found[1:]


def measure(row: Row, who: str, updates: int | None) -> list[float] | str:
    """Run one engine on one row in a process of its own; its seconds, or why there are none."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": PEERS.get(who, "tensorflow")}
    command = [sys.executable, __file__, "--child", who, "--rows", row.key]
    command += [] if updates is None else ["--updates", str(updates)]
    done = subprocess.run(command, env={**os.environ, **quiet}, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        return (done.stderr.strip().splitlines() or ["no message"])[-1]
    return json.loads(lines[-1].removeprefix("RESULT "))


def run_row(row: Row, peers: list[str], updates: int | None) -> dict[str, Any]:
    """Measure everybody on one row and print the table."""
    found: dict[str, Any] = {OURS: measure(row, OURS, updates)}
    found |= {who: measure(row, who, updates) for who in peers}
    again = measure(row, OURS, updates)
    if isinstance(found[OURS], list) and isinstance(again, list):
        found[OURS] += again
    print(f"\n{row.name}\n  {'':22}{'s per epoch':>14}{'ratio':>10}{'to reach':>10}")
    ratios: dict[str, float] = {}
    for who, seconds in found.items():
        if isinstance(seconds, str):
            print(f"  {who:22}  not measured: {seconds[:90]}")
            continue
        if who != OURS and isinstance(found[OURS], list):
            ratios[who] = median(seconds) / median(found[OURS])
        shown = f"{ratios[who]:,.2f}" if who in ratios else ""
        print(f"  {who:22}{median(seconds):14.4f}{shown:>10}{_target(row, who, ratios):>10}")
    if ratios:
        ratios["best"] = min(ratios.values())
        print(f"  {'best of the others':36}{ratios['best']:10,.2f}{_target(row, 'best', ratios):>10}")
    return {"row": row.name, "results": found, "ratios": ratios, "reach": row.reach}


def _target(row: Row, who: str, ratios: dict[str, float]) -> str:
    if who not in row.reach or who not in ratios:
        return ""
    return f"{row.reach[who]:g} {'ok' if ratios[who] >= row.reach[who] else 'NO'}"


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """Run the rows that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    keys = [row.key for row in ROWS]
    parser.add_argument("--rows", default=",".join(keys), help=f"of {', '.join(keys)}, or their numbers from 0")
    parser.add_argument("--updates", type=int, help="of an epoch, instead of a whole one: to try a row out")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--json", default=str(Path(__file__).parent / "results" / "keras_rows.json"))
    given = parser.parse_args(arguments)
    asked = [keys[int(one)] if one.isdigit() else one for one in given.rows.split(",") if one]
    if unknown := [one for one in asked if one not in keys]:
        parser.error(f"there is no row {', '.join(unknown)}; name some of {', '.join(keys)}")
    rows = [row for row in ROWS if row.key in asked]
    if given.child:
        hand_written = {TORCH: torch_seconds, SCAN: scan_seconds}.get(given.child)
        seconds = hand_written or (lambda row, updates: keras_seconds(row, given.child, updates))
        print("RESULT " + json.dumps(seconds(rows[0], given.updates)))
        return []
    found = [run_row(row, given.peers, given.updates) for row in rows]
    path = Path(given.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1))
    return found


if __name__ == "__main__":
    main()
