"""Series and covariates in the units that a network reads: each less its mean, divided by its deviation, without gaps
in the covariates."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.covariates import CovariateSeries, covariate_inputs
from tsuzuki.forecasting.panel import SeriesInputs
from tsuzuki.forecasting.transforms import Transform

if TYPE_CHECKING:
    from tsuzuki.forecasting.settings import Settings


def series_scales(series: Sequence[CovariateSeries], transform: Transform) -> NDArray[np.float64]:
    """Mean and deviation of each series, transformed, [series, 2]."""
    return np.array([_mean_and_deviation(transform.forward(one.values, i)) for i, one in enumerate(series)])


def covariate_scales(series: Sequence[CovariateSeries]) -> NDArray[np.float64]:
    """Mean and deviation of each covariate over all series, [covariates, 2]; 0 and 1 where none is known."""
    together = np.concatenate([one.covariates for one in series])
    scales = [_mean_and_deviation(column) if np.isfinite(column).any() else (0.0, 1.0) for column in together.T]
    return np.array(scales).reshape(-1, 2)


def _mean_and_deviation(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and deviation of what is there; a deviation of 1 where nothing varies."""
    return float(np.nanmean(values)), float(np.nanstd(values)) or 1.0


def scale_and_fill(
    covariates: NDArray[np.float64], scales: NDArray[np.float64], last: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scale covariates and fill their gaps with the last known value.

    Args:
        covariates: [points, columns], NaN where missing.
        scales: [columns, 2], mean and deviation.
        last: [columns], scaled, the values known before the first point.
    """
    if len(scales) == 0:
        return covariates
    scaled = np.concatenate([last[None], (covariates - scales[:, 0]) / scales[:, 1]])
    place = np.maximum.accumulate(np.where(np.isnan(scaled), 0, np.arange(len(scaled))[:, None]), axis=0)
    return np.take_along_axis(scaled, place, axis=0)[1:]


def series_inputs(
    series: Sequence[CovariateSeries],
    settings: "Settings",
    step: int,
    cycles: Sequence[str],
    transform: Transform,
    scales: NDArray[np.float64],
    scales_of_covariates: NDArray[np.float64],
) -> tuple[list[SeriesInputs], NDArray[np.float64]]:
    """Series as a network reads them, from their beginning.

    Returns:
        The inputs of each series, and the last covariates [series, covariates], scaled.
    """
    inputs, last = [], np.zeros((len(series), len(scales_of_covariates)))
    for number, (one, (mean, deviation)) in enumerate(zip(series, scales, strict=True)):
        covariates = scale_and_fill(one.covariates, scales_of_covariates, last[number])
        if len(scales_of_covariates):
            last[number] = covariates[-1]
        others = covariate_inputs(one.times, step, covariates, settings.columns, settings.horizon, cycles=cycles)
        values = ((transform.forward(one.values, number) - mean) / deviation).astype(np.float32)
        inputs.append(SeriesInputs(values, others, one.segments))
    return inputs, last
