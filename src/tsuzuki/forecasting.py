"""Forecasts with intervals for one or many series: a frame in, a frame out.

One network learns all series. At every step it forecasts the whole horizon at once (the forking sequences of Wen et al.
2017), as changes from the last value, in units of each series' own scale. Several networks can be averaged.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import DataError, SettingError
from tsuzuki.fitting import KEPT_TIMES, Fitted, Settings, train, without_gaps

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from tsuzuki.learning import LearningStream
    from tsuzuki.rolling import State
    from tsuzuki.stream import Stream
    from tsuzuki.streaming import Bank


class Forecaster:
    """A recurrent network that forecasts the next `horizon` steps of one or many series.

    Args:
        horizon: steps ahead.
        cell: simple_rnn, gru or lstm.
        units: of each recurrent layer.
        layers: recurrent layers.
        head: units of a relu layer before the output; 0 for none.
        timesteps: steps through which an update's gradient flows; the state itself is carried without end.
        lanes: stretches of the data that are read side by side; short data get fewer.
        epochs: how often the data are gone through; short data more often.
        learning_rate: the highest one; it rises for a twentieth of the updates and then falls along a cosine (AdamW).
        weight_decay: AdamW's.
        ensemble: networks that are averaged, trained side by side, each with another seed and another held-out stretch.
        validation_fraction: share of the data held out from each network, by time, to choose its best epoch and to
            calibrate intervals.
        past: columns known up to the present.
        known: columns known ahead.
        static: columns that are the same at all times of a series.
        with_calendar: whether hour, weekday and day of the year are inputs, as far as the grid's step shows them.
        lags: pairs (behind, over): means of `over` values that end `behind` steps back, given as differences from the
            present value. None: as the grid suggests (parts of a day, a day, a week).
        quantiles: forecast these with the pinball loss instead of the mean with conformal intervals; with 0.5 among
            them.
        max_gap: longest run of missing steps that the state is carried through, on the network's own forecasts.
        seed: same seed, same bits.

    Attributes:
        settings: all of these.
        fitted: what training left, or None.

    Raises:
        SettingError: settings that cannot work.
    """

    def __init__(
        self,
        horizon: int = 24,
        *,
        cell: str = "gru",
        units: int = 64,
        layers: int = 2,
        head: int = 64,
        timesteps: int = 12,
        lanes: int = 8,
        epochs: int = 20,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.1,
        ensemble: int = 4,
        validation_fraction: float = 0.125,
        past: Sequence[str] = (),
        known: Sequence[str] = (),
        static: Sequence[str] = (),
        with_calendar: bool = True,
        lags: Sequence[tuple[int, int]] | None = None,
        quantiles: Sequence[float] = (),
        max_gap: int = 24,
        seed: int = 0,
    ) -> None:
        self.settings = Settings(
            horizon=horizon,
            cell=cell,
            units=units,
            layers=layers,
            head=head,
            timesteps=timesteps,
            lanes=lanes,
            epochs=epochs,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            ensemble=ensemble,
            validation_fraction=validation_fraction,
            past=tuple(past),
            known=tuple(known),
            static=tuple(static),
            with_calendar=with_calendar,
            lags=None if lags is None else tuple((behind, over) for behind, over in lags),
            quantiles=tuple(quantiles),
            max_gap=max_gap,
            seed=seed,
        )
        self.fitted: Fitted | None = None

    def fit(
        self,
        frame: Any,
        *,
        checkpoint: str | Path | None = None,
        every: str | float = 30.0,
        on_progress: Callable[[float], object] | None = None,
    ) -> "Forecaster":
        """Train on all readings of a frame.

        Args:
            frame: a pandas Series or frame with a DatetimeIndex, or a long one: unique_id, ds, y and covariates;
                pandas, Polars, or what narwhals knows.
            checkpoint: a path to go on from after a crash: each network keeps a file, with its number behind the path.
                A fit that was killed and is started again in the same way ends with the same bits.
            every: how often the files are written, in seconds or as "30s", "5m", "1h".
            on_progress: told each further share of the work done, the shares adding up to 1.

        Returns:
            The forecaster, standing at the end of the data.

        Raises:
            DataError: a frame that cannot be used.
            TooShortError: no series has two readings.
        """
        from tsuzuki.frames import as_long
        from tsuzuki.sources import sources_of

        long = as_long(frame, self.settings.columns.all)
        sources = sources_of(long, self.settings.columns, self.settings.max_gap)
        self.fitted = train(sources, self.settings, on_progress, checkpoint, every)
        return self

    def update(self, frame: Any) -> "Forecaster":
        """Read newer rows of series it knows, so that forecasts go on from them; older rows are passed over."""
        self.fitted = advance(self._known(), self.settings, frame)
        return self

    def predict(self, frame: Any = None, *, levels: Sequence[float] = (80, 95), future: Any = None) -> "pd.DataFrame":
        """Forecast the next steps of every series.

        Args:
            frame: newer rows to read first (the forecaster itself stays where it is; `update` moves it).
            levels: of the intervals, in per cent.
            future: the covariates known ahead at the forecast times: unique_id, ds and their columns.

        Returns:
            A frame with unique_id, ds, tsuzuki, and tsuzuki-lo-80, tsuzuki-hi-80 and so on for each level.

        Raises:
            SettingError: not fitted, or a level that cannot be had.
            DataError: rows of an unknown series, or covariates missing from `future`.
        """
        fitted = self._known()
        if frame is not None:
            fitted = advance(fitted, self.settings, frame)
        return forecast_frame(fitted, self.settings, levels, future)

    def backtest(
        self,
        frame: Any,
        *,
        windows: int = 10,
        step: int | None = None,
        levels: Sequence[float] = (80, 95),
        on_progress: Callable[[float], object] | None = None,
    ) -> "pd.DataFrame":
        """Forecast from many origins at the end of the data, and by simple references too.

        A network like this one is trained on what lies before the first origin; this forecaster is left as it is.

        Args:
            frame: as for `fit`.
            windows: origins, the last one `horizon` steps before the end of each series.
            step: steps between two origins; the horizon if None.
            levels: of the intervals, in per cent.
            on_progress: as for `fit`.

        Returns:
            A frame with unique_id, ds, cutoff (the last time known), y, tsuzuki and its intervals, and the references;
            a row for each reading that was forecast. `tsuzuki.evaluate` scores it, and so do `utilsforecast`'s metrics.

        Raises:
            TooShortError: fewer points than the windows need.
        """
        from tsuzuki.backtesting import backtest
        from tsuzuki.frames import as_long
        from tsuzuki.sources import sources_of

        long = as_long(frame, self.settings.columns.all)
        sources = sources_of(long, self.settings.columns, self.settings.max_gap)
        return backtest(sources, self.settings, windows, step or self.settings.horizon, levels, on_progress)[0]

    def stream(
        self, unique_id: str | None = None, *, learn: bool = False, learning_rate: float = 1e-4
    ) -> "Stream | LearningStream":
        """Follow one series from where it stands, a reading at a time; the forecaster itself stays where it is.

        Args:
            unique_id: the series; None where there is only one.
            learn: whether the networks go on learning from each reading; see `learning.LearningStream`.
            learning_rate: of that learning.
        """
        if learn:
            from tsuzuki.learning import LearningStream

            return LearningStream(self._known(), self.settings, unique_id, learning_rate=learning_rate)
        from tsuzuki.stream import Stream

        return Stream(self._known(), self.settings, unique_id)

    def bank(
        self,
        ids: Sequence[str] | None = None,
        *,
        scales: "Mapping[str, tuple[float, float]] | None" = None,
        start: Any = None,
    ) -> "Bank":
        """Follow many series at once; see `streaming.Bank`."""
        from tsuzuki.streaming import Bank

        return Bank(self._known(), self.settings, ids, scales, start)

    def save(self, path: Path | str) -> None:
        """Write all that forecasts need to one file: weights, states, scales, intervals, the training's record.

        Raises:
            SettingError: not fitted.
            FileError: the file cannot be written; what stood there before is intact.
        """
        from tsuzuki.modelfile import save

        save(self, path)

    def _known(self) -> Fitted:
        if self.fitted is None:
            raise SettingError("this Forecaster has not been fitted; call fit(frame) first")
        return self.fitted


def advance(fitted: Fitted, settings: Settings, frame: Any) -> Fitted:
    """Run newer rows through the networks."""
    import numpy as np

    from tsuzuki.frames import as_long
    from tsuzuki.panel import Track, lay_out
    from tsuzuki.rolling import roll
    from tsuzuki.series import segments_of
    from tsuzuki.sources import beside, newer

    columns = settings.columns
    long = as_long(frame, columns.all)
    groups = dict(iter(long.groupby("unique_id", sort=False)))
    unknown = [name for name in groups if name not in fitted.ids]
    if unknown:
        raise DataError(
            f"series {unknown[0]!r} was not in the data the forecaster was fitted to ({', '.join(fitted.ids[:5])}); "
            "fit it again with that series"
        )
    times, last, tracks, which = list(fitted.times), fitted.last_covariates.copy(), [], []
    for number, name in enumerate(fitted.ids):
        if name not in groups:
            continue
        ahead, values = newer(groups[name], fitted.times[number], ("y", *columns.all))
        if len(ahead) == 0:
            continue
        mean, scale = fitted.scales[number]
        covariates = without_gaps(values[:, 1:], fitted.covariate_scales, last[number])
        others = beside(ahead, fitted.step, covariates, columns, settings.horizon, with_calendar=settings.with_calendar)
        # Behind a gap that is too long the state begins anew.
        segments, goes_on = segments_of(~np.isnan(values[:, 0]), settings.max_gap)
        if not segments:
            continue
        if len(covariates) and len(last[number]):
            last[number] = covariates[-1]
        scaled = ((values[:, 0] - mean) / scale).astype(np.float32)
        tracks.append((Track(scaled, others, segments), goes_on))
        times[number] = np.concatenate([fitted.times[number], ahead])[-KEPT_TIMES:]
        which.append(number)
    if not which:
        return fitted
    states = []
    for weights, state in zip(fitted.members, fitted.states, strict=True):
        own = [
            replace(track, past=state.rows[number] if goes_on else None)
            for number, (track, goes_on) in zip(which, tracks, strict=True)
        ]
        panel = lay_out(own, fitted.way.before, settings.horizon)
        nothing = np.zeros(len(panel.inputs), bool)
        _, moved = roll(fitted.way, weights, panel, nothing, some_of(state, which))
        states.append(_merged(state, moved, which))
    return replace(fitted, states=states, times=times, last_covariates=last)


def some_of(state: "State", which: Sequence[int]) -> "State":
    """The state of some of the series."""
    from tsuzuki.rolling import State

    return State(state.saved[list(which)], state.rows[list(which)])


def _merged(state: "State", moved: "State", which: Sequence[int]) -> "State":
    from tsuzuki.rolling import State

    saved, rows = state.saved.copy(), state.rows.copy()
    saved[list(which)], rows[list(which)] = moved.saved, moved.rows
    return State(saved, rows)


def forecasts_of(fitted: Fitted, settings: Settings, future: Any = None) -> "NDArray[np.float64]":
    """The next steps of every series in its own unit, [series, horizon, quantiles or 1], increasing by quantile."""
    import numpy as np

    from tsuzuki.panel import Panel, Stretch
    from tsuzuki.rolling import roll

    ahead = _known_ahead(fitted, settings, future) if settings.known else None
    total = np.zeros((len(fitted.ids), fitted.way.network.outputs))
    for weights, state in zip(fitted.members, fitted.states, strict=True):
        rows = state.rows.copy()
        if ahead is not None:
            rows[:, -1, rows.shape[2] - ahead.shape[1] :] = ahead
        series, before, columns = rows.shape
        stretches = tuple(Stretch(i, (i + 1) * before - 1, (i + 1) * before, -1, i) for i in range(series))
        panel = Panel(rows.reshape(-1, columns), np.zeros((0, 1), np.float32), stretches, series)
        wanted = np.zeros(series * before, bool)
        wanted[before - 1 :: before] = True
        total += roll(fitted.way, weights, panel, wanted, state)[0]
    mean, scale = fitted.scales[:, :1], fitted.scales[:, 1:]
    found = (total / len(fitted.members)).reshape(len(fitted.ids), settings.horizon, -1)
    return np.sort(found, axis=2) * scale[..., None] + mean[..., None]


def _known_ahead(fitted: Fitted, settings: Settings, future: Any) -> "NDArray[np.float32]":
    """The scaled covariates of the forecast times, [series, horizon * known]."""
    import numpy as np

    from tsuzuki.frames import as_long
    from tsuzuki.series import later
    from tsuzuki.sources import on_grid

    names = ", ".join(settings.known)
    if future is None:
        raise DataError(f"the network reads columns known ahead ({names}); give them for the forecast times as future=")
    groups = dict(iter(as_long(future, settings.known, needs_y=False).groupby("unique_id", sort=False)))
    first = len(settings.past)
    scales = fitted.covariate_scales[first : first + len(settings.known)]
    found = np.zeros((len(fitted.ids), settings.horizon, len(settings.known)))
    for number, name in enumerate(fitted.ids):
        ahead = later(fitted.times[number], settings.horizon)
        values = on_grid(groups[name], ahead, settings.known) if name in groups else np.full(found.shape[1:], np.nan)
        if np.isnan(values).any():
            step, column = np.argwhere(np.isnan(values))[0]
            time = str(ahead[step])[:19].replace("T", " ")
            raise DataError(
                f"future has no {settings.known[column]} for series {name!r} at {time}; "
                f"give every forecast time a value of {names}"
            )
        found[number] = (values - scales[:, 0]) / scales[:, 1]
    return found.reshape(len(fitted.ids), -1).astype(np.float32)


def bounds(
    fitted: Fitted,
    settings: Settings,
    forecasts: "NDArray[np.float64]",
    series: int,
    level: float,
    scale: float | None = None,
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """The ends of the interval around forecasts [..., horizon, quantiles or 1] of one series, in its unit.

    `scale` is the series' own where it is not one of the training data.
    """
    from tsuzuki.intervals import check_levels

    check_levels([level])
    if fitted.calibration is not None:
        low, high = fitted.calibration.between(level)
        own = series if len(low) > 1 else 0
        unit = fitted.scales[series, 1] if scale is None else scale
        return forecasts[..., 0] + low[own] * unit, forecasts[..., 0] + high[own] * unit
    found = []
    for wanted in (0.5 - level / 200, 0.5 + level / 200):
        near = [i for i, quantile in enumerate(settings.quantiles) if abs(quantile - wanted) < 1e-9]
        if not near:
            shown = ", ".join(f"{quantile:g}" for quantile in settings.quantiles)
            raise SettingError(
                f"level {level:g} needs the quantile {wanted:g}, but the network forecasts {shown}; "
                "choose a level of these, or fit without quantiles"
            )
        found.append(forecasts[..., near[0]])
    return found[0], found[1]


def point(settings: Settings, forecasts: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The point forecast among outputs [..., quantiles or 1]."""
    return forecasts[..., settings.quantiles.index(0.5) if settings.quantiles else 0]


def forecast_frame(fitted: Fitted, settings: Settings, levels: Sequence[float], future: Any) -> "pd.DataFrame":
    """The forecasts as a frame; see `Forecaster.predict`."""
    import numpy as np
    import pandas as pd

    from tsuzuki.series import later

    found = forecasts_of(fitted, settings, future)
    columns = {
        "unique_id": np.repeat(np.array(fitted.ids, object), settings.horizon),
        "ds": np.concatenate([later(times, settings.horizon) for times in fitted.times]),
        "tsuzuki": point(settings, found).ravel(),
    }
    for level in levels:
        ends = [bounds(fitted, settings, own, number, level) for number, own in enumerate(found)]
        columns[f"tsuzuki-lo-{level:g}"] = np.concatenate([low for low, _ in ends])
        columns[f"tsuzuki-hi-{level:g}"] = np.concatenate([high for _, high in ends])
    return pd.DataFrame(columns)
