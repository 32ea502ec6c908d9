"""One step of a whole forecaster as an ONNX file: a reading of one series in, its forecast and intervals out.

Scale, transformation, window of last values, networks, committee and intervals stand in the graph; whoever runs it
keeps what it hands on. The states need not be given at the first step: they are those at the end of the training data.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.adapters.onnx import StepGraph, check_onnx
from tsuzuki.errors import UnsupportedModel
from tsuzuki.forecasting.transforms import LARGEST
from tsuzuki.forecasting.window_inputs import WindowInputs
from tsuzuki.network.layers import Recurrent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings


def check_writable(fitted: "Fitted", settings: "Settings") -> None:
    """Raise where a forecaster could not be written.

    Raises:
        UnsupportedModel: the networks stand alone, or read covariates.
        MissingExtraError: the package onnx is not installed.
    """
    check_onnx("to_onnx")
    if settings.columns.all:
        raise UnsupportedModel(
            "to_onnx writes no forecaster that reads covariates or holidays; fit one without past, known, static and "
            "holidays"
        )
    if fitted.spread is not None:
        raise UnsupportedModel(f"to_onnx writes no forecaster with loss={settings.loss!r}; fit with huber, mse or mae")
    if fitted.committee is None or fitted.calibration is None:
        raise UnsupportedModel(
            "to_onnx writes a forecaster with a committee; fit with committee=True and without quantiles, or write the "
            "network alone: tsuzuki.to_onnx(network, weights, path)"
        )


def write_onnx(
    fitted: "Fitted",
    unique_id: str,
    path: str | Path,
    levels: "Sequence[float]",
    states: "Sequence[NDArray[np.float32]]",
) -> None:
    """Write the file; see `Forecaster.to_onnx`.

    Args:
        fitted: what training left, as `check_writable` asks it.
        unique_id: the series.
        path: where.
        levels: of the intervals, in per cent.
        states: each network's state behind the last row of the data, one recurrent layer after another.

    Raises:
        FileError: the file cannot be written.
    """
    from tsuzuki.forecasting.recent_errors import OFFSET, WIDTH

    committee, rules, calibration = fitted.committee, fitted.rules, fitted.calibration
    assert committee is not None
    assert calibration is not None
    number = fitted.ids.index(unique_id)
    made, size, horizon = StepGraph(), rules.history, rules.horizon
    y, missing = made.take("y", 1), made.take("missing", 1, np.zeros(1, np.float32))
    cycles = 2 * len(rules.cycles)
    calendar = made.take("calendar", cycles) if cycles else ""
    window = made.take("window", size, fitted.windows[number])

    mean, scale = (float(one) for one in fitted.scales[number])
    stands = fitted.recent_states[number]
    mean += float(stands[OFFSET]) * scale
    mark = np.float32(fitted.transform.marks[number])
    value = made.node("Div", [made.node("Sub", [_forward(made, fitted, y, mark), _of(made, mean)]), _of(made, scale)])
    # What stands in for a missing reading is the value of the season before, or the last one.
    back = max(1, rules.bases[number])
    instead = made.part(window, size - back, size - back + 1)
    shares = made.node("Sub", [_of(made, 1), missing])
    value = made.node("Add", [made.node("Mul", [shares, value]), made.node("Mul", [missing, instead])])
    window = made.node("Concat", [made.part(window, 1, size), value], axis=-1)
    apart = made.node("Sub", [window, value])

    inputs = [value, missing, *_of_windows(made, fitted, number, apart), *([calendar] if cycles else [])]
    row = made.node("Concat", inputs, axis=-1)
    outputs = []
    for member, (way, weights, saved) in enumerate(zip(fitted.ways, fitted.members, states, strict=True)):
        cells = [layer for layer in way.network.layers if isinstance(layer, Recurrent)]
        sizes = [layer.units for layer in cells for _ in range(layer.states)]
        begun = np.split(saved[: sum(sizes)], np.cumsum(sizes)[:-1])
        outputs.append(made.network(way.network, weights, row, f"network {member + 1} ", begun))
    kind = committee.bases[number]
    changes = made.node("Mul", [made.node("Mean", outputs), _of(made, float(committee.units[number]))])
    trusted = made.node("Mul", [changes, made.constant(committee.network_weights[kind][None])])
    linear = made.node("MatMul", [apart, made.constant(committee.maps[kind])])
    last = made.node("Mul", [value, made.constant(committee.last_weights[kind][None])])
    scaled = made.node("Add", [made.node("Add", [trusted, last]), linear])
    profiles = committee.profiles
    if profiles and profiles.there[number]:
        scaled = made.node("Add", [scaled, _profile(made, fitted, number)])
    found = made.node("Add", [made.node("Mul", [scaled, _of(made, scale)]), _of(made, mean)])
    made.give("forecast", horizon, _inverse(made, fitted, found, mark))
    for level in levels:
        for end, offsets in zip(("lo", "hi"), calibration.interval_offsets(level), strict=True):
            own = offsets[number if len(offsets) > 1 else 0] * (scale * float(stands[WIDTH]))
            moved = made.node("Add", [found, made.constant(np.asarray(own[None], np.float32))])
            made.give(f"{end}-{level:g}", horizon, _inverse(made, fitted, moved, mark))
    made.hand_on("window", size, window)
    notes = {
        "unique_id": unique_id,
        "unit": "" if fitted.source is None else fitted.source.unit or "",
        "step seconds": f"{fitted.step / 1e9:g}",
        "last time": str(fitted.times[number][-1]),
        "calendar": json.dumps([f"{part} of {one}" for one in rules.cycles for part in ("sine", "cosine")]),
        "y": "the reading; any number where missing is 1",
    }
    made.write(path, "forecaster", notes)


def _profile(made: StepGraph, fitted: "Fitted", number: int) -> str:
    """What the profile of a series adds; the place in the season goes on from step to step, as the window does."""
    from onnx import TensorProto

    assert fitted.committee is not None
    committee = fitted.committee
    profiles, offsets = committee.profiles, committee.offsets[committee.offset_rows[number]]
    last = profiles.phase(int(fitted.times[number][-1].astype("datetime64[ns]").astype(np.int64)))
    phase = made.take("phase", 1, np.array([last], np.float32))
    phase = made.node("Mod", [made.node("Add", [phase, _of(made, 1)]), _of(made, profiles.season)], fmod=1)
    made.hand_on("phase", 1, phase)
    whole = made.node("Cast", [made.node("Squeeze", [phase, made.constant(np.array([1]))])], to=TensorProto.INT64)
    return made.node("Gather", [made.constant(offsets), whole], axis=0)


def _of_windows(made: StepGraph, fitted: "Fitted", number: int, apart: str) -> list[str]:
    """What networks read of a window less its last value, in their order; see `window_inputs.WindowInputs`."""
    plain, changes, per_unit, constants = WindowInputs(fitted.rules).parts(number)
    moved = made.node("MatMul", [apart, made.constant(changes)])
    moved = made.node("Mul", [moved, _of(made, per_unit)])
    root = made.node("Sqrt", [made.node("Add", [_of(made, 1), made.node("Abs", [moved])])])
    found = [made.node("MatMul", [apart, made.constant(plain)]), made.node("Div", [moved, root])]
    return [*found, made.constant(constants[None])] if len(constants) else found


def _of(made: StepGraph, number: float) -> str:
    """One number."""
    return made.constant(np.full((1, 1), number, np.float32))


def _forward(made: StepGraph, fitted: "Fitted", y: str, mark: np.float32) -> str:
    """A reading transformed; see `transforms.Transform.forward`."""
    kind = fitted.transform.kind
    if kind == "log":
        usual = made.node("Log", [made.node("Max", [y, _of(made, float(mark))])])
        below = made.node("Min", [made.node("Sub", [y, _of(made, float(mark))]), _of(made, 0)])
        return made.node("Add", [usual, made.node("Div", [below, _of(made, float(mark))])])
    return made.node("Asinh", [made.node("Div", [y, _of(made, float(mark))])]) if kind == "asinh" else y


def _inverse(made: StepGraph, fitted: "Fitted", found: str, mark: np.float32) -> str:
    """A transformed forecast in the series' unit."""
    kind = fitted.transform.kind
    if kind == "none":
        return found
    least = float(np.log(mark)) if kind == "log" else -LARGEST
    inside = made.node("Clip", [found, *(made.constant(np.array(end, np.float32)) for end in (least, LARGEST))])
    if kind == "log":
        below = made.node("Min", [made.node("Sub", [found, _of(made, least)]), _of(made, 0)])
        return made.node("Add", [made.node("Exp", [inside]), made.node("Mul", [below, _of(made, float(mark))])])
    return made.node("Mul", [made.node("Sinh", [inside]), _of(made, float(mark))])
