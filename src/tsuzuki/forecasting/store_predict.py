"""Forecasts of all series of a store, some thousand at a time, streamed to a Parquet file.

The networks are run over the last steps of each series, so a finished model forecasts any series, also those that
training has not seen. Of a store that the model was fitted to nothing is new; of another one the errors of the last
steps' forecasts are followed, as those of newer rows are.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.panel_store import PanelStore
from tsuzuki.data.zones import check_zone
from tsuzuki.engine.threads import threads_allowed
from tsuzuki.errors import DataError, FileError, SettingError
from tsuzuki.forecasting.bounds import within
from tsuzuki.forecasting.conformal_intervals import check_levels
from tsuzuki.forecasting.predict import interval_quantiles, point_forecast
from tsuzuki.forecasting.recent_errors import HIGH, LOW, plain_states
from tsuzuki.forecasting.seasonal_profile import no_profiles
from tsuzuki.forecasting.store_fit import check_settings
from tsuzuki.forecasting.store_statistics import SeriesStatistics, parts_of, statistics_of
from tsuzuki.forecasting.store_tails import forecasts_of, last_times

if TYPE_CHECKING:
    import pyarrow as pa

    from tsuzuki.data.arrow_batches import PanelColumns
    from tsuzuki.forecasting.fitted import Fitted
from tsuzuki.forecasting.settings import Settings

# Series that are written at once, and that a network runs at once: the gates of so many lanes stay in a core's cache.
# A microsecond of a series with 4,096 lanes is 0.7 with 512, and 0.9 with 128.
TOGETHER, LANES = 4096, 512


def forecast_source(
    fitted: "Fitted",
    settings: "Settings",
    source: Any,
    output: Path,
    levels: Sequence[float],
    cache: str | Path | None,
    columns: "PanelColumns | None",
    on_progress: Callable[[float], object] | None,
) -> int:
    """Forecast all series of files or of an engine's frame; see `Forecaster.forecast_files`."""
    from tsuzuki.data.panel_store import panel_store, paths_of

    report = on_progress or (lambda share: None)
    paths = paths_of(source, cache, columns)
    if paths is None:
        raise SettingError(
            "forecast_files reads Parquet or CSV files, and frames of Dask, Spark and Ray; for another frame use "
            "predict"
        )
    store = panel_store(paths, cache, columns, lambda share: report(0.5 * share))
    return forecast_store(fitted, settings, store, output, levels, lambda share: report(0.5 * share))


def forecast_store(
    fitted: "Fitted",
    settings: "Settings",
    store: PanelStore,
    output: Path,
    levels: Sequence[float],
    on_progress: Callable[[float], object] | None = None,
) -> int:
    """Forecast all series of a store from their ends; see `Forecaster.forecast_files`.

    Returns:
        Rows written.
    """
    import pyarrow as pa
    import pyarrow.parquet

    check_settings(settings)
    check_levels(levels)
    check_zone(store.zone, fitted.zone, "one of the files")
    if store.step != fitted.step:
        raise DataError(
            f"the files have a step of {store.step / 1e9:g} s, but the model was trained on one of "
            f"{fitted.step / 1e9:g} s; fit another, or resample them"
        )
    report = on_progress or (lambda share: None)
    statistics = statistics_of(store, fitted.rules, lambda share: report(0.2 * share))
    rows, writer = 0, None
    beside = output.with_name(output.name + ".part")
    try:
        for first, last, table in _tables(fitted, settings, store, statistics, levels):
            if writer is None:
                writer = pyarrow.parquet.ParquetWriter(
                    beside, table.schema, use_dictionary=["unique_id", "ds"], store_schema=fitted.zone is not None
                )
            writer.write_table(table)
            rows += len(table)
            report(0.8 * (last - first) / len(store.ids))
        assert writer is not None
        writer.close()
        beside.replace(output)
    except (OSError, pa.ArrowException) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise FileError(f"{output} cannot be written ({said}); make room, or name another file") from None
    finally:
        if writer is not None:
            writer.close()
        beside.unlink(missing_ok=True)
    return rows


def _tables(
    fitted: "Fitted", settings: "Settings", store: PanelStore, statistics: SeriesStatistics, levels: Sequence[float]
) -> Iterator[tuple[int, int, "pa.Table"]]:
    """The forecasts of some series after those of others, computed side by side."""

    followed = store.fingerprint != fitted.fingerprint

    def of(first: int, last: int) -> tuple[SeriesStatistics, Sequence[str]]:
        return statistics.of(first, last), store.ids[first:last]

    def one(part: tuple[int, int]) -> tuple[int, int, "pa.Table"]:
        first, last = part
        found = [
            forecasts_of(
                fitted_for(fitted, *of(begin, min(begin + LANES, last))),
                fitted.rules,
                settings,
                store,
                begin,
                followed=followed,
            )
            for begin in range(first, last, LANES)
        ]
        forecasts, widths = (np.concatenate(part) for part in zip(*found, strict=True))
        own = fitted_for(fitted, *of(first, last))
        return first, last, _table(own, settings, store, first, forecasts, widths, levels)

    parts = list(parts_of(store, series=TOGETHER))
    threads = threads_allowed()
    with ThreadPoolExecutor(threads) as pool:
        # Few parts are ahead of the one that is written, so that memory does not grow.
        for begin in range(0, len(parts), 2 * threads):
            yield from pool.map(one, parts[begin : begin + 2 * threads])


def _known(array: "NDArray[Any]", places: "Sequence[int | None]", others: "NDArray[Any]") -> "NDArray[Any]":
    """What training left of the series that it knows, by their places; the others' own of others."""
    return np.where([place is None for place in places], others, array[[place or 0 for place in places]])


def fitted_for(fitted: "Fitted", statistics: SeriesStatistics, ids: Sequence[str]) -> "Fitted":
    """What training left, for series of files: with their scales, bases, units and bounds.

    Intervals and usual errors are the means of those that it knows; profiles are known of those alone.
    """
    count = len(statistics.scales)
    calibration, committee, recent = fitted.calibration, fitted.committee, fitted.recent
    trained = {name: place for place, name in enumerate(fitted.ids)}
    places = [trained.get(name) for name in ids]
    units, larger = statistics.units.astype(np.float32), None
    if calibration is not None:
        sizes = None if calibration.sizes is None else _known(calibration.sizes, places, units)
        larger = calibration.larger(sizes)
        calibration = replace(calibration, offsets=calibration.offsets.mean(axis=0, keepdims=True), sizes=sizes)
    if committee is not None:
        kinds = np.searchsorted(committee.seasons[: committee.kinds_of_base], statistics.bases)
        profiles = no_profiles(count)
        if committee.profiles:
            profiles = committee.profiles.select(places)
            kinds = kinds + committee.kinds_of_base * profiles.there
        if committee.kinds_in_common < len(committee.seasons):
            kinds = _known(committee.bases, places, kinds)
        committee = replace(committee, bases=kinds, units=units, profiles=profiles)
    if recent is not None:
        recent = recent.select([None] * count, larger)
    states = plain_states(count) if recent is None else recent.initial()
    states[:, [LOW, HIGH]] = statistics.bounds.T
    return replace(
        fitted,
        scales=statistics.scales,
        transform=statistics.transform,
        calibration=calibration,
        committee=committee,
        recent=recent,
        recent_states=states,
        rules=statistics.rules(fitted.rules),
    )


def _table(
    fitted: "Fitted",
    settings: "Settings",
    store: PanelStore,
    first: int,
    forecasts: NDArray[np.float64],
    widths: NDArray[np.float32],
    levels: Sequence[float],
) -> "pa.Table":
    """The forecasts of some series with the columns of `Forecaster.predict`; numbers have 32 bits."""
    import pyarrow as pa

    from tsuzuki.data.zones import known_zone

    count, horizon = forecasts.shape[:2]
    which = np.arange(count)
    ends = last_times(store, first, count)
    times = (ends[:, None] + store.step * np.arange(1, horizon + 1)).ravel()
    numbers = pa.array(np.repeat(which.astype(np.int32), horizon))
    names = pa.DictionaryArray.from_arrays(numbers, pa.array(store.ids[first : first + count], pa.string()))
    columns: dict[str, Any] = {
        # Parquet keeps a zone's name only with the schema, which would bring names back as a dictionary, too.
        "unique_id": names if fitted.zone is None else names.dictionary_decode(),
        "ds": pa.array(times, pa.timestamp("ns", None if fitted.zone is None else known_zone(fitted.zone))),
    }

    def put(name: str, values: NDArray[np.float64]) -> None:
        usual = within(fitted.transform.inverse(values, which), fitted.recent_states)
        columns[name] = pa.array(usual.astype(np.float32).ravel())

    put("tsuzuki", point_forecast(settings, forecasts))
    for level in levels:
        if fitted.calibration is not None:
            low, high = fitted.calibration.interval_offsets(level)
            unit = fitted.scales[:, 1:] * widths[:, None]
            ends_of = forecasts[..., 0] + low * unit, forecasts[..., 0] + high * unit
        else:
            one, other = interval_quantiles(settings, level)
            ends_of = forecasts[..., one], forecasts[..., other]
        put(f"tsuzuki-lo-{level:g}", ends_of[0])
        put(f"tsuzuki-hi-{level:g}", ends_of[1])
    return pa.table(columns)
