"""Other libraries' forecasters on the tasks of `accuracy.py`, each with the settings that its own guides suggest.

All of them get the series with missing values replaced by the last one before them. AutoETS, AutoTheta and MSTL are
fitted anew at each origin; LightGBM, NHITS and DLinear are trained once, on what we train on.
"""

import logging
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tasks import Task
from tsuzuki.data.covariates import CovariateNames, covariate_series
from tsuzuki.data.frames import as_long

LAGS = [*range(1, 25), 36, 48, 72, 96, 120, 144, 167, 168, 169, 336]
# What statistical models are fitted to: with more history they get slower and no better.
RECENT = 24 * 7 * 8
# Origins that what is fitted anew at each is asked for at most, over all series, spread evenly.
MOST_FITS = 120
# Models for each step ahead are trained for at most so many.
MOST_MODELS = 48
# DLinear's look-back, its moving mean, and its penalty in units of the inputs' mean square.
LOOK_BACK, MEAN_OF, PENALTY = 336, 25, 1e-4


@dataclass(frozen=True)
class Panel:
    """A task as arrays.

    Attributes:
        ids: of the series.
        values: of each, float64 [points], gaps filled.
        times: of each, datetime64 [points].
        cuts: points of each that are trained on.
        origins: of each, int64 [origins], the points known at each.
        horizon: steps ahead.
        seasons: in steps.
    """

    ids: list[str]
    values: list[np.ndarray]
    times: list[np.ndarray]
    cuts: list[int]
    origins: list[np.ndarray]
    horizon: int
    seasons: tuple[int, ...]


def panel_of(task: Task) -> Panel:
    """A task as arrays, with the seasons that its grid suggests where it names none."""
    from tsuzuki.data.calendar import seasons
    from tsuzuki.data.grid import step_of

    series = covariate_series(as_long(task.frame), CovariateNames(), max_gap=10**6, merge=True)
    values = [pd.Series(one.values).ffill().bfill().to_numpy() for one in series]
    origins = [len(own) - task.horizon - task.step * np.arange(task.windows)[::-1] for own in values]
    cuts = [int(known[0]) - task.unlearned for known in origins]
    named = task.seasons or seasons(step_of(series[0].times), max(cuts))
    return Panel(
        [one.name for one in series], values, [one.times for one in series], cuts, origins, task.horizon, named
    )


def table_of(panel: Panel, label: str, forecasts: list[np.ndarray]) -> pd.DataFrame:
    """Forecasts [origins, horizon] of each series as a frame: unique_id, cutoff, ds and the label's column."""
    frames, ahead = [], np.arange(panel.horizon)
    for name, times, known, found in zip(panel.ids, panel.times, panel.origins, forecasts, strict=True):
        columns = {
            "unique_id": name,
            "cutoff": np.repeat(times[known - 1], panel.horizon),
            "ds": times[(known[:, None] + ahead).ravel()],
            label: found.ravel(),
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True).dropna()


def _anew(panel: Panel, make: Callable[[], Any], recent: int = RECENT) -> list[np.ndarray]:
    """What a model of statsforecast says that is fitted anew at each origin; NaN at those that are passed over."""
    warnings.filterwarnings("ignore")
    every = max(1, -(-sum(map(len, panel.origins)) // MOST_FITS))
    while any(np.gcd(every, season) > 1 for season in panel.seasons):
        every += 1
    found, count = [], 0
    for values, origins in zip(panel.values, panel.origins, strict=True):
        own = np.full((len(origins), panel.horizon), np.nan)
        for row, known in enumerate(origins):
            count += 1
            if (count - 1) % every == 0:
                own[row] = make().forecast(values[max(0, known - recent) : known], panel.horizon)["mean"]
        found.append(own)
    return found


def _season(panel: Panel) -> int:
    return next((one for one in panel.seasons if one <= 168), 1)


def auto_ets(panel: Panel) -> tuple[str, list[np.ndarray]]:
    """AutoETS of statsforecast."""
    from statsforecast.models import AutoETS

    return "AutoETS", _anew(panel, lambda: AutoETS(season_length=_season(panel) if _season(panel) <= 24 else 1))


def auto_theta(panel: Panel) -> tuple[str, list[np.ndarray]]:
    """AutoTheta of statsforecast."""
    from statsforecast.models import AutoTheta

    return "AutoTheta", _anew(panel, lambda: AutoTheta(season_length=_season(panel)))


def mstl(panel: Panel) -> tuple[str, list[np.ndarray]]:
    """MSTL of statsforecast with all seasons that are held twice."""
    from statsforecast.models import MSTL

    held = [season for season in panel.seasons if 2 * season < min(min(panel.cuts), RECENT)]
    if not held:
        raise ValueError("no season is held twice")
    return "MSTL", _anew(panel, lambda: MSTL(season_length=held))


def lightgbm(panel: Panel) -> tuple[str, list[np.ndarray]]:
    """LightGBM by way of mlforecast: a model for each step ahead, of changes from the last value, on lags and means."""
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean
    from mlforecast.target_transforms import LocalStandardScaler

    if panel.horizon > MOST_MODELS:
        raise ValueError(f"more than {MOST_MODELS} models")
    least = min(panel.cuts)
    lags = [lag for lag in LAGS if lag <= least // 4]
    means = [season for season in panel.seasons if season <= least // 4] or [min(4, least // 4)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    regressor = LGBMRegressor(n_estimators=400, learning_rate=0.05, num_leaves=31, n_jobs=cores, verbosity=-1, seed=0)
    made = MLForecast(
        {"m": regressor},
        freq=1,
        lags=lags,
        lag_transforms={1: [RollingMean(mean) for mean in means]},
        target_transforms=[LocalStandardScaler()],
    )

    def frame(stops: list[int]) -> pd.DataFrame:
        parts = []
        for name, times, values, stop in zip(panel.ids, panel.times, panel.values, stops, strict=True):
            # Steps instead of times, which know no months; the calendar stands beside them.
            stamps = pd.DatetimeIndex(times[:stop])
            part = pd.DataFrame({"unique_id": name, "ds": np.arange(stop), "y": values[:stop]})
            part["hour"], part["weekday"], part["day"] = stamps.hour, stamps.dayofweek, stamps.dayofyear
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    rows = made.preprocess(frame(panel.cuts), max_horizon=panel.horizon, static_features=[])
    inputs = [name for name in rows.columns if name not in ("unique_id", "ds", "y") and not _target(name)]
    models = []
    for ahead in range(panel.horizon):
        change = rows[f"y{ahead}" if f"y{ahead}" in rows else "y"] - rows["lag1"]
        known = change.notna()
        models.append(LGBMRegressor(**regressor.get_params()).fit(rows.loc[known, inputs], change[known]))
    scales = [(own[:cut].mean(), own[:cut].std() or 1.0) for own, cut in zip(panel.values, panel.cuts, strict=True)]
    found = []
    for values, times, (mean, scale), origins in zip(panel.values, panel.times, scales, panel.origins, strict=True):
        z = pd.Series((values - mean) / scale)
        stamps = pd.DatetimeIndex(times)
        columns = {f"lag{lag}": z.shift(lag) for lag in lags}
        columns |= {f"rolling_mean_lag1_window_size{mean}": z.shift(1).rolling(mean).mean() for mean in means}
        columns |= {"hour": stamps.hour, "weekday": stamps.dayofweek, "day": stamps.dayofyear}
        some = pd.DataFrame(columns)[inputs].iloc[origins]
        last = z.to_numpy()[origins - 1]
        said = np.stack([model.predict(some) + last for model in models], axis=1)
        found.append(said * scale + mean)
    return "LightGBM", found


def _target(name: str) -> bool:
    """Whether mlforecast means the target some steps ahead: y0, y1 ..."""
    return name[:1] == "y" and name[1:].isdigit()


def dlinear(panel: Panel) -> tuple[str, list[np.ndarray]]:
    """DLinear (Zeng et al. 2023): one linear map of a look-back's moving mean, one of the rest, for all series.

    Least squares have a closed form, so it is solved instead of trained.
    """
    size = max(4, min(LOOK_BACK, min(panel.cuts) // 3))
    mean_of = min(MEAN_OF, size // 2 * 2 - 1)
    products: Any = 0.0
    sides: Any = 0.0
    scales = []

    def inputs(z: np.ndarray, known: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(z, size)[known - size]
        padded = np.pad(windows, ((0, 0), (mean_of // 2, mean_of // 2)), mode="edge")
        smooth = np.lib.stride_tricks.sliding_window_view(padded, mean_of, axis=1).mean(axis=2)
        return np.concatenate([smooth, windows - smooth, np.ones((len(known), 1))], axis=1)

    for values, cut in zip(panel.values, panel.cuts, strict=True):
        mean, scale = values[:cut].mean(), values[:cut].std() or 1.0
        scales.append((mean, scale))
        z = (values[:cut] - mean) / scale
        for known in np.array_split(np.arange(size, cut - panel.horizon + 1), 1 + cut // 5000):
            if len(known):
                x = inputs(z, known)
                products = products + x.T @ x
                sides = sides + x.T @ z[known[:, None] + np.arange(panel.horizon)]
    unit = np.trace(products) / len(products)
    weights = np.linalg.solve(products + PENALTY * unit * np.eye(len(products)), sides)
    found = [
        np.concatenate(
            [inputs((own - mean) / scale, some) @ weights for some in np.array_split(known, 1 + len(known) // 5000)]
        )
        * scale
        + mean
        for own, known, (mean, scale) in zip(panel.values, panel.origins, scales, strict=True)
    ]
    return "DLinear", found


def nhits(panel: Panel) -> tuple[str, list[np.ndarray]]:
    """NHITS of neuralforecast, a look-back of five horizons, 500 steps of 256 windows."""
    from neuralforecast import NeuralForecast
    from neuralforecast.models import NHITS

    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning_utilities"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    steps = panel.origins[0][1] - panel.origins[0][0] if len(panel.origins[0]) > 1 else 1
    size = max(8, min(5 * panel.horizon, min(panel.cuts) // 2))
    quiet = {"enable_progress_bar": False, "logger": False, "enable_model_summary": False, "accelerator": "cpu"}
    model = NHITS(
        h=panel.horizon,
        input_size=size,
        max_steps=500,
        windows_batch_size=256,
        scaler_type="standard",
        random_seed=1,
        start_padding_enabled=True,
        enable_checkpointing=False,
        **quiet,
    )
    made = NeuralForecast([model], freq=1)
    frame = pd.concat(
        [
            pd.DataFrame({"unique_id": name, "ds": np.arange(len(own)), "y": own})
            for name, own in zip(panel.ids, panel.values, strict=True)
        ]
    )
    behind = len(panel.values[0]) - panel.cuts[0]
    made.fit(frame[frame.groupby("unique_id").cumcount(ascending=False) >= behind])
    size = int(panel.horizon + steps * (len(panel.origins[0]) - 1))
    table = made.cross_validation(
        frame, n_windows=None, test_size=size, step_size=int(steps), refit=False, use_fitted=True
    ).sort_values(["unique_id", "cutoff", "ds"])
    found = [table.loc[table["unique_id"] == name, "NHITS"].to_numpy().reshape(-1, panel.horizon) for name in panel.ids]
    return "NHITS", found


RIVALS: dict[str, Callable[[Panel], tuple[str, list[np.ndarray]]]] = {
    "ets": auto_ets,
    "theta": auto_theta,
    "mstl": mstl,
    "lightgbm": lightgbm,
    "dlinear": dlinear,
    "nhits": nhits,
}


def forecast(name: str, task: Task) -> tuple[str, pd.DataFrame, float]:
    """A rival's label, its forecasts as a frame, and its seconds of CPU, all fits together."""
    panel = panel_of(task)
    began = time.process_time()
    label, found = RIVALS[name](panel)
    return label, table_of(panel, label, found), time.process_time() - began
