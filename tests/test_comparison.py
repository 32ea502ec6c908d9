"""The experiment: what it measures, and what it says about it."""

import dataclasses
import math
import re
import time
from concurrent.futures import Future
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tsuzuki.data import datasets, readers
from tsuzuki.data.series import collect
from tsuzuki.errors import DataError, SettingError, TooShortError
from tsuzuki.experiment import tables, verdict
from tsuzuki.experiment.comparison import Comparison, VariantResult, compare, started
from tsuzuki.experiment.comparison_json import as_json_values
from tsuzuki.experiment.paired_statistics import paired_difference, student_t_quantile
from tsuzuki.experiment.prepared_data import prepare_data
from tsuzuki.experiment.recipe import Recipe
from tsuzuki.experiment.scoring import Scores, persistence
from tsuzuki.experiment.season import Season, half_years, season
from tsuzuki.experiment.variants import DECAYED, STATEFUL, STATELESS, STREAMS
from tsuzuki.report.japanese import JAPANESE, headline


def collection(points=400, name="made", holes=()):
    values = np.sin(np.arange(points) / 5) + np.random.default_rng(0).normal(0, 0.1, points)
    values[list(holes)] = np.nan
    times = pd.date_range("2020-01-01", periods=points, freq="1h")
    return collect(name, pd.DataFrame({"unique_id": "a", "ds": times, "y": values}), unit="°C", max_gap=2)


@pytest.fixture(scope="module")
def outcome():
    recipe = Recipe(seeds=3, epochs=2)
    return compare(prepare_data(collection(), recipe), recipe, threads=2)


def test_every_row_takes_the_same_number_of_recurrent_steps(outcome):
    steps = {
        row.name: len(row.running_loss[0]) * row.samples_per_epoch * (6 if row.name in (STATELESS, STATEFUL) else 1)
        for row in outcome.results
    }
    assert list(steps) == [STATELESS, STATEFUL, STREAMS, DECAYED]
    assert max(steps.values()) == pytest.approx(min(steps.values()), rel=0.02)


def test_persistence_is_the_error_of_the_last_value():
    recipe = Recipe()
    data = prepare_data(collection(), recipe)
    values = data.collection.values
    cut = data.collection.split(0.2)[0]
    expected = np.mean((values[cut:] - values[cut - 1 : -1]) ** 2)
    assert persistence(data).test_rmse == pytest.approx(math.sqrt(expected), rel=1e-5)
    scale = values[:cut].std()
    assert persistence(data).test_mse == pytest.approx(expected / scale**2, rel=1e-5)


def test_scaling_sees_the_training_part_only():
    changed = collection()
    series = dataclasses.replace(changed.series[0], values=changed.series[0].values.copy())
    series.values[-80:] += 100
    other = dataclasses.replace(changed, series=(series,))
    a, b = prepare_data(changed, Recipe()), prepare_data(other, Recipe())
    np.testing.assert_array_equal(a.scaled[:320], b.scaled[:320])


def test_rows_are_scored_on_the_same_targets_around_gaps():
    data = prepare_data(collection(holes=range(100, 110)), Recipe())
    scored = data.train_targets | data.test_targets
    expected = np.zeros(400, bool)
    for segment in data.segments:
        expected[segment.start + 6 : segment.stop] = True
    assert len(data.segments) == 2
    np.testing.assert_array_equal(scored, expected)
    assert not (data.train_targets & data.test_targets).any()


def test_the_outcome_does_not_depend_on_the_number_of_threads(outcome):
    again = compare(outcome.data, outcome.recipe, threads=1)
    for a, b in zip(outcome.results, again.results, strict=True):
        assert (a.running_loss, a.scores) == (b.running_loss, b.scores)


def test_training_on_everything_leaves_no_test_columns():
    recipe = Recipe(seeds=2, epochs=1, test_fraction=0)
    found = compare(prepare_data(collection(), recipe), recipe, threads=2)
    assert all(math.isnan(one.test_mse) for row in found.results for one in row.scores)
    as_json_ = as_json_values(found)
    assert as_json_["persistence"]["test_mse"] is None
    assert as_json_["paired"]["test_mse"] is None
    assert "test" not in "".join(str(column.header) for column in tables.results_table(found).columns)
    assert "on the data they were trained on" in verdict.verdict(found)


@pytest.mark.parametrize("width", [60, 80])
def test_no_number_of_the_table_is_cut_off(width):
    changes = {"test": (3.25, 250.0), "streams": (0.02, 12.3456)}
    console = Console(width=width, file=StringIO())
    console.print(tables.results_table(made_up(**changes), width))
    shown = console.file.getvalue()
    assert "250.00" in shown
    assert "…" not in shown
    assert ("epoch" in shown) == (width == 80)


def test_json_has_the_keys_that_programs_rely_on(outcome):
    found = as_json_values(outcome)
    assert list(found) == ["dataset", "recipe", "seeds", "rows", "persistence", "paired"]
    assert list(found["dataset"]) == ["name", "points", "missing", "segments", "train_points", "test_points", "unit"]
    assert list(found["rows"][0]) == [
        "name",
        "updates_per_epoch",
        "seconds_per_epoch",
        "us_per_update",
        "us_per_sample",
        "running_loss",
        "train_mse",
        "test_mse",
        "test_rmse",
    ]
    assert list(found["paired"]["test_mse"]) == ["mean_difference", "ci95", "stateful_better_share"]
    assert found["dataset"]["train_points"] + found["dataset"]["test_points"] == 400
    assert np.shape(found["rows"][0]["running_loss"]) == (3, 2)
    assert np.shape(found["rows"][2]["running_loss"]) == (3, 12)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, OSError])
def test_what_progress_raises_ends_all_runs_of_a_comparison(raised):
    told = []

    def stop(share):
        told.append(share)
        raise raised

    recipe = Recipe(seeds=20, epochs=50)
    with pytest.raises(raised):
        compare(prepare_data(collection(4000), recipe), recipe, 2, stop)
    assert len(told) < 4 * recipe.seeds


class Busy:
    """A worker that never comes to an end."""

    workers = 1

    def submit(self, work, unit):
        return Future()


def test_what_progress_raises_does_not_wait_for_workers():
    def stop(share):
        raise KeyboardInterrupt

    recipe = Recipe(seeds=2, epochs=1)
    with pytest.raises(KeyboardInterrupt):
        compare(prepare_data(collection(), recipe), recipe, 2, stop, Busy())


def test_a_comparison_that_is_left_ends():
    recipe = Recipe(seeds=2, epochs=10_000)
    with pytest.raises(KeyboardInterrupt), started(prepare_data(collection(), recipe), recipe, 2):
        raise KeyboardInterrupt


def test_a_comparison_in_the_background_tells_of_all_of_its_work():
    recipe, told = Recipe(seeds=2, epochs=2), []
    data = prepare_data(collection(), recipe)
    with started(data, recipe, 2) as finish:
        time.sleep(0.02)
        found = finish(told.append)
    assert sum(told) == pytest.approx(1)
    assert [row.scores for row in found.results] == [row.scores for row in compare(data, recipe, 1).results]


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (9, 2.26216), (30, 2.04227)]
)
def test_students_quantile_is_that_of_the_printed_tables(freedom, expected):
    assert student_t_quantile(freedom) == pytest.approx(expected, rel=1e-5)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=20))
def test_pairs_are_compared_seed_by_seed(losses):
    found = paired_difference(*zip(*losses, strict=True))
    differences = [b - a for a, b in losses]
    assert found.mean_difference == pytest.approx(np.mean(differences), abs=1e-12)
    assert found.ci95[0] <= found.mean_difference + 1e-12
    assert found.ci95[1] >= found.mean_difference - 1e-12
    assert found.stateful_better_share == np.mean(np.array(differences) < 0)


@given(st.lists(st.tuples(st.floats(0, 1e3), st.floats(0, 1e3)), min_size=1, max_size=20))
def test_ratios_of_pairs_are_turned_round_with_the_pairs_and_never_fall_by_more_than_all(losses):
    one, other = zip(*losses, strict=True)
    found, turned = paired_difference(one, other), paired_difference(other, one)
    assert found.log_ratio == pytest.approx(-turned.log_ratio, abs=1e-9)
    assert math.expm1(found.log_ratio) >= -1
    if len(losses) > 1:
        assert found.log_ci95 == pytest.approx([-end for end in reversed(turned.log_ci95)], abs=1e-6)
        assert math.expm1(found.log_ci95[0]) >= -1
    else:
        assert found.log_ci95 is None


def of_years(years, error):
    """A problem of daily readings, and forecasts whose error is made of the days since the training's end."""
    points = round(365.2425 * years)
    times = pd.date_range("2010-01-01", periods=points, freq="D")
    values = np.random.default_rng(0).normal(0, 1, points)
    problem = prepare_data(collect("daily", pd.DataFrame({"unique_id": "a", "ds": times, "y": values})), Recipe())
    days = np.arange(points) - problem.training[-1].stop + 1
    return problem, problem.scaled[:, 0] + error(days)


def test_weights_that_fit_a_time_of_year_chase_the_season_and_those_that_grow_old_do_not():
    problem, forecast = of_years(5, seasonal)
    found = season(problem, [forecast])
    assert found.chased
    assert found.far > 3 * found.near
    for error in (
        lambda days: 1e-3 * np.abs(days),
        lambda days: np.full(len(days), 0.3),
        lambda days: seasonal(days + 91),
    ):
        problem, forecast = of_years(5, error)
        assert not season(problem, [forecast]).chased


def seasonal(days):
    return 1.1 - np.cos(2 * np.pi * days / 365.2425)


def test_a_season_that_is_not_twice_in_the_data_is_not_spoken_of():
    problem, forecast = of_years(1.4, seasonal)
    assert season(problem, [forecast]) is None
    assert "season" not in verdict.verdict(made_up())
    assert "season" not in verdict.verdict(dataclasses.replace(made_up(), season=Season(2.0, 8.0, chased=False)))
    said = verdict.verdict(dataclasses.replace(made_up(), season=Season(2.04, 8.4, chased=True)))
    assert "the weights chase the season: in the half-years around the time of year at which training ended" in said
    assert "they have 2.0 times persistence's error, in the opposite ones 8.4 times" in said


def test_half_years_are_counted_from_each_series_own_end_of_training():
    problem, _ = of_years(3, seasonal)
    halves, last = half_years(problem), problem.training[-1].stop - 1
    assert set(halves[last - 91 : last + 92]) == {0}
    assert (halves[last - 92], halves[last + 92]) == (-1, 1)
    assert halves[last - 365] == -2


def test_the_real_series_shows_what_the_plain_recipe_does(jfk):
    reading = readers.read(jfk)
    recipe = Recipe()
    found = compare(prepare_data(collect(reading.name, reading.frame), recipe), recipe, threads=2)
    rows = {row.name: row for row in found.results}
    for name in (STATELESS, STATEFUL):
        assert np.mean([losses[-1] for losses in rows[name].running_loss]) == pytest.approx(0.0080, abs=0.0004)
        assert np.mean([one.test_mse for one in rows[name].scores]) > 0.02
    for name in (STREAMS, DECAYED):
        assert np.mean([one.test_mse for one in rows[name].scores]) < 0.0090
    assert found.persistence.test_mse == pytest.approx(0.0094, rel=0.02)
    assert found.paired_first_epoch_loss.stateful_better_share < 0.5


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"cell": "rnn"}, "--cell is 'rnn'; choose one of simple_rnn, gru, lstm"),
        ({"seeds": 0}, "--seeds is 0; give a whole number from 1"),
        ({"batch_size": -1}, "--batch-size is -1"),
        ({"test_fraction": 1.0}, "--test-fraction is 1.0; give a share"),
        ({"learning_rate": 0.0}, "--learning-rate is 0.0; give a number above 0"),
        ({"max_gap": -1}, "--max-gap is -1"),
    ],
)
def test_recipes_that_cannot_work_are_refused_in_words(setting, message):
    with pytest.raises(SettingError, match=message):
        Recipe(**setting)


def test_a_series_too_short_to_train_or_test_on_is_named():
    with pytest.raises(TooShortError, match="has 7 points, but training on windows of 6 steps needs 8"):
        prepare_data(collection(8), Recipe())
    with pytest.raises(DataError, match="the test part of made holds no value with 100 steps before it"):
        prepare_data(collection(400, holes=range(310, 320)), Recipe(timesteps=100))


def made_up(**changes):
    """A comparison with numbers of our own."""
    options = {"seeds": 4, "first": (0.012, 0.013), "test": (0.05, 0.06), "streams": (0.008, 0.0079), "spread": 1e-5}
    options |= changes
    recipe = Recipe(seeds=options["seeds"], epochs=1)
    bent = [options["spread"] * k for k in range(options["seeds"])]

    def row(name, loss, error):
        losses = tuple((loss + (bend if name == STATEFUL else 0),) for bend in bent)
        scores = tuple(Scores(error, error + (bend if name == STATEFUL else 0), error) for bend in bent)
        return VariantResult(name, 10, 60, 0.01, losses, scores)

    rows = (
        row(STATELESS, options["first"][0], options["test"][0]),
        row(STATEFUL, options["first"][1], options["test"][1]),
        row(STREAMS, 0.04, options["streams"][0]),
        row(DECAYED, 0.04, options["streams"][1]),
    )
    data = prepare_data(collection(), recipe)
    pairs = [
        paired_difference([value(rows[0], i) for i in range(len(bent))], [value(rows[1], i) for i in range(len(bent))])
        for value in (lambda r, i: r.running_loss[i][0], lambda r, i: r.scores[i].test_mse)
    ]
    return Comparison(data, recipe, rows, Scores(0.0096, 0.0094, 0.9), *pairs)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "Over 4 paired seeds stateful windows started 8.5% worse than stateless ones (lower in 0 of 4)."),
        ({"first": (0.013, 0.012)}, "started 7.6% better than stateless ones (lower in 4 of 4)."),
        ({"first": (0.012, 0.01199), "spread": 1e-3}, "carrying the state made no clear difference to the start"),
        ({"seeds": 1}, "one seed shows nothing, try --seeds 10."),
        ({}, "of both kinds of windows are worse than persistence on the held-out part (5.3 and 6.4 times its error)"),
        ({"test": (0.008, 0.05)}, "The finished weights of stateful windows are worse than persistence"),
        ({"test": (0.008, 0.007)}, "The finished weights of both kinds of windows beat persistence"),
        ({}, "The test error of stateful windows is 20% higher than that of stateless ones, better in 0 of 4 seeds."),
        ({"test": (0.05, 0.05), "spread": 0.0}, "the test error shows no clear difference."),
        ({}, "Streams with a decayed rate, which carry the state so that every step can be scored, do best: 16% less"),
        ({"streams": (0.007, 0.008)}, "Streams, which carry the state so that every step can be scored, do best"),
        ({"streams": (0.02, 0.02)}, "do better than the windows, though not than persistence"),
        ({"streams": (0.2, 0.2)}, "Streams do no better than the windows here."),
    ],
)
def test_the_verdict_follows_from_the_numbers(changes, says):
    assert says in verdict.verdict(made_up(**changes))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "made the error 20% higher; streams, which carry it and score every step, have 16% less squared error"),
        ({"test": (0.06, 0.05)}, "made the error 17% lower; streams"),
        ({"test": (0.05, 0.05), "spread": 0.0}, "made no clear difference; streams"),
        ({"seeds": 1}, "One seed says little of what the state does for windows; streams"),
        ({"streams": (0.02, 0.02)}, "; streams do better than windows, but nothing here does better than persistence."),
        ({"streams": (0.2, 0.2)}, "; nothing here does better than persistence."),
        ({"test": (0.004, 0.0047), "streams": (0.2, 0.2)}, "; streams do no better than windows, the best of which"),
        ({"test": (0.004, 0.0047), "streams": (0.2, 0.2)}, "have 57% less squared error than persistence."),
    ],
)
def test_the_conclusion_is_one_sentence_that_follows_from_the_numbers(changes, says):
    said = verdict.conclusion(made_up(**changes))
    assert says in said
    assert said.count(". ") == 0
    assert said.endswith(".")


def test_every_sentence_of_a_verdict_has_its_japanese_with_the_same_values():
    placeholders = re.compile(r"\{(\w+)")
    english = verdict.CONCLUSIONS | verdict.ENGLISH
    assert JAPANESE.keys() == english.keys()
    for key, text in english.items():
        assert set(placeholders.findall(JAPANESE[key])) <= set(placeholders.findall(text)), key
    said = headline(verdict.conclusions(made_up()))
    assert said.en == verdict.conclusion(made_up())
    assert said.ja == (
        "窓から窓へ状態を引き継ぐと、誤差は 20% 大きい値になりました。"
        "状態を引き継いで全ステップを採点するストリームは、持続予報より二乗誤差が 16% 小さくなりました。"
    )


def test_what_was_done_to_the_data_is_told():
    reading = datasets.load("nyc")
    text = tables.describe_data(collect(reading.name, reading.frame), 0.2)
    assert text.startswith("nyc: 26,190 readings in 3 series, one every hour, 2013-01-01 to 2013-12-30\n76 missing")
