"""Other libraries' forecasters on the splits of `accuracy.py`, each with the settings that its own guides suggest.

All of them get the same calendar that our network has, as far as they can take one, and the series with missing values
replaced by the last one before them.
"""

import logging
import os
import time
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from splits import Split

LAGS = [*range(1, 25), 36, 48, 72, 96, 120, 144, 167, 168, 169, 336]
# AutoETS and MSTL are fitted anew at each origin: every so many hours, which meets each hour of the day as often.
APART = 73
# What they are fitted to: with more history they get slower and no better.
RECENT = 24 * 7 * 8


@dataclass(frozen=True)
class Rival:
    """What a competitor came to.

    Attributes:
        forecasts: by label float [series, origins, horizon], NaN where it was too slow to forecast.
        seconds: of training; for what is fitted at each origin, of all fits together.
    """

    forecasts: dict[str, np.ndarray]
    seconds: float


def lightgbm(split: Split) -> Rival:
    """LightGBM by way of mlforecast: a model for each step ahead, on lags, rolling means and the calendar."""
    made = _mlforecast()
    began = time.perf_counter()
    made.fit(split.long(split.cut), max_horizon=split.horizon, static_features=[])
    seconds = time.perf_counter() - began
    models = made.models_["LightGBM"]
    found = [
        np.stack([models[ahead].predict(rows) for ahead in range(split.horizon)], axis=1)
        for rows in _origins(made, split)
    ]
    return Rival({"LightGBM": np.stack(found)}, seconds)


def lightgbm_changes(split: Split) -> Rival:
    """The same models on the same inputs, for the change from the last value instead of the value."""
    made = _mlforecast()
    began = time.perf_counter()
    rows = made.preprocess(split.long(split.cut), max_horizon=split.horizon, static_features=[])
    inputs = rows[[name for name in rows.columns if _is_input(name)]]
    models = []
    for ahead in range(split.horizon):
        change = rows[f"y{ahead}" if f"y{ahead}" in rows else "y"] - rows["lag1"]
        known = change.notna()
        models.append(_regressor().fit(inputs[known], change[known]))
    seconds = time.perf_counter() - began
    found = [
        np.stack([model.predict(rows) + rows["lag1"].to_numpy() for model in models], axis=1)
        for rows in _origins(made, split)
    ]
    return Rival({"LightGBM, changes": np.stack(found)}, seconds)


def _regressor():
    from lightgbm import LGBMRegressor

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return LGBMRegressor(n_estimators=400, learning_rate=0.05, num_leaves=31, n_jobs=cores, verbosity=-1, seed=0)


def _mlforecast():
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean

    return MLForecast(
        {"LightGBM": _regressor()},
        freq="h",
        lags=LAGS,
        lag_transforms={1: [RollingMean(24), RollingMean(168)]},
        date_features=["hour", "dayofweek", "dayofyear"],
    )


def _origins(made, split: Split) -> list[pd.DataFrame]:
    """What the models look at for each origin of the test part, series by series."""
    rows = made.preprocess(split.long(), dropna=False, max_horizon=split.horizon, static_features=[])
    names = [name for name in rows.columns if _is_input(name)]
    return [rows[rows["unique_id"] == name].iloc[split.cut : split.cut + split.windows][names] for name in split.ids]


def _is_input(name: str) -> bool:
    return name not in ("unique_id", "ds", "y") and not _is_target(name)


def _is_target(name: str) -> bool:
    """Whether mlforecast means the target some steps ahead: y0, y1 ..."""
    return name[:1] == "y" and name[1:].isdigit()


def ets(split: Split) -> Rival:
    """AutoETS with the season of a day."""
    from statsforecast.models import AutoETS

    return _statistical("AutoETS", lambda: AutoETS(season_length=24), split)


def mstl(split: Split) -> Rival:
    """MSTL with the seasons of a day and a week, AutoETS for the trend."""
    from statsforecast.models import MSTL

    return _statistical("MSTL", lambda: MSTL(season_length=[24, 168]), split)


def _statistical(label: str, make, split: Split) -> Rival:
    found = np.full((len(split.ids), split.windows, split.horizon), np.nan)
    seconds = 0.0
    for number, values in enumerate(split.values):
        for origin in range(0, split.windows, APART):
            known = split.cut + origin
            began = time.perf_counter()
            model = make().fit(values[known - RECENT : known])
            seconds += time.perf_counter() - began
            found[number, origin] = model.predict(split.horizon)["mean"]
    return Rival({label: found}, seconds)


def gru(split: Split) -> Rival:
    """neuralforecast's GRU, one model for all horizons, with the calendar known ahead."""
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MSE
    from neuralforecast.models import GRU

    quiet = {"enable_progress_bar": False, "logger": False, "enable_model_summary": False, "accelerator": "cpu"}
    calendar = ["hour_sin", "hour_cos", "year_sin", "year_cos"]
    model = GRU(
        h=split.horizon,
        input_size=168,
        encoder_hidden_size=64,
        decoder_hidden_size=64,
        loss=MSE(),
        max_steps=1000,
        batch_size=len(split.ids),
        windows_batch_size=64,
        inference_windows_batch_size=256,
        futr_exog_list=calendar,
        scaler_type="standard",
        random_seed=1,
        alias="GRU",
        enable_checkpointing=False,
        **quiet,
    )
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning_utilities"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    made = NeuralForecast([model], freq="h")
    whole, known = _with_calendar(split.long()), _with_calendar(split.long(split.cut))
    began = time.perf_counter()
    made.fit(known)
    seconds = time.perf_counter() - began
    size = split.values.shape[1] - split.cut
    table = made.cross_validation(whole, n_windows=None, test_size=size, step_size=1, refit=False, use_fitted=True)
    table = table.sort_values(["unique_id", "cutoff", "ds"])
    found = [
        table.loc[table["unique_id"] == name, "GRU"].to_numpy().reshape(split.windows, split.horizon)
        for name in split.ids
    ]
    return Rival({"neuralforecast GRU": np.stack(found)}, seconds)


def _with_calendar(frame: pd.DataFrame) -> pd.DataFrame:
    times = frame["ds"].dt
    day = 2 * np.pi * times.hour / 24
    year = 2 * np.pi * (times.dayofyear - 1 + times.hour / 24) / 365.2425
    return frame.assign(hour_sin=np.sin(day), hour_cos=np.cos(day), year_sin=np.sin(year), year_cos=np.cos(year))


RIVALS = {"lightgbm": lightgbm, "changes": lightgbm_changes, "ets": ets, "mstl": mstl, "gru": gru}
