"""The rules of `forecasting/rules.py`, written out in loops: a limit just below what a series has turns each over."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from tsuzuki.data.calendar import DAY
from tsuzuki.forecasting import rules
from tsuzuki.forecasting.architecture import default_lags
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.window_inputs import WindowInputs


def apart(values, least, most):
    """The mean over nine lags of the mean distance of values so far apart."""
    lags = sorted({int(least + (most - least) * i / 8) for i in range(9)})
    means = []
    for lag in lags:
        found = [abs(values[i + lag] - values[i]) for i in range(len(values) - lag)]
        found = [one for one in found if not math.isnan(one)]
        if found:
            means.append(sum(found) / len(found))
    return sum(means) / len(means)


@pytest.mark.parametrize("seed", range(4))
def test_series_wander_where_distant_values_differ_that_much_more_than_near_ones(seed, monkeypatch):
    generator = np.random.default_rng(seed)
    series = [unit * generator.normal(size=160 + 7 * seed).cumsum() for unit in (1.0, 50.0)]
    series[0][generator.random(len(series[0])) < 0.1] = np.nan
    near = [apart(own, len(own) / 16, len(own) / 8) / np.nanstd(own) for own in series]
    far = [apart(own, 0.3 * len(own), 0.6 * len(own)) / np.nanstd(own) for own in series]
    ratio = sum(far) / sum(near)
    # Too short, or constant: neither says anything.
    others = [generator.normal(size=31).cumsum(), np.full(200, 3.0)]
    for limit, expected in ((ratio * 0.9999, True), (ratio * 1.0001, False)):
        monkeypatch.setattr(rules, "WANDERING", limit)
        assert rules.wander([*series, *others]) == expected
    assert not rules.wander(others)


def spread_and_level(series, season):
    """The logarithms of levels and spreads of stretches, less the mean of their series."""
    levels, spreads = [], []
    for own in series:
        own = [value for value in own if not math.isnan(value)]
        size = max(8, season, len(own) // 50)
        blocks = [own[at : at + size] for at in range(0, len(own) - size + 1, size)]
        if len(blocks) < 4:
            continue
        means = [sum(block) / size for block in blocks]
        found = [math.sqrt(sum((one - mean) ** 2 for one in block) / size)
                 for block, mean in zip(blocks, means, strict=True)]  # fmt: skip
        good = [at for at in range(len(blocks)) if means[at] > 0 and found[at] > 0]
        if len(good) >= 4:
            level, spread = ([math.log(one[at]) for at in good] for one in (means, found))
            levels += [one - sum(level) / len(level) for one in level]
            spreads += [one - sum(spread) / len(spread) for one in spread]
    return np.array(levels), np.array(spreads)


@pytest.mark.parametrize("season", [0, 12, 24])
def test_logarithms_are_taken_where_spread_grows_with_level_so_steeply_so_far_and_so_regularly(season, monkeypatch):
    generator = np.random.default_rng(season)
    count = 40 * max(8, season)
    level = np.exp(np.repeat(generator.normal(size=40), max(8, season)))
    one = level * (1 + 0.2 * generator.normal(size=count)).clip(0.05)
    two = 3 * level[::-1] ** 0.9 * (1 + 0.3 * generator.normal(size=count)).clip(0.05)
    one[generator.random(count) < 0.05] = np.nan
    short = np.arange(1.0, 20.0)
    levels, spreads = spread_and_level([one, two, short], season)
    together, squares = levels @ spreads, levels @ levels
    found = {
        "STEEP": together / squares,
        "APART": math.sqrt(squares / len(levels)),
        "REGULAR": together / math.sqrt(squares * (spreads @ spreads)),
    }
    assert rules.transform_for([one, two, short], season) == "log"
    assert rules.transform_for([one, np.append(two, 0.0)], season) == "asinh"
    assert rules.transform_for([one, np.append(two, -1.0)], season) == "none"
    assert rules.transform_for([one, np.full(5, np.nan)], season) == "none"
    assert rules.transform_for([short], season) == "none"
    for name, limit in found.items():
        for factor, kind in ((0.9999, "log"), (1.0001, "none")):
            with monkeypatch.context() as patched:
                patched.setattr(rules, name, limit * factor)
                assert rules.transform_for([one, two, short], season) == kind, name


def last_errors(values, season, horizon):
    found = []
    for origin in range(max(season, 1), len(values)):
        for ahead in range(1, horizon + 1):
            back = ahead - season * -(-ahead // season) if season else 0
            if origin + ahead - 1 < len(values):
                found.append(abs(values[origin + ahead - 1] - values[origin - 1 + back]))
    return sum(found) / len(found)


def test_the_base_is_the_best_season_where_it_is_better_than_the_last_value_by_so_much(monkeypatch):
    generator = np.random.default_rng(0)
    values = np.tile(generator.normal(size=6), 15) + 0.05 * generator.normal(size=90)
    errors = {season: last_errors(values, season, 4) for season in (0, 4, 6)}
    assert min(errors, key=errors.get) == 6
    ratio = errors[6] / errors[0]
    for limit, base in ((ratio * 0.999, 0), (ratio * 1.001, 6)):
        monkeypatch.setattr(rules, "BASE_SHARE", limit)
        assert rules.base_of(values, (4, 6), 4) == base
    assert rules.base_of(values, (), 4) == 0


def test_cycles_are_inputs_once_the_data_hold_them_often_enough():
    hour = DAY // 24
    assert rules.cycles_held(hour, 3 * 24 - 1) == ()
    assert rules.cycles_held(hour, 3 * 24) == ("hour",)
    assert rules.cycles_held(hour, 21 * 24) == ("hour", "weekday")
    assert rules.seasons_held(hour, 10_000) == (24, 168)
    assert rules.seasons_held(60 * 10**9, 100_000) == (1440,)


def test_what_settings_leave_open_is_chosen_for_every_series_by_its_own_length():
    hour, generator = DAY // 24, np.random.default_rng(0)
    wave = 5 + np.tile(np.sin(np.arange(24)), 20) + 0.01 * generator.normal(size=480)
    series = [SimpleNamespace(values=wave), SimpleNamespace(values=wave[:47]), SimpleNamespace(values=wave[:48])]
    chosen = rules.rules_for(series, hour, Settings(4))
    assert (chosen.bases, chosen.alone, chosen.horizon) == ((24, 0, 24), False, 4)
    assert chosen.history >= max(behind + over for behind, over in chosen.lags)
    assert rules.rules_for(series, hour, Settings(4, base="season")).bases == (24, 0, 24)
    assert rules.rules_for(series, hour, Settings(4, base="last")).bases == (0, 0, 0)
    assert rules.rules_for(series[:1], hour, Settings(4)).bases == (0,)
    assert rules.rules_for(series[:1], hour, Settings(4, base="season")).bases == (24,)
    alone = rules.rules_for(series, hour, Settings(4, base="last", committee=False))
    assert (alone.alone, alone.units) == (True, (1.0, 1.0, 1.0))
    assert alone.history == rules.history_held(alone.seasons, 480)
    far = rules.rules_for(series, hour, Settings(4, lags=((700, 3),)))
    assert (far.lags, far.history) == (((700, 3),), 703)


def explained(values, day):
    """By loops: what a mean week explains beyond a mean day, of every other week laid on those between."""
    count = len(values) // (7 * day)
    weeks = [values[len(values) - (count - i) * 7 * day :][: 7 * day] for i in range(count)]
    weeks = [[one - np.nanmean(week) for one in week] for week in weeks]
    errors = {"week": 0.0, "day": 0.0}
    for first in (0, 1):
        fitted, judged = weeks[first::2], weeks[1 - first :: 2]
        for place in range(7 * day):
            same = [week[place] for week in fitted]
            hour = [week[at] for week in fitted for at in range(place % day, 7 * day, day)]
            for name, own in (("week", same), ("day", hour)):
                own = [one for one in own if not math.isnan(one)]
                mean = sum(own) / len(own) if own else 0.0
                errors[name] += sum((week[place] - mean) ** 2 for week in judged if not math.isnan(week[place]))
    return 1 - errors["week"] / (errors["day"] * (1 + 2 / count) / (1 + 2 / (7 * count)))


@pytest.mark.parametrize(("day", "weeks"), [(1, 31), (4, 26), (3, 40)])
def test_days_of_a_week_differ_where_a_mean_week_explains_that_much_more_than_a_mean_day(day, weeks, monkeypatch):
    generator = np.random.default_rng(day)
    # Some days are left over, and some readings are missing; a week is worth a sixth of the noise.
    values = np.tile(0.4 * generator.normal(size=7 * day), weeks + 1)[: 7 * day * weeks + 3]
    values = values + generator.normal(size=len(values)) + generator.normal(size=len(values)).cumsum() / 30
    values[generator.random(len(values)) < 0.1] = np.nan
    share, step = explained(values, day), DAY // day
    noise = generator.normal(size=len(values))
    for limit, expected in ((share - 1e-6, True), (share + 1e-6, False)):
        monkeypatch.setattr(rules, "WEEK_SHOWS", limit)
        # One series that shows them is enough, whatever the others are; shorter ones say nothing.
        assert rules.weeks_show([noise, values], step) == expected
        assert rules.weeks_show([noise[:20], values], step) == expected
    monkeypatch.setattr(rules, "WEEKS", weeks + 1)
    assert rules.weeks_show([values], step)


def test_a_week_that_the_data_do_not_show_is_no_input_of_networks():
    hour, generator = DAY // 24, np.random.default_rng(0)
    steps = np.arange(27 * 168)
    plain = np.sin(2 * np.pi * steps / 24) + generator.normal(size=len(steps))
    weekends = plain + 2 * (steps // 24 % 7 > 4)
    without, with_weeks = (
        rules.rules_for([SimpleNamespace(values=own)], hour, Settings(4)) for own in (plain, weekends)
    )
    assert (without.cycles, without.weekly, without.seasons) == (("hour",), False, (24, 168))
    assert (with_weeks.cycles, with_weeks.weekly) == (("hour", "weekday"), True)
    assert (0, 168) in with_weeks.lags
    assert set(with_weeks.lags) - set(without.lags) == {(0, 168)}
    # Two changes over a week, the weekday's two columns and the week's mean.
    assert WindowInputs(with_weeks).count - WindowInputs(without).count == 3
    # A setting fixes each.
    asked = Settings(4, cycles=("weekday",), lags=((0, 168),))
    fixed = rules.rules_for([SimpleNamespace(values=plain)], hour, asked)
    assert (fixed.cycles, fixed.lags) == (("weekday",), ((0, 168),))
    # Of days, the weekday alone: their lags are the last days.
    daily = rules.rules_for([SimpleNamespace(values=plain[:1000])], DAY, Settings(4))
    assert (daily.cycles, daily.weekly) == ((), True)
    # Constant values explain nothing, and lengths of a step that do not divide a day cannot be compared.
    assert not rules.weeks_show([np.full(400, 7.0)], DAY)
    assert rules.weeks_show([plain], 7 * hour)
    assert rules.weeks_show([plain], 7 * DAY)


def alike(values):
    """By loops: the correlation of the means of 26 parts of each of two years, less the line between their means."""
    values, parts = list(values), []
    least, more = divmod(len(values), 52)
    for place in range(52):
        size = least + (place < more)
        known = [one for one in values[:size] if not math.isnan(one)]
        parts.append(sum(known) / len(known))
        values = values[size:]
    means = [sum(parts[:26]) / 26, sum(parts[26:]) / 26]
    years = [[parts[26 * year + i] - (means[1] - means[0]) * i / 26 for i in range(26)] for year in (0, 1)]
    years = [[one - sum(year) / 26 for one in year] for year in years]
    products = [sum(a * b for a, b in zip(*pair, strict=True)) for pair in (years, years[:1] * 2, years[1:] * 2)]
    return products[0] / math.sqrt(products[1] * products[2])


def test_two_years_teach_their_days_where_they_are_so_much_alike(monkeypatch):
    generator, size = np.random.default_rng(0), int(rules.YEAR / DAY)
    values = np.sin(2 * np.pi * np.arange(2 * size + 9) / 365.2425) + 0.3 * generator.normal(size=2 * size + 9)
    values[generator.random(len(values)) < 0.1] = np.nan
    share = alike(values[-2 * size :])
    trend, noise = 100 * np.arange(len(values)) / size, generator.normal(size=len(values))
    for limit, expected in ((share - 1e-9, True), (share + 1e-9, False)):
        with monkeypatch.context() as limited:
            limited.setattr(rules, "ALIKE", limit)
            # Shorter series say nothing.
            assert rules.years_show([values, values[: 2 * size - 1]], DAY) == expected
    assert rules.years_show([values + trend], DAY)
    assert not rules.years_show([trend], DAY)
    assert not rules.years_show([np.full(800, 7.0)], DAY)
    # A week is too long for fortnights.
    assert not rules.years_show([values], 7 * DAY)
    # Most must show it.
    assert rules.years_show([values, noise, values], DAY)
    assert not rules.years_show([values, noise, noise], DAY)
    values[-40:] = np.nan
    assert not rules.years_show([values], DAY)


def test_the_day_of_the_year_is_an_input_from_two_years_that_are_alike_on():
    generator, steps = np.random.default_rng(0), np.arange(735)
    year = 10 * np.sin(2 * np.pi * steps / 365.2425) + generator.normal(size=735) + 3 * (steps % 7 > 4)
    for values, found in ((year, ("weekday", "day of year")), (year[:720], ("weekday",))):
        assert rules.rules_for([SimpleNamespace(values=values)], DAY, Settings(4)).cycles == found
    chosen = rules.rules_for([SimpleNamespace(values=year)], DAY, Settings(4, cycles=("weekday",)))
    assert chosen.cycles == ("weekday",)
    assert rules.rules_for([SimpleNamespace(values=year)], DAY, Settings(4, with_calendar=False)).cycles == ()


def test_a_unit_is_the_least_error_in_deviations_and_one_where_there_is_none():
    errors = np.array([[2.0, 1.0], [3.0, np.inf], [0.0, 1.0], [np.inf, np.inf], [1.0, 1.0]])
    found = rules.units_by(errors, np.array([4.0, 2.0, 1.0, 1.0, 0.0]))
    np.testing.assert_array_equal(found, [0.25, 1.5, 1, 1, 1])


def test_series_that_are_new_have_a_base_that_was_learned():
    learned = SimpleNamespace(bases=(0, 24, 24), seasons=(12, 24))
    best_of_day = np.array([[4.0, 3.0, 1.0], [4.0, 1.0, 3.0], [1.0, 1.0, 1.0]])
    # Of the second the best season is none that was learned; of the third no season is better.
    assert rules.bases_among(best_of_day, [48, 48, 48], learned).tolist() == [24, 24, 0]
    # Series too short for two seasons of 24 have another choice, which was not learned; no season at all is 0.
    assert rules.bases_among(best_of_day[[0, 0, 0]], [47, 24, 23], learned).tolist() == [0, 0, 0]
    assert rules.bases_among(best_of_day, [48] * 3, SimpleNamespace(bases=(0, 0), seasons=(12, 24))).tolist() == [0] * 3


def test_lags_are_quarters_of_a_day_and_means_of_it_and_of_a_week():
    hour = DAY // 24
    assert default_lags(hour, 10) == ((1, 1),)
    assert default_lags(hour, 300) == ((0, 6), (0, 12), (0, 24), (1, 1), (6, 1), (12, 1), (18, 1), (23, 1), (24, 1))
    assert default_lags(hour, 400)[:4] == ((0, 6), (0, 12), (0, 24), (0, 168))
    assert default_lags(DAY, 20) == ((0, 3), (0, 7), (1, 1), (3, 1), (5, 1), (6, 1), (7, 1))
