"""A user's arrays: numbers of the right shape, and what their strides say about the series under them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import DataError, SettingError

Floats = NDArray[np.float32]


def as_array(given: Any, name: str) -> NDArray[Any]:
    """An argument as an array of numbers, or SettingError with its name."""
    if given is None:
        raise SettingError(f"{name} is missing; give an array")
    if not (hasattr(given, "__array__") or isinstance(given, Sequence)) or isinstance(given, str):
        raise SettingError(
            f"{name} is a {type(given).__name__}; give an array, or the series: "
            "tsuzuki.fit(model, series=…, timesteps=…, batch_size=…)"
        )
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise SettingError(f"{name} has dtype {array.dtype}; give numbers")
    return array


def targets_of(wanted: tuple[int, ...], y: NDArray[Any], what: str) -> NDArray[Any]:
    """y in the shape of what the model gives; the last axis may be left out where it is 1."""
    if wanted[-1] == 1 and y.shape == wanted[:-1]:
        return y[..., None]
    if y.shape != wanted:
        raise SettingError(
            f"{what}y has shape {y.shape}; for {wanted[0]} samples the model gives {wanted}: change y or the last layer"
        )
    return y


def check_classes(y: NDArray[Any], classes: int, ignored: int | None, name: str) -> None:
    """Raise SettingError where targets do not name one of the classes, and not the ignored one either."""
    wrong = (y < 0) | (y >= classes)
    if ignored is not None:
        wrong &= y != ignored
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise SettingError(f"{name} has class {y[at]} at {at}, but the model gives {classes}, counted from 0; mend it")


def columns_of(given: Any, name: str, columns: int, kind: str) -> Floats:
    """A series as float32 [points, columns]."""
    array = as_array(given, name)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != columns:
        raise SettingError(
            f"{name} has shape {np.shape(given)}; the model has {columns} {kind}: give (points, {columns})"
        )
    return np.ascontiguousarray(array, np.float32)


def step_of(x: NDArray[Any]) -> int:
    """Rows from one sample to the next in the series that x is a view of; timesteps where it is none."""
    samples, steps = int(x.shape[0]), int(x.shape[1])
    if samples == 1 or steps == 1:
        return steps
    if x.strides[1] <= 0 or x.strides[0] <= 0 or x.strides[0] % x.strides[1]:
        return steps
    return min(int(x.strides[0]) // int(x.strides[1]), steps)


def flat_rows(x: NDArray[Any], step: int) -> Floats:
    """The rows [(samples - 1) * step + timesteps, columns] under samples that begin every `step` rows."""
    samples, steps, columns = x.shape
    if step == steps:
        return np.ascontiguousarray(x.reshape(-1, columns), np.float32)
    rows = (samples - 1) * step + steps
    series = np.lib.stride_tricks.as_strided(x, (rows, columns), x.strides[1:], writeable=False)
    return np.ascontiguousarray(series, np.float32)


def check_finite(series: Floats, x: NDArray[Any] | None, what: str) -> None:
    """Raise DataError where the series is not finite, named by its place in x, or in the series if x is None."""
    # One sum is finite only if all its terms are; it is looked at closely only otherwise.
    if np.isfinite(series.sum()) or np.isfinite(series).all():
        return
    advice = "fill it in, or split the series there (tsuzuki.collect does both)"
    if x is None:
        point, column = np.argwhere(~np.isfinite(series))[0]
        raise DataError(f"series has {series[point, column]} at point {point}, column {column}; {advice}")
    sample, step, feature = np.argwhere(~np.isfinite(np.asarray(x, np.float32)))[0]
    value = x[sample, step, feature]
    raise DataError(f"{what}x has {value} in sample {sample}, step {step}, feature {feature}; {advice}")


def first_break(x: Any, lanes: int) -> tuple[int, int, str] | None:
    """Find whether samples that overlap are dealt out wrongly for a carried state.

    Samples that do not overlap say nothing about where they lie in time.

    Args:
        x: [samples, timesteps, …].
        lanes: the batch size.

    Returns:
        A sample, the one that takes over its state, and why that is wrong; or None.
    """
    samples, steps = x.shape[:2]
    if samples <= lanes:
        return None
    step = step_of(x)
    if step >= steps:
        some = x[: min(samples, 4 * steps)]
        step = next((m for m in range(1, steps) if np.array_equal(some[1:, : steps - m], some[:-1, m:])), steps)
        # A constant series overlaps with itself anyhow.
        if step == steps or np.ptp(some) == 0:
            return None
    if lanes * step == steps:
        return None
    return 0, lanes, f"it begins {lanes * step} steps later, and a sample has {steps}"
