"""By how much what is known ahead moves forecasts, beside by how much it moved the past, on series where that is known.

    python benchmarks/known_effects.py [--seed 0]

fits each kind with the defaults and forecasts every step of the horizon with and without the event. The difference, in
shares of the true effect, should be 1.
"""

import argparse

import numpy as np
import pandas as pd

HORIZON = 7
# Each: the grid's step, the length, the share of days with an event, and whether the effect is a factor.
CASES = {
    "daily, 10 a year, additive": ("D", 1461, 10 / 365, False),
    "daily, 10 a year, a factor": ("D", 1461, 10 / 365, True),
    "daily, frequent, additive": ("D", 1461, 0.2, False),
    "daily, frequent, a factor": ("D", 1461, 0.2, True),
    "hourly, 10 a year, additive": ("h", 17544, 10 / 365, False),
    "hourly, 10 a year, a factor": ("h", 17544, 10 / 365, True),
    "hourly, frequent, additive": ("h", 17544, 0.2, False),
    "hourly, frequent, a factor": ("h", 17544, 0.2, True),
}


def drawn(name: str, seed: int) -> pd.DataFrame:
    """One series with an event for whole days, and the times to come without any."""
    freq, points, share, factor = CASES[name]
    rng = np.random.default_rng([seed, *name.encode()])
    times = pd.date_range("2020-01-01", periods=points + HORIZON, freq=freq)
    day = (times - times[0]).days.to_numpy()
    event = (rng.random(day[-1] + 1) < share).astype(float)[day]
    event[points:] = 0
    usual = 100 + 12 * np.sin(2 * np.pi * day / 7) + 8 * np.sin(2 * np.pi * day / 365.25)
    if freq == "h":
        usual = usual + 15 * np.sin(2 * np.pi * times.hour.to_numpy() / 24)
    noise = rng.normal(0, 4, len(times))
    if factor:
        usual = 5 * np.exp((usual - 100) / 40)
        values = usual * np.where(event, 0.6, 1) * np.exp(noise / 40)
    else:
        values = usual - 30 * event + noise
    return pd.DataFrame({"unique_id": "a", "ds": times, "y": values, "event": event})


def moved(name: str, seed: int, **settings: object) -> np.ndarray:
    """By how much an event moves the forecast of each step, in shares of the true effect, [HORIZON]."""
    from tsuzuki import Forecaster

    frame = drawn(name, seed)
    known, future = frame[:-HORIZON], frame[-HORIZON:]
    model = Forecaster(HORIZON, known="event", **settings).fit(known)
    without = model.predict(future=future, levels=())["tsuzuki"].to_numpy()
    found = np.empty(HORIZON)
    for step in range(HORIZON):
        # Whole days have an event or not.
        event = (np.arange(HORIZON) == step).astype(float) if CASES[name][0] == "D" else np.ones(HORIZON)
        at = model.predict(future=future.assign(event=event), levels=())["tsuzuki"].to_numpy()[step]
        found[step] = (at / without[step] - 1) / -0.4 if CASES[name][3] else (at - without[step]) / -30
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    print(f"{'':30}{'least':>7}{'mean':>7}{'most':>7}")
    for name in CASES:
        found = moved(name, seed)
        print(f"{name:30}{found.min():7.3f}{found.mean():7.3f}{found.max():7.3f}", flush=True)


if __name__ == "__main__":
    main()
