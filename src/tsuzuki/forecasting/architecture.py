"""The network that settings describe for data on a grid, and the lags that it reads."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsuzuki.forecasting.rules import Rules
    from tsuzuki.forecasting.settings import Settings
    from tsuzuki.forecasting.stepwise import ModelSpec

# Means of long stretches cost their length at every step.
LONGEST_LAG = 1024


def default_lags(step: int, points: int, *, weekly: bool = True) -> tuple[tuple[int, int], ...]:
    """Lags that a grid suggests: the step before, quarters of a day and the day; means of these and of a week.

    Args:
        step: the grid's step in nanoseconds.
        points: of the longest series.
        weekly: whether the mean of a week is among them where a day is a season, too.
    """
    from tsuzuki.data.calendar import seasons

    found = {(1, 1)}
    usual = [season for season in seasons(step, points) if season <= LONGEST_LAG]
    if usual:
        day = usual[0]
        found |= {(day * quarter // 4, 1) for quarter in (1, 2, 3) if day * quarter // 4 > 0}
        found |= {(day - 1, 1), (day, 1)}
        found |= {(0, season) for season in (*(usual if weekly else usual[:1]), day // 2, day // 4)}
    return tuple(sorted(lag for lag in found if lag[0] + lag[1] > 1 and lag[1] > 0))


def model_spec(settings: "Settings", rules: "Rules") -> "ModelSpec":
    """The network that settings describe for data of which the rules hold, and how it reads."""
    from tsuzuki.forecasting.spread import heads
    from tsuzuki.forecasting.stepwise import ModelSpec
    from tsuzuki.forecasting.window_inputs import input_count
    from tsuzuki.network.layers import CELLS, Dense
    from tsuzuki.network.network import Network

    columns = settings.columns
    covariates = 2 * len(rules.cycles) + len(columns.past) + len(columns.static) + len(columns.known) * settings.horizon
    kind = CELLS[settings.cell]
    head = (Dense(settings.head, "relu"),) if settings.head else ()
    outputs = settings.horizon * heads(settings)
    layers = (*(kind(settings.units) for _ in range(settings.layers)), *head, Dense(outputs))
    if rules.alone:
        impute_from = settings.quantiles.index(0.5) if settings.quantiles else 0
        return ModelSpec(Network(2 + covariates + len(rules.lags), layers), rules.lags, impute_from)
    of_windows = input_count(rules)
    return ModelSpec(Network(2 + of_windows + covariates, layers), (), None, of_windows)
