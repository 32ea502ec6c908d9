"""How far the last value, or that of a season before, errs over a horizon, for many series at once."""

import numpy as np

from tsuzuki.kernels.language import doubles_at, ints_at, kernel, procedure

f64 = np.float64


@kernel
def season_error(values, begin, count, season, horizon, most):
    """The mean absolute error of one season's value (0: of the last value); infinity where nobody knows it."""
    least = max(season, 1)
    origins = count - least
    total, known = 0.0, 0
    asked = min(most, origins)
    apart = f64(origins - 1) / f64(max(asked - 1, 1))
    for number in range(asked):
        # As NumPy's linspace does it, whose last number is exact.
        place = origins - 1 if number == asked - 1 and asked > 1 else int(f64(number) * apart)
        origin = begin + least + place
        back = origin - least
        for target in range(origin, min(origin + horizon, begin + count)):
            error = abs(values[target] - values[back])
            if error == error:
                total += error
                known += 1
            if season:
                back += 1
                if back == origin:
                    back = origin - season
    return total / f64(known) if known else np.inf


@procedure("iiiiiiii")
def errors(values, edges, series, seasons, kinds, horizon, most, found):
    """Write the errors, float64 [series, kinds].

    Args:
        values: address of the values of all series, float64, NaN where missing.
        edges: address of where each begins, int64 [series + 1].
        series: how many.
        seasons: address of the seasons, int64 [kinds].
        kinds: how many.
        horizon: steps ahead.
        most: origins of a series that are looked at.
        found: address of the errors.
    """
    own, first, wanted, into = doubles_at(values), ints_at(edges), ints_at(seasons), doubles_at(found)
    for one in range(series):
        begin = first[one]
        for kind in range(kinds):
            count = first[one + 1] - begin
            into[one * kinds + kind] = season_error(own, begin, count, wanted[kind], horizon, most)
