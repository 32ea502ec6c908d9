"""How often intervals hold what comes: sixty series of ten kinds, each forecast by itself with the defaults.

    python benchmarks/interval_coverage.py [--seed 0] [--series 6] [--kinds white,walk]

prints for each kind the share of readings inside the 80 % and 95 % intervals, and how wide these are beside the range
in which as many of the errors of the test part really lay.
"""

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd

POINTS, HORIZON = 1000, 24


def _cycle(points: int, season: int = 24) -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(points) / season)


def white(rng: np.random.Generator) -> np.ndarray:
    """Noise about a level."""
    return rng.normal(10, 2, POINTS)


def walk(rng: np.random.Generator) -> np.ndarray:
    """A random walk."""
    return 100 + rng.normal(0, 1, POINTS).cumsum()


def seasonal(rng: np.random.Generator) -> np.ndarray:
    """A daily shape under noise."""
    return 20 + rng.normal(0, 4, 24)[np.arange(POINTS) % 24] + rng.normal(0, 1, POINTS)


def trend(rng: np.random.Generator) -> np.ndarray:
    """A line and a daily cycle under noise."""
    return rng.uniform(0.01, 0.05) * np.arange(POINTS) + 3 * _cycle(POINTS) + rng.normal(0, 1, POINTS)


def level_shifts(rng: np.random.Generator) -> np.ndarray:
    """A daily cycle whose level leaps every two weeks or so."""
    leaps = np.where(rng.random(POINTS) < 1 / 300, rng.normal(0, 8, POINTS), 0).cumsum()
    return 20 + 4 * _cycle(POINTS) + leaps + rng.normal(0, 1, POINTS)


def heavy_tails(rng: np.random.Generator) -> np.ndarray:
    """A daily cycle under noise with spikes (Student's t with 2.5 degrees of freedom)."""
    return 10 + 4 * _cycle(POINTS) + rng.standard_t(2.5, POINTS)


def heteroscedastic(rng: np.random.Generator) -> np.ndarray:
    """Noise that is four times as large in one half of the day, and waxes and wanes over weeks."""
    spread = np.where(np.arange(POINTS) % 24 < 12, 0.5, 2.0) * np.exp(0.4 * _cycle(POINTS, 400))
    return 10 + 3 * _cycle(POINTS) + spread * rng.normal(0, 1, POINTS)


def intermittent(rng: np.random.Generator) -> np.ndarray:
    """Mostly zeros, counts otherwise."""
    return np.where(rng.random(POINTS) < 0.3, rng.poisson(4, POINTS), 0).astype(float)


def missing(rng: np.random.Generator) -> np.ndarray:
    """A daily shape of which a fifth is missing, some of it in gaps of hours."""
    values = seasonal(rng)
    values[rng.random(POINTS) < 0.1] = np.nan
    for start in rng.integers(0, POINTS - 40, 10):
        values[start : start + 12] = np.nan
    values[[0, -1]] = 20
    return values


def short(rng: np.random.Generator) -> np.ndarray:
    """Five years of months: a line and a yearly cycle under noise."""
    return 50 + 0.4 * np.arange(60) + 8 * _cycle(60, 12) + rng.normal(0, 3, 60)


KINDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    made.__name__.replace("_", " "): made
    for made in (
        white, walk, seasonal, trend, level_shifts, heavy_tails, heteroscedastic, intermittent, missing, short,
    )
}  # fmt: skip


def series_of(kind: str, seed: int) -> pd.Series:
    """One series, drawn with a seed."""
    values = KINDS[kind](np.random.default_rng([seed, *kind.encode()]))
    return pd.Series(values, pd.date_range("2021-03-01", periods=len(values), freq="MS" if kind == "short" else "h"))


def inside(kind: str, seed: int, **settings: object) -> pd.DataFrame:
    """The forecasts of one series from many origins, a row each, with `in-80` and `in-95`."""
    from tsuzuki import Forecaster

    short = kind == "short"
    forecaster = Forecaster(6 if short else HORIZON, **settings)
    table = forecaster.backtest(series_of(kind, seed), windows=8 if short else 40, step=1 if short else 7)
    for level in (80, 95):
        low, high = table[f"tsuzuki-lo-{level}"], table[f"tsuzuki-hi-{level}"]
        table[f"in-{level}"] = (low <= table["y"]) & (table["y"] <= high)
        ends = (table["y"] - table["tsuzuki"]).quantile([0.5 - level / 200, 0.5 + level / 200])
        table[f"width-{level}"] = (high - low) / (ends.iloc[1] - ends.iloc[0])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--series", type=int, default=6)
    parser.add_argument("--kinds", default=",".join(KINDS))
    given = parser.parse_args()
    print(f"{'':16}{'in 80 %':>9}{'in 95 %':>9}{'width 80':>10}{'width 95':>10}")
    for kind in given.kinds.split(","):
        tables = [inside(kind, given.seed * 1000 + number) for number in range(given.series)]
        held = [100 * np.mean([table[f"in-{level}"].mean() for table in tables]) for level in (80, 95)]
        wide = [np.mean([table[f"width-{level}"].mean() for table in tables]) for level in (80, 95)]
        print(f"{kind:16}{held[0]:9.1f}{held[1]:9.1f}{wide[0]:10.2f}{wide[1]:10.2f}", flush=True)


if __name__ == "__main__":
    main()
