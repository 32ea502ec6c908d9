"""The forecaster as a user holds it: settings and a frame in, a frame out; streams, banks and files from there.

What it does is done elsewhere: `forecasting.fit` trains, `forecasting.predict` forecasts, `forecasting.backtest` looks
back, `streaming` follows.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import SettingError
from tsuzuki.forecasting.fitted import Fitted
from tsuzuki.forecasting.settings import Settings, takes_arguments_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import plotly.graph_objects as go

    from tsuzuki.data.arrow_batches import PanelColumns
    from tsuzuki.forecasting.trial import Trial
    from tsuzuki.streaming.bank import Bank
    from tsuzuki.streaming.online_learning import LearningStream
    from tsuzuki.streaming.stream import Stream


class Forecaster:
    """A recurrent network that forecasts the next `horizon` steps of one or many series.

    Its arguments are the settings: `horizon`, and by name all others that `Settings` lists, with the defaults that
    stand there.

    Attributes:
        settings: all of these.
        fitted: what training left, or None.

    Raises:
        SettingError: settings that cannot work.
    """

    @takes_arguments_of(Settings)
    def __init__(self, *given: Any, **settings: Any) -> None:
        self.settings = self._asked = Settings(*given, **settings)
        self.fitted: Fitted | None = None
        self._trials: tuple[Trial, ...] = ()

    def fit(
        self,
        frame: Any,
        *,
        merge: bool = False,
        cache: str | Path | None = None,
        columns: "PanelColumns | None" = None,
        checkpoint: str | Path | None = None,
        every: str | float = 30.0,
        workers: int | None = None,
        address: str | None = None,
        on_progress: Callable[[float], object] | None = None,
    ) -> "Forecaster":
        """Train on all readings of a frame, or of files that need not fit in memory.

        Files are read once into a memory-mapped store (`data.panel_store`). The networks are then trained within a
        budget, "auto" if the settings name none, on stretches drawn from all series; rules, the committee beside them
        and intervals come from a sample of at most 300 series, drawn by the seed. `forecast_files` forecasts all.

        Args:
            frame: a pandas Series or frame with a DatetimeIndex, or a long one: unique_id, ds, y and covariates;
                pandas, Polars, or what narwhals knows. Where its times name a zone, forecasts' times do, too. Or
                Parquet or CSV files: a path, a folder, a pattern, a list of these, or a pyarrow dataset of files; or a
                frame of Dask, Spark or Ray, which is written to a file of the cache folder, partition by partition.
            merge: whether readings of the same step give way to their mean, however many they are; if not, a few do
                with a warning. Not for files.
            cache: the folder of stores, for files; one among the user's cached files if None.
            columns: the names of the files' columns; unique_id, ds and y if None.
            checkpoint: a path to go on from after a crash: each network keeps a file, with its number behind the path.
                A fit that was killed and is started again in the same way ends with the same bits.
            every: how often the files are written, in seconds or as "30s", "5m", "1h".
            workers: processes that train, each in one thread; one that dies is replaced, and its work done again. Of a
                frame each trains whole networks, which have the same bits then. Of files all train each network, by
                local SGD on shards that the data alone decide, to the same bits for any number of workers (other ones
                than without). None: this process.
            address: of a Ray cluster whose processes the workers are: HEAD:6379, "auto" or "local", with the extra
                `ray`; None: processes of this machine.
            on_progress: called with each further share of the work done, the shares adding up to 1, from the networks'
                threads; what it raises ends the training.

        Returns:
            The forecaster, standing at the end of the data (of files: at the end of the series of the sample).

        Raises:
            DataError: a frame that cannot be used; without merge more than a tenth of a series' readings are of the
                same step as another.
            TooShortError: no series has two readings.
            MissingExtraError: a cluster is named, and Ray is not installed.
        """
        from tsuzuki.data.panel_store import paths_of
        from tsuzuki.distributed.workers import some_workers
        from tsuzuki.forecasting.fit import fit_frame

        paths = paths_of(frame, cache, columns)
        with some_workers(workers, address) as those:
            kept = (on_progress, checkpoint, every, those)
            if paths is not None:
                from tsuzuki.forecasting.store_fit import fit_files

                self.fitted = fit_files(paths, self.settings, cache, columns, *kept)
            else:
                found = fit_frame(frame, self._asked, merge, *kept)
                self.fitted, self.settings, self._trials = found.fitted, found.settings, found.trials
        return self

    def update(self, frame: Any, *, merge: bool = False) -> "Forecaster":
        """Read newer rows of series it knows, so that forecasts go on from them; older rows are passed over.

        Args:
            frame: as for `fit`.
            merge: whether readings of the same step give way to their mean, however many they are.

        Raises:
            DataError: rows of an unknown series, on another grid than the series', or with a time zone where the
                training data named none.
        """
        from tsuzuki.forecasting.update import run_newer_rows

        self.fitted = run_newer_rows(self._known(), self.settings, frame, merge=merge)
        return self

    def predict(
        self, frame: Any = None, *, levels: Sequence[float] | None = None, future: Any = None
    ) -> "pd.DataFrame":
        """Forecast the next steps of every series.

        Args:
            frame: newer rows to read first (the forecaster itself stays where it is; `update` moves it). Series that
                training has not seen are read from their beginning and forecast, too.
            levels: of the intervals, in per cent; 80 and 95 if None, or those of the quantiles that the networks have.
            future: the covariates known ahead at the forecast times: unique_id, ds and their columns.

        Returns:
            A frame with unique_id (text), ds, tsuzuki, and tsuzuki-lo-80, tsuzuki-hi-80 and so on for each level.

        Raises:
            SettingError: not fitted, or a level that cannot be had.
            DataError: a new series on another grid, or covariates missing from `future`.
        """
        from tsuzuki.forecasting.predict import forecast_frame
        from tsuzuki.forecasting.update import run_newer_rows

        fitted = self._known()
        if frame is not None:
            fitted = run_newer_rows(fitted, self.settings, frame, new=True)
        return forecast_frame(fitted, self.settings, self.settings.levels if levels is None else levels, future)

    def forecast_files(
        self,
        source: Any,
        output: str | Path,
        *,
        levels: Sequence[float] | None = None,
        cache: str | Path | None = None,
        columns: "PanelColumns | None" = None,
        on_progress: Callable[[float], object] | None = None,
    ) -> int:
        """Forecast the next steps of every series of files, which need not fit in memory, into a Parquet file.

        The networks are run over the last 48 steps of each series, so it need not be one that training has seen. Of
        other files than those of `fit` the errors made at the last steps (48 or two horizons) are followed, too.

        Args:
            source: files, or a frame of Dask, Spark or Ray, as for `fit`.
            output: the file, with the columns of `predict`; numbers have 32 bits.
            levels: as for `predict`.
            cache, columns, on_progress: as for `fit`.

        Returns:
            The rows of the file.

        Raises:
            SettingError: not fitted, covariates, or a level that cannot be had.
            DataError: the files have another step than the training data, or cannot be read.
            FileError: there are no files, or the output cannot be written.
        """
        from tsuzuki.forecasting.store_predict import forecast_source

        wanted = self.settings.levels if levels is None else levels
        return forecast_source(self._known(), self.settings, source, Path(output), wanted, cache, columns, on_progress)

    def plot(
        self,
        frame: Any = None,
        unique_id: str | None = None,
        backtest: "pd.DataFrame | None" = None,
        *,
        levels: Sequence[float] | None = None,
        future: Any = None,
    ) -> "go.Figure":
        """Draw the last readings of one series, its forecast with intervals, and a line where the forecast begins.

        Args:
            frame: newer rows to read first, as for `predict`; older ones are drawn where they go further back.
            unique_id: the series; None where there is only one.
            backtest: what `backtest` gave: its forecasts from past origins are drawn instead, with what came of them.
            levels, future: as for `predict`.

        Raises:
            SettingError: not fitted, or several series and none is named.
            DataError: an unknown series, and as for `predict`.
            MissingExtraError: Plotly is not installed.
        """
        from tsuzuki.forecasting.plot import check_plotly, forecast_figure

        check_plotly("plot")
        wanted = self.settings.levels if levels is None else levels
        return forecast_figure(self._known(), self.settings, unique_id, frame, backtest, wanted, future)

    def backtest(
        self,
        frame: Any,
        *,
        windows: int | None = None,
        step: int | None = None,
        refit: bool | int = False,
        levels: Sequence[float] | None = None,
        merge: bool = False,
        cache: str | Path | None = None,
        columns: "PanelColumns | None" = None,
        checkpoint: str | Path | None = None,
        every: str | float = 30.0,
        workers: int | None = None,
        address: str | None = None,
        on_progress: Callable[[float], object] | None = None,
    ) -> "pd.DataFrame":
        """Forecast from many origins at the end of the data, and by simple references too.

        A network like this one is trained on what lies before the first origin, and anew at later ones if `refit` says
        so; between, forecasts go on from what has come. This forecaster is left as it is. Of files at most 1,000 series
        are scored, drawn by the seed, none too short (`attrs["series"]`: how many, of all).

        Args:
            frame: as for `fit`.
            windows: origins, the last one `horizon` steps before the end of each series; as many as the last fifth of
                the shortest series has room for, up to 52, if None.
            step: steps between two origins; the horizon if None.
            refit: whether all is trained anew at each origin, on what lies before it; a number: at every so many
                origins. A search is made once, before the first.
            levels: of the intervals, in per cent; 80 and 95 if None, or those of the quantiles that the networks have.
            merge, cache, columns, workers, address, on_progress: as for `fit`.
            checkpoint, every: as for `fit`; what is trained on must be the same, too.

        Returns:
            A frame with unique_id, ds, cutoff (the last time known), y, tsuzuki and its intervals, and the references;
            a row for each reading that was forecast. `tsuzuki.evaluate` scores it, and so do `utilsforecast`'s metrics.

        Raises:
            TooShortError: fewer points than the windows need.
            SettingError: windows, step or refit that are no such numbers, or a level that cannot be had.
        """
        from tsuzuki.data.covariates import covariate_series
        from tsuzuki.data.frames import zone_of
        from tsuzuki.data.panel_store import paths_of
        from tsuzuki.distributed.workers import some_workers
        from tsuzuki.forecasting.backtest import backtest

        # What a search chose on all data was not known at the first origin.
        settings, paths = self._asked, paths_of(frame, cache, columns)
        wanted, step = settings.levels if levels is None else levels, step or settings.horizon
        if paths is not None:
            from tsuzuki.forecasting.store_backtest import backtest_files

            with some_workers(workers, address) as those:
                read = (cache, columns, on_progress, checkpoint, every, those)
                return backtest_files(paths, settings, windows, step, wanted, *read, refit=refit)[0]
        long = settings.long(frame)
        series = covariate_series(long, settings.columns, settings.max_gap, merge=merge)
        with some_workers(workers, address) as those:
            kept = (on_progress, zone_of(long), checkpoint, every, those)
            return backtest(series, settings, windows, step, wanted, *kept, refit=refit)[0]

    @property
    def weights_(self) -> "pd.DataFrame":
        """How far each forecast is trusted: a row for each step ahead, a column for each member of the committee.

        The weights of a row add up to 1; what the other members lack to it is the weight of the last value. Where
        series have bases of several kinds, each kind has its rows: its season (0 for the last value) is the first level
        of the index, the step ahead the second. Where series have weights of their own, their names are the first.

        Raises:
            SettingError: not fitted, or the networks stand alone: with quantiles, or with `committee=False`.
        """
        from tsuzuki.forecasting.committee import weights_table

        known = self._known()
        return weights_table(known.committee, known.ids)

    @property
    def trials_(self) -> "pd.DataFrame":
        """What a search tried, the best first: recipe, share of the passes, error on held-out stretches, seconds.

        Raises SettingError where nothing was searched, or the model comes from a file.
        """
        from tsuzuki.forecasting.trial import trials_table

        return trials_table(self._trials)

    def stream(
        self, unique_id: str | None = None, *, learn: bool = False, learning_rate: float = 1e-4
    ) -> "Stream | LearningStream":
        """Follow one series from where it stands, a reading at a time; the forecaster itself stays where it is.

        Args:
            unique_id: the series; None where there is only one.
            learn: whether the networks go on learning from each reading; see
                `streaming.online_learning.LearningStream`.
            learning_rate: of that learning.
        """
        if learn:
            from tsuzuki.streaming.online_learning import LearningStream

            return LearningStream(self._known(), self.settings, unique_id, learning_rate=learning_rate)
        from tsuzuki.streaming.stream import Stream

        return Stream(self._known(), self.settings, unique_id)

    def bank(
        self,
        ids: Sequence[str] | None = None,
        *,
        scales: "Mapping[str, tuple[float, float]] | None" = None,
        start: Any = None,
    ) -> "Bank":
        """Follow many series at once; see `streaming.bank.Bank`."""
        from tsuzuki.streaming.bank import Bank

        return Bank(self._known(), self.settings, ids, scales, start)

    def to_onnx(self, path: Path | str, unique_id: str | None = None, *, levels: Sequence[float] | None = None) -> None:
        """Write one step of a series' forecasts as an ONNX file (opset 17), for those without tsuzuki.

        Inputs: "y" [1, 1], the next reading in the series' unit; "missing" [1, 1], 1 where there is none (0 if not
        given); "calendar" [1, columns], the sine and cosine of the cycles that the file's metadata name, at the
        reading's time; "window" and "network 1 state 0" ..., the states, which at the first step need not be given:
        they are those at the end of the training data. Outputs: "forecast" [1, horizon] and for each level "lo-80",
        "hi-80" in the series' unit, then "new window" and "new network 1 state 0" ... for the next step.

        Args:
            path: the file.
            unique_id: the series; None where there is only one.
            levels: of the intervals, in per cent; 80 and 95 if None.

        Raises:
            SettingError: not fitted, several series and none is named, or a level that cannot be had.
            DataError: an unknown series.
            UnsupportedModel: covariates, or networks that stand alone (quantiles, `committee=False`).
            MissingExtraError: the package onnx is not installed.
            FileError: the file cannot be written.
        """
        from tsuzuki.forecasting.onnx_file import check_writable, write_onnx
        from tsuzuki.forecasting.outlook import named

        fitted = self._known()
        check_writable(fitted, self.settings)
        name = named(fitted.ids, unique_id)
        # A stream stands behind the last row, which the kept states do not.
        states = [one.states()[0] for one in self.stream(name).bank.saved_states]
        write_onnx(fitted, name, path, self.settings.levels if levels is None else levels, states)

    def save(self, path: Path | str) -> None:
        """Write all that forecasts need to one file: weights, states, scales, intervals, the training's record.

        Raises:
            SettingError: not fitted.
            FileError: the file cannot be written; what stood there before is intact.
        """
        from tsuzuki.forecasting.serialization import save

        save(self.settings, self._known(), path)

    def _known(self) -> Fitted:
        if self.fitted is None:
            raise SettingError("this Forecaster has not been fitted; call fit(frame) first")
        return self.fitted


def load(path: Path | str) -> Forecaster:
    """Read a forecaster that `Forecaster.save` wrote.

    Raises:
        FileError: no such file, or it is not whole, foreign, of a newer format, or its shapes disagree.
    """
    from tsuzuki.forecasting.serialization import restore
    from tsuzuki.storage import read

    found = Forecaster()
    found.settings, found.fitted = restore(read(path, "forecaster"), str(path))
    return found
