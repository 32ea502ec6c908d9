"""M4 Hourly given as a frame and given as files: accuracy, intervals and cost of both.

    python benchmarks/files_or_frame.py DATA [--before-test] [--only files] [--set budget=5000 ...]

DATA is the folder with the files of M4 Hourly. A frame is gone through in passes, and so are files of this size; with a
budget that is no "auto" (`--set budget=10000`) stretches are drawn of files, and the committee's weights come from a
sample. The series are in the order of their names, which a store has, too: single fits in another order differ.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import tasks
from accuracy import _setting
from tsuzuki import Forecaster

HORIZON = 48


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--before-test", action="store_true")
    parser.add_argument("--only", choices=("files", "frame"))
    parser.add_argument("--set", nargs="*", default=[], type=_setting, metavar="NAME=VALUE", help="other settings")
    given = parser.parse_args()
    task = next(tasks.m4(given.data))
    frame = (task.before_test() if given.before_test else task).frame
    frame = frame.sort_values("unique_id", kind="stable", ignore_index=True)
    back = frame.groupby("unique_id", sort=False).cumcount(ascending=False)
    train, rest = frame[back >= HORIZON], frame[back < HORIZON]
    scales = {
        name: np.abs(own.to_numpy()[24:] - own.to_numpy()[:-24]).mean() for name, own in train.groupby("unique_id")["y"]
    }
    for kind in ("files", "frame") if given.only is None else (given.only,):
        model, cpu, begun = Forecaster(HORIZON, **dict(given.set)), time.process_time(), time.perf_counter()
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            if kind == "frame":
                found = model.fit(train).predict()
            else:
                (folder / "readings").mkdir()
                train.to_parquet(folder / "readings" / "train.parquet", index=False)
                model.fit(folder / "readings", cache=folder / "cache")
                model.forecast_files(folder / "readings", folder / "found.parquet", cache=folder / "cache")
                found = pd.read_parquet(folder / "found.parquet")
        took = {"cpu": round(time.process_time() - cpu, 1), "seconds": round(time.perf_counter() - begun, 1)}
        took["resident_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        joined = rest.merge(found, on=["unique_id", "ds"], validate="one_to_one")
        apart = np.abs(joined["y"] - joined["tsuzuki"])
        scores = {
            "smape": round(float(200 * (apart / (joined["y"].abs() + joined["tsuzuki"].abs())).mean()), 3),
            "mase": round(float((apart / joined["unique_id"].map(scales)).mean()), 4),
        }
        for level in (80, 95):
            inside = joined["y"].between(joined[f"tsuzuki-lo-{level}"], joined[f"tsuzuki-hi-{level}"])
            scores[f"coverage-{level}"] = round(100 * float(inside.mean()), 1)
        assert model.fitted is not None
        updates = [sum(record.updates for record in history) for history in model.fitted.histories]
        print(json.dumps({"given": kind} | scores | took | {"updates": updates}), flush=True)
        print(model.weights_.iloc[[0, 11, 23, 47]].round(2).to_string(), flush=True)


if __name__ == "__main__":
    main()
