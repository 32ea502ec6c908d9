"""A forecaster for each of many series, or groups of them, trained and asked for its forecast, here or by workers.

The results go to a folder as they come: forecasts and a list of the series in parts, a part for each unit of series.
The same call again goes on where the last one stopped. A series that fails is listed with its error; the others go on.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

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

# A group's name by that of a series.
Groups = Mapping[str, str] | Callable[[str], str]


class Configured(Protocol):
    """Whatever holds a forecaster's settings: a `Forecaster`, fitted or not."""

    settings: Settings


@dataclass(frozen=True)
class _Unit:
    """Some models to fit, the series of each by number, and where the results go."""

    store: Path
    models: tuple[tuple[int, ...], ...]
    settings: Settings
    levels: tuple[float, ...]
    output: Path
    keeps_models: bool
    zone: str | None

    @property
    def name(self) -> str:
        return f"{self.models[0][0]:08d}"


def fit_each(
    source: Any,
    forecaster: Configured,
    output: str | Path,
    *,
    workers: int = 1,
    address: str | None = None,
    columns: PanelColumns | None = None,
    groups: "Groups | pd.Series[str] | None" = None,
    levels: Sequence[float] | None = None,
    keep_models: bool = False,
    on_progress: Callable[[float], object] | None = None,
) -> "pd.DataFrame":
    """Train a forecaster for each series or group by itself, and forecast from the end of each series.

    Args:
        source: a long frame; or files as `panel_store` reads them, or a frame of Dask, Spark or Ray. Times are on one
            step for all series; forecasts' times are in their time zone, for CSV files with offsets in UTC.
        forecaster: its settings are used; it is not fitted itself. Covariates are not read.
        output: the folder of the results. With a cluster, all machines must see it under this name.
        workers: models that are trained at once, each in a process. The results do not depend on it.
        address: of a Ray cluster, which needs the extra `ray`; None: this machine, without Ray.
        columns: the names of the columns; unique_id, ds and y if None.
        groups: the name of a series' group by its own name, in a dictionary or a pandas Series, or by a function; the
            series of a group have one model, and are in memory together. None: each series has its own.
        levels: of the intervals, in per cent; 80 and 95 if None.
        keep_models: whether each forecaster is kept too, in a file named in the column `model`.
        on_progress: called with each further share of the work done.

    Returns:
        A row for each series: unique_id, its group where there are groups, points, the seconds, error (None where all
        went well) and file of its model. `output` has it as series.parquet, and the forecasts as forecasts-*.parquet
        with the columns of `Forecaster.predict`.

    Raises:
        SettingError: covariates are named, no worker, or a series without a group.
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
    named = None if groups is None else _groups_of(store, groups)
    _claim(folder, store, settings, wanted, keep_models, named)
    units = [
        _Unit(store.folder, models, settings, wanted, folder, keep_models, zone)
        for models in _units(store, _models(store, named))
    ]
    left = [unit for unit in units if not _list_path(unit).exists()]
    report(1 - len(left) / len(units))
    for _ in run_units(_fit_unit, left, workers, address):
        report(1 / len(units))
    listed = pd.concat([pd.read_parquet(_list_path(unit)) for unit in units], ignore_index=True)
    if named is not None:
        listed.insert(1, "group", listed["unique_id"].map(dict(zip(store.ids, named, strict=True))))
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


def _groups_of(store: PanelStore, groups: "Groups | pd.Series[str]") -> list[str]:
    """The group of each series."""
    import pandas as pd

    found = []
    for name in store.ids:
        group = groups(name) if callable(groups) else groups.get(name)
        if pd.isna(group):
            raise SettingError(f"groups name no group for the series {name!r}; give each series one")
        found.append(str(group))
    return found


def _claim(
    folder: Path,
    store: PanelStore,
    settings: Settings,
    levels: Sequence[float],
    keep_models: bool,
    groups: Sequence[str] | None,
) -> None:
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
                "groups": None if groups is None else hashlib.sha256(json.dumps(groups).encode()).hexdigest()[:16],
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


def _models(store: PanelStore, groups: Sequence[str] | None) -> list[tuple[int, ...]]:
    """The series of each model, by number."""
    if groups is None:
        return [(number,) for number in range(len(store.ids))]
    members: dict[str, list[int]] = {}
    for number, name in enumerate(groups):
        members.setdefault(name, []).append(number)
    return [tuple(own) for own in members.values()]


def _units(store: PanelStore, models: Sequence[tuple[int, ...]]) -> list[tuple[tuple[int, ...], ...]]:
    """The models cut into units; they do not depend on the workers."""
    steps, found, series, points = np.diff(store.offsets), [], 0, 0
    unit: list[tuple[int, ...]] = []
    for own in models:
        unit.append(own)
        series, points = series + len(own), points + int(steps[list(own)].sum())
        if series >= UNIT_SERIES or points >= UNIT_POINTS:
            found.append(tuple(unit))
            unit, series, points = [], 0, 0
    return [*found, tuple(unit)] if unit else found


def _list_path(unit: _Unit) -> Path:
    return unit.output / f"series-{unit.name}.parquet"


def _fit_unit(unit: _Unit) -> None:
    """Fit the series of one unit; its list is written last and says that all is there."""
    import pandas as pd

    store = open_store(unit.store)
    rows, forecasts = [], []
    for numbers in unit.models:
        own, forecast = _fit_model(unit, store, numbers)
        rows += own
        forecasts += [] if forecast is None else [forecast]
    if forecasts:
        found = pd.concat(forecasts, ignore_index=True)
        write_bytes(unit.output / f"forecasts-{unit.name}.parquet", found.to_parquet(index=False))
    listed = pd.DataFrame(rows).astype({"error": object, "model": object})
    write_bytes(_list_path(unit), listed.to_parquet(index=False))


def _fit_model(
    unit: _Unit, store: PanelStore, numbers: Sequence[int]
) -> "tuple[list[dict[str, Any]], pd.DataFrame | None]":
    """Fit the model of some series: a row for each of them, and their forecasts."""
    from time import perf_counter

    from tsuzuki.data.covariates import covariate_series
    from tsuzuki.forecasting.fit import train
    from tsuzuki.forecasting.predict import forecast_frame
    from tsuzuki.forecasting.serialization import save

    begun, settings = perf_counter(), unit.settings
    frame = settings.long(store.frame(numbers))
    points = frame["y"].notna().groupby(frame["unique_id"].astype(str)).sum()
    forecast, error, model = None, None, None
    try:
        fitted = train(covariate_series(frame, settings.columns, settings.max_gap, merge=True), settings)
        fitted.zone = unit.zone
        forecast = forecast_frame(fitted, settings, unit.levels, None)
        if unit.keeps_models:
            model = f"model-{numbers[0]:08d}.tsuzuki"
            save(settings, fitted, unit.output / model)
    except FileError:
        raise
    except TsuzukiError as raised:
        error = str(raised)
    seconds = perf_counter() - begun
    return [
        {
            "unique_id": store.ids[number],
            "points": int(points.get(store.ids[number], 0)),
            "error": error,
            "model": model,
            "seconds": seconds,
        }
        for number in numbers
    ], forecast
