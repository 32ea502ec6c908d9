"""What the forecasters of `accuracy.py` are measured on: real series and synthetic kinds, and where their test parts
begin.

Each task has a form for development, which ends where its test part begins: recipes are chosen there and only there.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

import kinds
from tsuzuki import read
from tsuzuki.data.covariates import CovariateNames, covariate_series
from tsuzuki.data.frames import as_long
from tsuzuki.data.resampling import on_grid
from tsuzuki.errors import IrregularError

# Of temperatures so much is trained on, of ETTh1 12 months and then 4 for choosing, as in the literature.
TRAINED = 0.8
ETT_TRAINED, ETT_CHOOSING, ETT_TEST = 8640, 2880, 2880
# Origins of a NAB file, a horizon apart, and the share of its points that they may take.
NAB_WINDOWS, NAB_HORIZON, NAB_SHARE = 30, 24, 0.4
# Drawings of each kind, and the seeds of development.
SEEDS, OTHER_SEEDS = (0, 1), (100, 101, 102)


@dataclass(frozen=True)
class Task:
    """One panel, and the origins that it is forecast from.

    Attributes:
        name: of the task.
        group: of tasks that are told of together.
        frame: unique_id, ds, y and covariates.
        horizon: steps ahead.
        windows: origins of each series, the last one a horizon before its end.
        step: steps between two origins.
        score: the errors that count, of those `evaluate` gives; `mse` too.
        known: covariates known ahead.
        unlearned: points before the first origin that are not trained on.
        seasons: in steps, for libraries that ask for them.
        published: what others have published: label, figure for each score, source.
    """

    name: str
    group: str
    frame: pd.DataFrame
    horizon: int
    windows: int
    step: int
    score: tuple[str, ...]
    known: tuple[str, ...] = ()
    unlearned: int = 0
    seasons: tuple[int, ...] = ()
    published: tuple[tuple[str, tuple[float, ...], str], ...] = field(default=())

    @property
    def behind(self) -> int:
        """Points of each series from the first origin on."""
        return self.horizon + self.step * (self.windows - 1)

    def before_test(self) -> "Task":
        """The same task on what lies before its first origin, with as many origins as a third of that has room for."""
        counts = self.frame.groupby("unique_id", sort=False).size()
        if self.unlearned:
            frame, windows = self._without_last(self.behind), self.unlearned - self.horizon + 1
            return replace(self, frame=frame, windows=windows, unlearned=0)
        points = int(counts.min()) - self.behind
        room = max(1, min(self.windows, (points // 3 - self.horizon) // self.step + 1))
        return replace(self, frame=self._without_last(self.behind), windows=room)

    def every(self, number: int) -> "Task":
        """The same task looked at from every so many-th origin only, where it has hundreds a step apart."""
        if self.step > 1 or self.windows < 400:
            return self
        return replace(self, step=number, windows=(self.windows - 1) // number + 1)

    def _without_last(self, count: int) -> pd.DataFrame:
        groups = self.frame.groupby("unique_id", sort=False)
        return self.frame[groups.cumcount(ascending=False) >= count].reset_index(drop=True)


def ett(folder: Path) -> Iterator[Task]:
    """ETTh1: seven columns in deviations of the training part, every origin of the test part."""
    table = pd.read_csv(folder / "ETTh1.csv", parse_dates=["date"]).iloc[: ETT_TRAINED + ETT_CHOOSING + ETT_TEST]
    values = table.drop(columns="date")
    values = (values - values[:ETT_TRAINED].mean()) / values[:ETT_TRAINED].std(ddof=0)
    frame = values.assign(ds=table["date"]).melt("ds", var_name="unique_id", value_name="y")
    segrnn, patch = "Lin et al. 2023, look-back 720", "Nie et al. 2023, look-back 336 to 720"
    published = {
        24: (),
        96: (("SegRNN", (0.351, 0.392), segrnn), ("PatchTST", (0.375, 0.404), patch)),
        336: (("SegRNN", (0.423, 0.433), segrnn),),
    }
    for horizon, known in published.items():
        yield Task(
            f"ETTh1, {horizon} h",
            "ETTh1",
            frame[["unique_id", "ds", "y"]],
            horizon,
            ETT_TEST - horizon + 1,
            1,
            ("mse", "mae"),
            unlearned=ETT_CHOOSING,
            seasons=(24, 168),
            published=known,
        )


def m4(folder: Path) -> Iterator[Task]:
    """M4 Hourly: 414 series, 48 hours ahead from the end of each."""
    rows: dict[str, list[float]] = {}
    for part in ("train", "test"):
        with (folder / f"m4_hourly_{part}.csv").open(newline="") as file:
            for name, *cells in list(csv.reader(file))[1:]:
                rows[name] = rows.get(name, []) + [float(cell) for cell in cells if cell not in ("", "NA")]
    start = pd.Timestamp("2015-07-01 12:00")
    frames = [
        pd.DataFrame({"unique_id": name, "ds": pd.date_range(start, periods=len(own), freq="h"), "y": own})
        for name, own in rows.items()
    ]
    source = "Makridakis et al. 2020"
    published = (
        ("ES-RNN (won the competition)", (9.328, 0.893), source),
        ("FFORMA", (11.506, 0.819), source),
        ("ARIMA", (13.980, 0.943), source),
    )
    yield Task(
        "M4 Hourly", "M4", pd.concat(frames), 48, 1, 48, ("smape", "mase"), seasons=(24, 168), published=published
    )


def temperatures(folder: Path) -> Iterator[Task]:
    """Hourly temperatures, every origin of the last fifth."""
    files = {
        "JFK": "jfk_temperature.csv",
        "Dongsi": "beijing_dongsi_temperature.csv",
        "Changping": "beijing_changping_temperature.csv",
    }
    for name, horizon in (("JFK", 24), ("JFK", 1), ("Dongsi", 24), ("Changping", 24)):
        series = covariate_series(as_long(read(folder / files[name]).frame), CovariateNames(), max_gap=24, merge=True)
        own = series[0]
        frame = pd.DataFrame({"unique_id": name, "ds": own.times, "y": own.values})
        windows = len(frame) - int(TRAINED * (len(frame) // 24)) * 24 - horizon + 1
        yield Task(f"{name}, {horizon} h", "temperatures", frame, horizon, windows, 1, ("rmse",), seasons=(24, 168))


def nab(folder: Path) -> Iterator[Task]:
    """The Numenta Anomaly Benchmark's files, on the grid that `tsuzuki info` suggests where they have none."""
    for path in sorted((folder / "nab").glob("*.csv")):
        frame = as_long(read(path).frame)
        try:
            covariate_series(frame, CovariateNames(), max_gap=24, merge=True)
        except IrregularError as error:
            frame = on_grid(frame, error.freq, "mean")
        points = len(covariate_series(frame, CovariateNames(), max_gap=24, merge=True)[0].values)
        windows = max(1, min(NAB_WINDOWS, int(points * NAB_SHARE) // NAB_HORIZON))
        yield Task(path.stem, "nab", frame, NAB_HORIZON, windows, NAB_HORIZON, ("mae",))


def tutorials(folder: Path) -> Iterator[Task]:
    """The series of the best-known tutorials on recurrent networks."""
    for name, horizon, windows, step, season in (
        ("shampoo", 6, 3, 3, 12),
        ("airline-passengers", 12, 4, 12, 12),
        ("daily-min-temperatures", 14, 26, 14, 7),
        ("monthly-sunspots", 12, 20, 12, 12),
    ):
        table = pd.read_csv(folder / f"{name}.csv")
        stamps = table.iloc[:, 0].astype(str)
        years = stamps.str.fullmatch(r"\d-\d+")
        times = pd.to_datetime(stamps.where(~years, "200" + stamps))
        frame = pd.DataFrame({"unique_id": name, "ds": times, "y": table.iloc[:, 1].astype(float)})
        yield Task(name, "tutorials", frame, horizon, windows, step, ("mae",), seasons=(season,))


def synthetic(seeds: tuple[int, ...] = SEEDS) -> Iterator[Task]:
    """Ten kinds, drawn."""
    for name in kinds.KINDS:
        for seed in seeds:
            drawn = kinds.kind(name, seed)
            label = f"{name}, {seed}"
            yield Task(label, "kinds", drawn.frame, drawn.horizon, drawn.windows, drawn.horizon, ("mae",), drawn.known)


GROUPS: dict[str, Callable[[Path], Iterator[Task]]] = {
    "ETTh1": ett,
    "M4": m4,
    "temperatures": temperatures,
    "nab": nab,
    "tutorials": tutorials,
    "kinds": lambda folder: synthetic(),
}


def tasks_of(folder: Path, groups: list[str], only: str = "", *, before_test: bool = False) -> Iterator[Task]:
    """The tasks of some groups whose names contain a text; before_test: in their form for development."""
    for group in groups:
        made = synthetic(OTHER_SEEDS) if before_test and group == "kinds" else GROUPS[group](folder)
        for task in made:
            if only in task.name:
                yield task.before_test() if before_test and group != "kinds" else task
