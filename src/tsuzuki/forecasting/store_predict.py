"""Forecasts of all series of a store, some thousand at a time, streamed to a Parquet file.

A network is run over the last steps of each series, from a zero state, as it was trained on stretches that begin with
one; so a finished model forecasts any series, also those that training has not seen.
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
from tsuzuki.forecasting.conformal_intervals import check_levels
from tsuzuki.forecasting.predict import in_units, interval_quantiles, point_forecast
from tsuzuki.forecasting.store_fit import check_settings
from tsuzuki.forecasting.store_rows import calendar_of
from tsuzuki.forecasting.store_statistics import SeriesStatistics, parts_of, statistics_of
from tsuzuki.layouts.layout import CARRY, NOWHERE, ZERO, Block

if TYPE_CHECKING:
    import pyarrow as pa

    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings

# Steps of a series that its state is made of; M4's hourly series are forecast as well by 48 as by 192, by 24 nearly.
WARM_UP = 48
# Series that are written at once, and that a network runs at once: the gates of so many lanes stay in a core's cache.
# A microsecond of a series with 4,096 lanes is 0.7 with 512, and 0.9 with 128.
TOGETHER, LANES = 4096, 512


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
    if not fitted.rules.alone:
        raise SettingError(
            "the networks of this model belong to a committee, which files larger than memory are not read with; fit "
            "one to files, or with committee=False"
        )
    if store.step != fitted.step:
        raise DataError(
            f"the files have a step of {store.step / 1e9:g} s, but the model was trained on one of "
            f"{fitted.step / 1e9:g} s; fit another, or resample them"
        )
    report = on_progress or (lambda share: None)
    statistics = statistics_of(store, fitted.rules.transform, lambda share: report(0.2 * share))
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

    def one(part: tuple[int, int]) -> tuple[int, int, "pa.Table"]:
        first, last = part
        forecasts = [
            forecasts_of(_fitted_for(fitted, statistics.of(begin, min(begin + LANES, last))), settings, store, begin)
            for begin in range(first, last, LANES)
        ]
        own = statistics.of(first, last)
        table = _table(_fitted_for(fitted, own), settings, store, first, np.concatenate(forecasts), levels, own.bounds)
        return first, last, table

    parts = list(parts_of(store, series=TOGETHER))
    threads = threads_allowed()
    with ThreadPoolExecutor(threads) as pool:
        # Few parts are ahead of the one that is written, so that memory does not grow.
        for begin in range(0, len(parts), 2 * threads):
            yield from pool.map(one, parts[begin : begin + 2 * threads])


def _fitted_for(fitted: "Fitted", statistics: SeriesStatistics) -> "Fitted":
    """The networks for other series than those they were fitted to: with their scales."""
    calibration = fitted.calibration
    if calibration is not None:
        calibration = replace(calibration, offsets=calibration.offsets.mean(axis=0, keepdims=True))
    return replace(
        fitted,
        scales=statistics.scales,
        transform=statistics.transform,
        calibration=calibration,
    )


def forecasts_of(fitted: "Fitted", settings: "Settings", store: PanelStore, first: int) -> NDArray[np.float64]:
    """The next steps of some series of a store, [series, horizon, quantiles or 1], in their units, transformed.

    Args:
        fitted: with the scales of these series.
        settings: of the forecaster.
        store: the readings.
        first: the first of the series.
    """
    from tsuzuki.engine.compiled_network import CompiledNetwork
    from tsuzuki.engine.data import Data, RowShape
    from tsuzuki.engine.memory import Parameters, SavedStates

    count, before, network = len(fitted.scales), fitted.way.before, fitted.way.network
    size = before + WARM_UP
    values = _last_values(fitted, store, first, size)
    unbroken = _begins(values, settings.max_gap)
    # What stands before an unbroken stretch is its first value.
    lead = np.arange(size) < unbroken[:, None]
    values = np.where(lead, values[np.arange(count), unbroken][:, None], values)
    begins = np.maximum(unbroken, size - WARM_UP)
    rows = _rows(fitted, store, first, values, begins, before + WARM_UP)
    block = _single_steps(begins - (size - before - WARM_UP), count, before, WARM_UP)
    total = np.zeros((count, network.outputs), np.float32)
    ends = (before + WARM_UP) * np.arange(1, count + 1) - 1
    forecasts = np.empty((count * (before + WARM_UP) + 1, network.outputs), np.float32)
    for weights in fitted.members:
        own = rows.copy()
        compiled = CompiledNetwork(
            network,
            RowShape(count),
            Data(own, None, 1, residual=True, lags=fitted.way.lags, impute_from=fitted.way.impute_from),
            parameters=Parameters(network, weights),
            saved_states=SavedStates(network, 1),
            threads=1,
        )
        updates = len(block.starts)
        for some, into in ((slice(0, updates - 1), None), (slice(updates - 1, updates), forecasts)):
            part = Block(block.starts[some], block.valid[some], block.entries[some], block.exits[some])
            compiled.forward(part, into)
        total += forecasts[ends + 1]
    return in_units(fitted, total / np.float32(len(fitted.members)), np.arange(count))


def _last_values(fitted: "Fitted", store: PanelStore, first: int, size: int) -> NDArray[np.float32]:
    """The last values of some series in units of their scales, [series, size], NaN where there are none."""
    count = len(fitted.scales)
    found = np.full((count, size), np.nan, np.float32)
    for place in range(count):
        start, stop = store.offsets[first + place], store.offsets[first + place + 1]
        own = store.values[max(start, stop - size) : stop]
        found[place, size - len(own) :] = own
    which = np.arange(count)
    moved = fitted.transform.forward(found, which) - fitted.scales[:, :1]
    return np.asarray(moved / fitted.scales[:, 1:], np.float32)


def _begins(values: NDArray[np.float32], max_gap: int) -> NDArray[np.int64]:
    """Where the last unbroken stretch of each row [size] begins, int64 [series]."""
    count, size = values.shape
    missing, found = np.full(count, max_gap + 1, np.int64), np.full(count, size - 1, np.int64)
    for at in range(size):
        there = ~np.isnan(values[:, at])
        found[there & (missing > max_gap)] = at
        missing = np.where(there, 0, missing + 1)
    return found


def _without_gaps(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows with each missing value replaced by the one before, or the first one known."""
    known = ~np.isnan(values)
    first = known.argmax(axis=1)[:, None]
    place = np.maximum.accumulate(np.where(known, np.arange(values.shape[1]), first), axis=1)
    return np.take_along_axis(values, place, axis=1)


def _rows(
    fitted: "Fitted",
    store: PanelStore,
    first: int,
    values: NDArray[np.float32],
    begins: NDArray[np.int64],
    size: int,
) -> NDArray[np.float32]:
    """The inputs of each series' last steps, [series * size, columns]."""
    count, width = values.shape
    cycles = fitted.rules.cycles
    found = np.zeros((count, size, 2 + 2 * len(cycles)), np.float32)
    found[:, :, 0], found[:, :, 1] = values[:, width - size :], np.isnan(values[:, width - size :])
    # What lies before the first row to run is read by lags only; a gap in it is not imputed any more.
    known = _without_gaps(values)
    upto = np.arange(width) <= begins[:, None]
    found[:, :, 0] = np.where(upto, known, values)[:, width - size :]
    if cycles:
        ends = _ends(store, first, count)
        for end in np.unique(ends):
            here = ends == end
            found[here, :, 2:] = calendar_of(int(end) - store.step * (size - 1), size, store.step, cycles)
    return found.reshape(count * size, -1)


def _ends(store: PanelStore, first: int, count: int) -> NDArray[np.int64]:
    """The last time of some series."""
    steps = np.diff(store.offsets[first : first + count + 1])
    return np.asarray(store.starts[first : first + count] + store.step * (steps - 1))


def _single_steps(begins: NDArray[np.int64], count: int, before: int, warm_up: int) -> Block:
    """All rows of all series, a step an update and a series a lane.

    Args:
        begins: int64 [series], the first row of each to run.
        count: of the series.
        before: rows of each that only lags read.
        warm_up: rows behind them.
    """
    places = before + np.arange(warm_up)[:, None]
    runs = places >= begins[None, :]
    starts = np.where(runs, places + (before + warm_up) * np.arange(count)[None, :], -1)
    entries = np.where(runs & (places > begins[None, :]), CARRY, ZERO).astype(np.int32)
    return Block(starts.astype(np.int64), runs.astype(np.int32), entries, np.full(starts.shape, NOWHERE, np.int32))


def _table(
    fitted: "Fitted",
    settings: "Settings",
    store: PanelStore,
    first: int,
    forecasts: NDArray[np.float64],
    levels: Sequence[float],
    bounds: NDArray[np.float64],
) -> "pa.Table":
    """The forecasts of some series with the columns of `Forecaster.predict`; numbers have 32 bits."""
    import pyarrow as pa

    from tsuzuki.data.zones import known_zone

    count, horizon = forecasts.shape[:2]
    which = np.arange(count)
    ends = _ends(store, first, count)
    times = (ends[:, None] + store.step * np.arange(1, horizon + 1)).ravel()
    numbers = pa.array(np.repeat(which.astype(np.int32), horizon))
    names = pa.DictionaryArray.from_arrays(numbers, pa.array(store.ids[first : first + count], pa.string()))
    columns: dict[str, Any] = {
        # Parquet keeps a zone's name only with the schema, which would bring names back as a dictionary, too.
        "unique_id": names if fitted.zone is None else names.dictionary_decode(),
        "ds": pa.array(times, pa.timestamp("ns", None if fitted.zone is None else known_zone(fitted.zone))),
    }

    def put(name: str, values: NDArray[np.float64]) -> None:
        usual = np.clip(fitted.transform.inverse(values, which), bounds[0, :, None], bounds[1, :, None])
        columns[name] = pa.array(usual.astype(np.float32).ravel())

    put("tsuzuki", point_forecast(settings, forecasts))
    for level in levels:
        if fitted.calibration is not None:
            low, high = fitted.calibration.interval_offsets(level)
            unit = fitted.scales[:, 1:]
            ends_of = forecasts[..., 0] + low * unit, forecasts[..., 0] + high * unit
        else:
            one, other = interval_quantiles(settings, level)
            ends_of = forecasts[..., one], forecasts[..., other]
        put(f"tsuzuki-lo-{level:g}", ends_of[0])
        put(f"tsuzuki-hi-{level:g}", ends_of[1])
    return pa.table(columns)
