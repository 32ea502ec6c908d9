"""Ten synthetic kinds of series, each with what makes it hard, for benchmarks and for a small form in the tests.

    python benchmarks/kinds.py [--seed 0]

forecasts each with the defaults and prints the errors in units of those of the best built-in reference.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Kind:
    """One kind of panel.

    Attributes:
        frame: unique_id, ds, y and covariates.
        horizon: steps ahead.
        windows: origins of a backtest, the horizon apart.
        known: the covariates known ahead.
    """

    frame: pd.DataFrame
    horizon: int
    windows: int
    known: tuple[str, ...] = ()


def _long(values: list[np.ndarray], freq: str, **columns: np.ndarray) -> pd.DataFrame:
    times = pd.date_range("2021-03-01", periods=len(values[0]), freq=freq)
    frames = [pd.DataFrame({"unique_id": f"s{i}", "ds": times, "y": own} | columns) for i, own in enumerate(values)]
    return pd.concat(frames, ignore_index=True)


def _cycle(points: int, season: int) -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(points) / season)


def trend(rng: np.random.Generator) -> Kind:
    """Lines with noise, monthly."""
    steps = np.arange(160)
    lines = [rng.normal(50, 10) + rng.normal(0.3, 0.2) * steps + rng.normal(0, 2, 160) for _ in range(6)]
    return Kind(_long(lines, "MS"), 12, 3)


def season(rng: np.random.Generator) -> Kind:
    """A daily cycle with a shape of its own, hourly."""
    shapes = rng.normal(0, 5, (4, 24))
    return Kind(_long([20 + shape[np.arange(1500) % 24] + rng.normal(0, 1, 1500) for shape in shapes], "h"), 24, 8)


def multiplicative(rng: np.random.Generator) -> Kind:
    """Growth, and a yearly cycle and noise in proportion to it, monthly."""
    steps = np.arange(168)
    rates = rng.uniform(0.005, 0.012, 4)
    values = [
        100 * np.exp(rate * steps) * (1 + 0.25 * _cycle(168, 12)) * np.exp(rng.normal(0, 0.03, 168)) for rate in rates
    ]
    return Kind(_long(values, "MS"), 12, 3)


def level_shift(rng: np.random.Generator) -> Kind:
    """A daily cycle whose level leaps now and then, by twice its amplitude, hourly."""
    values = []
    for _ in range(3):
        leaps = np.where(rng.random(1600) < 1 / 250, rng.normal(0, 16, 1600), 0).cumsum()
        values.append(30 + 8 * _cycle(1600, 24) + leaps + rng.normal(0, 1, 1600))
    return Kind(_long(values, "h"), 24, 12)


def intermittent(rng: np.random.Generator) -> Kind:
    """Mostly zeros, counts otherwise, daily."""
    values = [np.where(rng.random(500) < 0.25, rng.poisson(4, 500), 0).astype(float) for _ in range(12)]
    return Kind(_long(values, "D"), 14, 5)


def heavy_tails(rng: np.random.Generator) -> Kind:
    """A daily cycle under noise with spikes, hourly."""
    values = [10 + 4 * _cycle(1500, 24) + rng.standard_t(2, 1500) for _ in range(3)]
    return Kind(_long(values, "h"), 24, 8)


def known_covariate(rng: np.random.Generator) -> Kind:
    """A weekly cycle and promotions of several days that are known ahead and worth four times the noise, daily."""
    promo = np.repeat((rng.random(160) < 0.2).astype(float), 5)
    values = [50 + 10 * _cycle(800, 7) + 30 * promo + rng.normal(0, 3, 800) for _ in range(4)]
    return Kind(_long(values, "D", promo=promo), 14, 6, ("promo",))


def random_walk(rng: np.random.Generator) -> Kind:
    """Nothing to learn: the last value is the best forecast, daily."""
    return Kind(_long([100 + rng.normal(0, 1, 700).cumsum() for _ in range(5)], "D"), 14, 6)


def white_noise(rng: np.random.Generator) -> Kind:
    """Nothing to learn: the mean is the best forecast, hourly."""
    return Kind(_long([rng.normal(0, 1, 1200) for _ in range(4)], "h"), 24, 6)


def two_seasons(rng: np.random.Generator) -> Kind:
    """Days of different weight within weeks, hourly."""
    weights = rng.uniform(0.3, 2, (3, 7))
    values = [
        50 + 15 * weight[np.arange(2000) // 24 % 7] * (1 + _cycle(2000, 24)) + rng.normal(0, 2, 2000)
        for weight in weights
    ]
    return Kind(_long(values, "h"), 24, 14)


KINDS: dict[str, Callable[[np.random.Generator], Kind]] = {
    made.__name__.replace("_", " "): made
    for made in (
        trend,
        season,
        multiplicative,
        level_shift,
        intermittent,
        heavy_tails,
        known_covariate,
        random_walk,
        white_noise,
        two_seasons,
    )
}


def kind(name: str, seed: int) -> Kind:
    """One kind, drawn with a seed."""
    return KINDS[name](np.random.default_rng([seed, *name.encode()]))


def main() -> None:
    from tsuzuki import Forecaster, evaluate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    print(f"{'':18}{'MAE':>7}{'RMSE':>7}{'in 80 %':>9}{'in 95 %':>9}")
    for name in KINDS:
        drawn = kind(name, seed)
        table = Forecaster(drawn.horizon, known=drawn.known).backtest(drawn.frame, windows=drawn.windows)
        found = evaluate(table).set_index("model")
        own, others = found.loc["tsuzuki"], found.drop("tsuzuki")
        mae, rmse = own["mae"] / others["mae"].min(), own["rmse"] / others["rmse"].min()
        print(f"{name:18}{mae:7.3f}{rmse:7.3f}{own['coverage-80']:9.1f}{own['coverage-95']:9.1f}")


if __name__ == "__main__":
    main()
