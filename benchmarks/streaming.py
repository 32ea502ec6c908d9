"""One reading at a time: ours, ONNX Runtime, PyTorch and Keras on the same network with the same weights.

    python benchmarks/streaming.py

A GRU(32) with 24 horizons reads a value, whether it is missing and the calendar. Ours takes the bare reading and makes
the rest itself; the others are handed finished rows. Their forecasts are compared with ours before anybody is timed.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

HORIZON, UNITS, CHECKED, SERIES = 24, 32, 50, 10_000
ROUNDS, CALLS, BATCHES = 15, 2000, 70
# What a comparison has to reach, and whether more is better.
REACH = {
    "tsuzuki": (0.7, False),
    "learning": (100.0, False),
    "ONNX Runtime": (5.0, True),
    "PyTorch": (15.0, True),
    "Keras predict_on_batch": (500.0, True),
    "bank": (25e6, True),
    "bank against PyTorch": (3.0, True),
    "command": (200_000.0, True),
}


def forecaster():
    """A trained network of the size that is compared."""
    import pandas as pd

    from tsuzuki import Forecaster

    generator = np.random.default_rng(0)
    hours = np.arange(3000)
    values = 10 + 5 * np.sin(hours * 2 * np.pi / 24) + np.cumsum(generator.normal(0, 0.1, len(hours)))
    series = pd.Series(values, pd.date_range("2020-01-01", periods=len(hours), freq="h"), name="sensor")
    settings = {"units": UNITS, "layers": 1, "head": 0, "ensemble": 1, "lags": (), "epochs": 2, "timesteps": 24}
    # A network alone: the others know no committee.
    return Forecaster(HORIZON, committee=False, **settings).fit(series)


def prepare(folder: Path) -> None:
    """Write the model, and for the others the weights, the state, the rows to come and our forecasts after them."""
    made = forecaster()
    made.save(folder / "m.tsuzuki")
    stream = made.stream()
    state = stream.bank.saved_states[0].states()[:, :UNITS]
    mean, scale = made.fitted.scales[0]
    rows, forecasts = [], []
    for i in range(CHECKED):
        forecasts.append((stream.update(10 + np.sin(i)) - mean) / scale)
        rows.append(stream.bank.rows[0][stream.at][0].copy())
    weights = {f"w{i}": array for i, array in enumerate(made.fitted.members[0])}
    np.savez(folder / "shared.npz", state=state, rows=rows, forecasts=forecasts, **weights)


def timed(call) -> float:
    """Microseconds of a call, the median of rounds."""
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(CALLS):
            call()
        found.append((time.perf_counter() - began) / CALLS * 1e6)
    return median(found)


def agree(step, shared) -> None:
    """Run the rows through somebody's `step` and compare with our forecasts."""
    for row, expected in zip(shared["rows"], shared["forecasts"], strict=True):
        np.testing.assert_allclose(step(row), expected, rtol=1e-3, atol=1e-3)


def ours(folder: Path) -> dict[str, float]:
    """A stream, a bank and a stream that learns."""
    import tsuzuki

    made = tsuzuki.load(folder / "m.tsuzuki")
    stream, learner = made.stream(), made.stream(learn=True)
    found = {"tsuzuki": timed(lambda: stream.update(11.4))}
    found["learning"] = timed(lambda: learner.update(11.4))
    bank = made.bank([f"s{i}" for i in range(SERIES)])
    values = np.random.default_rng(0).normal(10, 3, SERIES)
    return found | {"bank": SERIES / _batches(lambda: bank.update(values))}


def _batches(call) -> float:
    """Seconds of a call over many series, on average: now and then one of ours makes the calendar of rows to come."""
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(BATCHES):
            call()
        found.append((time.perf_counter() - began) / BATCHES)
    return median(found)


def onnx_runtime(folder: Path) -> dict[str, float]:
    """ONNX Runtime on one thread; its ordinary call and the one with bound buffers, the better counts."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    shared = np.load(folder / "shared.npz")
    kernel, recurrent, bias, head, head_bias = (shared[f"w{i}"] for i in range(5))
    constants = {
        "W": kernel.T[None],
        "R": recurrent.T[None],
        "B": bias.reshape(1, -1),
        "V": head,
        "c": head_bias,
        "first": np.array([0]),
        "axis": np.array([2]),
    }
    nodes = [
        helper.make_node("GRU", ["x", "W", "R", "B", "", "h"], ["", "h2"], hidden_size=UNITS, linear_before_reset=1),
        helper.make_node("MatMul", ["h2", "V"], ["y0"]),
        helper.make_node("Add", ["y0", "c"], ["y1"]),
        helper.make_node("Gather", ["x", "first"], ["base"], axis=2),
        helper.make_node("Add", ["y1", "base"], ["y"]),
    ]
    columns = kernel.shape[0]
    graph = helper.make_graph(
        nodes,
        "step",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, columns]),
            helper.make_tensor_value_info("h", TensorProto.FLOAT, [1, 1, UNITS]),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, HORIZON]),
            helper.make_tensor_value_info("h2", TensorProto.FLOAT, [1, 1, UNITS]),
        ],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    state = {"h": shared["state"][None]}

    def step(row):
        y, state["h"] = session.run(None, {"x": row.reshape(1, 1, -1), "h": state["h"]})
        return y[0, 0]

    agree(step, shared)
    row = shared["rows"][-1]
    plain = timed(lambda: step(row))
    binding = session.io_binding()
    x, y = row.reshape(1, 1, -1).copy(), np.zeros((1, 1, HORIZON), np.float32)
    states = [np.zeros((1, 1, UNITS), np.float32) for _ in range(2)]
    boxes = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in states]
    binding.bind_cpu_input("x", x)
    binding.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)

    def bound():
        x[0, 0] = row
        binding.bind_ortvalue_input("h", boxes[0])
        binding.bind_ortvalue_output("h2", boxes[1])
        session.run_with_iobinding(binding)
        boxes.reverse()
        return y[0, 0]

    return {"ONNX Runtime": min(plain, timed(bound))}


def pytorch(folder: Path) -> dict[str, float]:
    """PyTorch without gradients: one reading on one thread, and a batch of series on all cores."""
    import torch

    shared = np.load(folder / "shared.npz")
    kernel, recurrent, bias, head, head_bias = (torch.tensor(shared[f"w{i}"]) for i in range(5))

    def order(array):
        z, r, h = array.split(UNITS, dim=-1)
        return torch.cat([r, z, h], dim=-1)

    cell = torch.nn.GRUCell(kernel.shape[0], UNITS)
    with torch.no_grad():
        cell.weight_ih.copy_(order(kernel).T)
        cell.weight_hh.copy_(order(recurrent).T)
        cell.bias_ih.copy_(order(bias[0]))
        cell.bias_hh.copy_(order(bias[1]))
    with torch.inference_mode():
        state = {"h": torch.tensor(shared["state"])}

        def step(row):
            x = torch.from_numpy(row)[None]
            state["h"] = cell(x, state["h"])
            return torch.addmm(head_bias, state["h"], head)[0].add_(x[0, 0]).numpy()

        agree(step, shared)
        row = shared["rows"][-1]
        torch.set_num_threads(1)
        single = timed(lambda: step(row))
        torch.set_num_threads(os.cpu_count() or 1)
        many = {"h": torch.zeros(SERIES, UNITS)}
        rows = np.tile(row, (SERIES, 1))

        def batch():
            x = torch.from_numpy(rows)
            many["h"] = cell(x, many["h"])
            return (torch.addmm(head_bias, many["h"], head) + x[:, :1]).numpy()

        return {"PyTorch": single, "PyTorch bank": SERIES / _batches(batch)}


def keras(folder: Path) -> dict[str, float]:
    """A stateful Keras model and predict_on_batch."""
    global ROUNDS, CALLS
    ROUNDS, CALLS = 5, 100
    import keras as k

    shared = np.load(folder / "shared.npz")
    weights = [shared[f"w{i}"] for i in range(5)]
    gru = k.layers.GRU(UNITS, stateful=True)
    inputs = k.Input(batch_shape=(1, 1, weights[0].shape[0]))
    outputs = k.layers.Dense(HORIZON)(gru(inputs)) + inputs[:, 0, :1]
    model = k.Model(inputs, outputs)
    model.set_weights(weights)
    gru.states[0].assign(shared["state"])

    def step(row):
        return np.asarray(model.predict_on_batch(row.reshape(1, 1, -1)))[0]

    agree(step, shared)
    row = shared["rows"][-1]
    return {"Keras predict_on_batch": timed(lambda: step(row))}


def command(folder: Path) -> dict[str, float]:
    """`tsuzuki stream` from its start to its end, lines a second, durable states included."""
    import pandas as pd

    found = {}
    # So many that the start of the process, half a second, weighs little.
    for series, lines, workers in ((1000, 2_000_000, 1), (1000, 2_000_000, 2), (1, 300_000, 1)):
        stamps = pd.date_range("2021-01-01", periods=lines // series, freq="h").strftime("%Y-%m-%d %H:%M:%S")
        path = folder / "in.csv"
        with path.open("w") as file:
            for i, stamp in enumerate(stamps):
                file.writelines(f"s{k},{stamp},{10 + (i + k) % 7}.5\n" for k in range(series))
        arguments = [sys.executable, "-m", "tsuzuki", "stream", str(folder / "m.tsuzuki"), "--state"]
        taken = []
        for _ in range(3):
            shutil.rmtree(folder / "states", ignore_errors=True)
            began = time.perf_counter()
            command = [*arguments, str(folder / "states"), "--workers", str(workers)]
            with path.open() as source, (folder / "out.csv").open("w") as target:
                subprocess.run(command, stdin=source, stdout=target, check=True)
            taken.append(lines / (time.perf_counter() - began))
        beside = "" if workers == 1 else f", {workers} workers"
        found[f"command, {series:,} series{beside}"] = median(taken)
    return found


PARTS = {part.__name__: part for part in (ours, onnx_runtime, pytorch, keras, command)}


def main() -> dict[str, float]:
    """Run every part in a process of its own and print the table."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
        for name in PARTS:
            done = subprocess.run(
                [sys.executable, __file__, name, folder], env={**os.environ, **quiet}, capture_output=True, text=True
            )
            lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
            if lines:
                found |= json.loads(lines[-1].removeprefix("RESULT "))
            else:
                print(f"  {name}: not measured: {(done.stderr.strip().splitlines() or ['no message'])[-1][:100]}")
    print(f"\nStreaming: GRU({UNITS}), {HORIZON} horizons, one reading from Python")
    print(f"  {'':26}{'µs':>12}{'ratio':>10}{'to reach':>14}")
    for name in ("tsuzuki", "ONNX Runtime", "PyTorch", "Keras predict_on_batch"):
        if name in found:
            ratio = found[name] / found["tsuzuki"]
            judged = _judged(name, found[name] if name == "tsuzuki" else ratio)
            print(f"  {name:26}{found[name]:12,.2f}{ratio:10,.1f}{judged:>14}")
    print(f"  {'learning from each':26}{found['learning']:12,.2f}{'':10}{_judged('learning', found['learning']):>14}")
    print(f"  {'bank of 10,000':26}{found['bank']:12,.0f} readings a second{_judged('bank', found['bank']):>14}")
    if "PyTorch bank" in found:
        ratio = found["bank"] / found["PyTorch bank"]
        shown = _judged("bank against PyTorch", ratio)
        rate = found["PyTorch bank"]
        print(f"  {'PyTorch batch of 10,000':26}{rate:12,.0f} readings a second, {ratio:.1f} x{shown:>14}")
    for name, rate in found.items():
        if name.startswith("command"):
            print(f"  {name:32}{rate:12,.0f} lines a second{_judged('command', rate):>14}")
    return found


def _judged(name: str, value: float) -> str:
    reach, more = REACH[name]
    return f"{reach:,g} {'ok' if (value >= reach) == more else 'NO'}"


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print("RESULT " + json.dumps(PARTS[sys.argv[1]](Path(sys.argv[2]))))
    else:
        main()
