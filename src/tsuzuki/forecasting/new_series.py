"""Series that training has not seen: level, unit and scale from their own history, all else from those that it has.

Their intervals begin as those of all series are; as their whole history is run like readings that come one by one,
their width follows the errors that the forecaster makes on them, none of which it has learned from.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.covariates import CovariateSeries, covariate_series
from tsuzuki.data.grid import step_of
from tsuzuki.errors import DataError
from tsuzuki.forecasting.bounds import bounds_of
from tsuzuki.forecasting.naive_errors import naive_errors_of
from tsuzuki.forecasting.recent_errors import HIGH, LOW, WAIT, plain_states
from tsuzuki.forecasting.rules import bases_among, units_by
from tsuzuki.forecasting.scaling import series_scales
from tsuzuki.forecasting.stepwise import SeriesState
from tsuzuki.forecasting.transforms import Transform, transform_of

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings


def with_new_series(
    fitted: "Fitted", settings: "Settings", long: "pd.DataFrame", *, merge: bool
) -> "tuple[Fitted, dict[str, tuple[NDArray[np.datetime64], NDArray[np.float64]]]]":
    """Add series to those that a forecaster knows.

    Args:
        fitted: what training left.
        settings: of the forecaster.
        long: the rows of the new series.
        merge: as for `Forecaster.fit`.

    Returns:
        All series, the new ones without a history, and by name the times [points] of the new ones with their values and
        covariates [points, 1 + covariates].

    Raises:
        DataError: another step than the training data's, or values that the transformation has no place for.
    """
    series = covariate_series(long, settings.columns, settings.max_gap, merge=merge)
    for one in series:
        _check(one, fitted)
    rows = {one.name: (one.times, np.column_stack([one.values, one.covariates])) for one in series}
    count, rules = len(series), fitted.rules
    own = transform_of(rules.transform, [one.values for one in series])
    scales = series_scales(series, own)
    kinds = sorted(set(rules.bases))
    moved = [own.forward(one.values, number) for number, one in enumerate(series)]
    errors = np.stack([naive_errors_of(one, (0, *rules.seasons), rules.horizon) for one in moved])
    bases = bases_among(errors, [len(one) for one in moved], rules).tolist()
    units = np.ones(count) if rules.alone else units_by(errors, np.array([np.nanstd(one) for one in moved]))

    def longer(array: NDArray[Any], more: Any = 0) -> NDArray[Any]:
        """An array with rows for the new series."""
        return np.concatenate([array, np.broadcast_to(np.asarray(more, array.dtype), (count, *array.shape[1:]))])

    states = plain_states(count)
    recent, committee, calibration, larger = fitted.recent, fitted.committee, fitted.calibration, None
    if calibration is not None and calibration.sizes is not None:
        sizes = np.concatenate([calibration.sizes, units.astype(np.float32)])
        larger = calibration.larger(sizes)
        calibration = replace(calibration, sizes=sizes)
    if recent is not None:
        every = [*range(len(fitted.ids)), *[None] * count]
        recent = recent.select(every, larger)
        states = recent.initial()[-count:]
    states[:, [LOW, HIGH]] = [bounds_of(one.values) for one in series]
    states[:, WAIT] = fitted.shifts.season
    if committee is not None:
        more = np.array([kinds.index(base) for base in bases], np.int64)
        committee = replace(
            committee,
            bases=np.concatenate([committee.bases, more]),
            units=np.concatenate([committee.units, units.astype(np.float32)]),
            profiles=committee.profiles.select([*range(len(fitted.ids)), *[None] * count]),
        )
    if calibration is not None and len(calibration.offsets) > 1:
        calibration = replace(calibration, offsets=longer(calibration.offsets, calibration.offsets.mean(axis=0)))
    effects = replace(fitted.effects, slopes=longer(fitted.effects.slopes, fitted.effects.slopes.mean(axis=0)))
    found = replace(
        fitted,
        ids=(*fitted.ids, *(one.name for one in series)),
        states=[SeriesState(longer(one.saved), longer(one.rows), longer(one.pending, 1)) for one in fitted.states],
        times=[*fitted.times, *(one.times[:0] for one in series)],
        scales=np.concatenate([fitted.scales, scales]),
        last_covariates=longer(fitted.last_covariates),
        calibration=calibration,
        rules=replace(rules, bases=(*rules.bases, *bases), units=(*rules.units, *units.tolist())),
        transform=Transform(rules.transform, np.concatenate([fitted.transform.marks, own.marks])),
        committee=committee,
        windows=longer(fitted.windows),
        absent=longer(fitted.absent, True),
        effects=effects,
        window_effects=longer(fitted.window_effects),
        shifts=fitted.shifts.select([*range(len(fitted.ids)), *[None] * count]),
        recent=recent,
        recent_states=np.concatenate([fitted.recent_states, states]),
        window_shifts=longer(fitted.window_shifts),
        earlier=longer(fitted.earlier),
        unfollowed=longer(fitted.unfollowed, 1),
    )
    return found, rows


def _check(one: CovariateSeries, fitted: "Fitted") -> None:
    step = step_of(one.times)
    if step != fitted.step:
        raise DataError(
            f"series {one.name!r} has a step of {step / 1e9:g} s, but the model was trained on one of "
            f"{fitted.step / 1e9:g} s; resample it"
        )
    if fitted.rules.transform == "log" and not np.nanmin(one.values) > 0:
        raise DataError(
            f"series {one.name!r} has values that are not above 0, of which the model would take logarithms; leave it "
            "out, or fit with transform='none'"
        )
