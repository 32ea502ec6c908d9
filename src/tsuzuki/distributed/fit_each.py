"""A forecaster for each of many series: trained, and asked for its forecast, one series after another or side by side.

The results go to a folder as they come: forecasts and a list of the series in parts, a part for each unit of series.
The same call again goes on where the last one stopped. A series that fails is listed with its error; the others go on.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tsuzuki.data.arrow_batches import PanelColumns
from tsuzuki.data.panel_store import PanelStore, open_store, panel_store
from tsuzuki.distributed.workers import check_workers, run_units
from tsuzuki.errors import FileError, SettingError, TsuzukiError
from tsuzuki.forecasting.settings import Settings
from tsuzuki.storage import write_bytes

if TYPE_CHECKING:
    import pandas as pd

# A unit is worth the way to a worker, and little is lost with it.
UNIT_SERIES, UNIT_POINTS = 64, 200_000


class Configured(Protocol):
    """Whatever holds a forecaster's settings: a `Forecaster`, fitted or not."""

    settings: Settings


@dataclass(frozen=True)
class _Unit:
    """Some series to fit, by number, and where the results go."""

    store: Path
    first: int
    last: int
    settings: Settings
    levels: tuple[float, ...]
    output: Path
    keeps_models: bool
    zone: str | None

    @property
    def name(self) -> str:
        return f"{self.first:08d}"


def fit_each(
    source: Any,
    forecaster: Configured,
    output: str | Path,
    *,
    workers: int = 1,
    address: str | None = None,
    columns: PanelColumns | None = None,
    levels: Sequence[float] | None = None,
    keep_models: bool = False,
    on_progress: Callable[[float], object] | None = None,
) -> "pd.DataFrame":
    """Train a forecaster for each series by itself, and forecast from its end.

    Args:
        source: a long frame; or files as `panel_store` reads them, or a frame of Dask, Spark or Ray. Times are on one
            step for all series; forecasts' times are in their time zone, for CSV files with offsets in UTC.
        forecaster: its settings are used; it is not fitted itself. Covariates are not read.
        output: the folder of the results. With a cluster, all machines must see it under this name.
        workers: series that are trained at once, each in a process. The results do not depend on it.
        address: of a Ray cluster, which needs the extra `ray`; None: this machine, without Ray.
        columns: the names of the columns; unique_id, ds and y if None.
        levels: of the intervals, in per cent; 80 and 95 if None.
        keep_models: whether each forecaster is kept too, in a file named in the column `model`.
        on_progress: called with each further share of the work done.

    Returns:
        A row for each series: unique_id, points, seconds, error (None where all went well), and model. `output` has
        it as series.parquet, and the forecasts as forecasts-*.parquet with the columns of `Forecaster.predict`.

    Raises:
        SettingError: covariates are named, or no worker.
        MissingExtraError: Ray is needed and not installed.
        DataError: the source cannot be read; see `panel_store`.
        FileError: the folder holds results of another run, or cannot be written.
    """
    import pandas as pd

    settings = forecaster.settings
    check_workers(workers, address)
    if settings.columns.all:
        raise SettingError(
            f"fit_each reads no covariates ({', '.join(settings.columns.all)}); leave them out, or fit series by series"
        )
    folder = Path(output)
    report = on_progress or (lambda share: None)
    store, zone = _store_of(source, folder, columns, settings)
    wanted = tuple(settings.levels if levels is None else levels)
    _claim(folder, store, settings, wanted, keep_models)
    units = [
        _Unit(store.folder, first, last, settings, wanted, folder, keep_models, zone) for first, last in _units(store)
    ]
    left = [unit for unit in units if not _list_path(unit).exists()]
    report(1 - len(left) / len(units))
    for _ in run_units(_fit_unit, left, workers, address):
        report(1 / len(units))
    listed = pd.concat([pd.read_parquet(_list_path(unit)) for unit in units], ignore_index=True)
    write_bytes(folder / "series.parquet", listed.to_parquet(index=False))
    return listed


def _store_of(
    source: Any, folder: Path, columns: PanelColumns | None, settings: Settings
) -> tuple[PanelStore, str | None]:
    """The readings, and the time zone that a frame's times name."""
    import pyarrow as pa

    from tsuzuki.data.engine_frames import files_of, write_readings
    from tsuzuki.data.frames import zone_of

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder} cannot be made ({error.strerror}); name another folder") from None
    paths = files_of(source, folder / "panel", columns)
    if paths is not None:
        if settings.freq:
            raise SettingError(
                f"fit_each reads files on their own grid, not every {settings.freq}; leave out freq, or give it a frame"
            )
        store = panel_store(paths, folder / "panel", columns)
        return store, store.zone
    long = settings.long(source)[["unique_id", "ds", "y"]]
    readings = write_readings([pa.Table.from_pandas(long, preserve_index=False)], folder / "panel")
    return panel_store(readings, folder / "panel"), zone_of(long)


def _claim(folder: Path, store: PanelStore, settings: Settings, levels: Sequence[float], keep_models: bool) -> None:
    """Note what the folder's results are of.

    Raises:
        FileError: they are of something else.
    """
    from tsuzuki import __version__

    facts = json.loads(
        json.dumps(
            {
                "tsuzuki": __version__,
                "data": store.fingerprint,
                "settings": asdict(settings),
                "levels": list(levels),
                "models": keep_models,
            }
        )
    )
    path = folder / "run.json"
    if path.exists():
        try:
            known = json.loads(path.read_text("utf-8"))
        except ValueError:
            known = {}
        odd = [name for name in facts if facts[name] != known.get(name)]
        if odd:
            raise FileError(f"{folder} holds results of another run (other {', '.join(odd)}); name another folder")
    else:
        write_bytes(path, json.dumps(facts, indent=1).encode())


def _units(store: PanelStore) -> list[tuple[int, int]]:
    """The series cut into units, [first, last) each; they do not depend on the workers."""
    found, first = [], 0
    for number in range(1, len(store.ids) + 1):
        points = int(store.offsets[number] - store.offsets[first])
        if number == len(store.ids) or number - first == UNIT_SERIES or points >= UNIT_POINTS:
            found.append((first, number))
            first = number
    return found


def _list_path(unit: _Unit) -> Path:
    return unit.output / f"series-{unit.name}.parquet"


def _fit_unit(unit: _Unit) -> None:
    """Fit the series of one unit; its list is written last and says that all is there."""
    import pandas as pd

    store = open_store(unit.store)
    rows, forecasts = [], []
    for number in range(unit.first, unit.last):
        row, forecast = _fit_one(unit, store, number)
        rows.append(row)
        forecasts += [] if forecast is None else [forecast]
    if forecasts:
        found = pd.concat(forecasts, ignore_index=True)
        write_bytes(unit.output / f"forecasts-{unit.name}.parquet", found.to_parquet(index=False))
    listed = pd.DataFrame(rows).astype({"error": object, "model": object})
    write_bytes(_list_path(unit), listed.to_parquet(index=False))


def _fit_one(unit: _Unit, store: PanelStore, number: int) -> "tuple[dict[str, Any], pd.DataFrame | None]":
    from time import perf_counter

    from tsuzuki.data.covariates import covariate_series
    from tsuzuki.forecasting.fit import train
    from tsuzuki.forecasting.predict import forecast_frame
    from tsuzuki.forecasting.serialization import save

    begun, settings = perf_counter(), unit.settings
    frame = settings.long(store.frame([number]))
    row = {"unique_id": store.ids[number], "points": int(frame["y"].notna().sum()), "error": None, "model": None}
    forecast = None
    try:
        fitted = train(covariate_series(frame, settings.columns, settings.max_gap, merge=True), settings)
        fitted.zone = unit.zone
        forecast = forecast_frame(fitted, settings, unit.levels, None)
        if unit.keeps_models:
            row["model"] = f"model-{number:08d}.tsuzuki"
            save(settings, fitted, unit.output / str(row["model"]))
    except FileError:
        raise
    except TsuzukiError as error:
        row["error"] = str(error)
    return row | {"seconds": perf_counter() - begun}, forecast
