"""The search over recipes: halving, what stays, what is looked at, and how it goes on after a crash."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from tsuzuki import Forecaster, load
from tsuzuki.cli import app
from tsuzuki.distributed.worker_pool import InProcess, WorkerPool
from tsuzuki.errors import SettingError
from tsuzuki.forecasting import search as module
from tsuzuki.forecasting.settings import Settings

SMALL = {"units": 4, "head": 0, "ensemble": 2, "epochs": 4}


def wave(points):
    steps = np.arange(points)
    values = 20 + 5 * np.sin(2 * np.pi * steps / 24) + np.random.default_rng(0).normal(0, 0.5, points)
    return pd.Series(values, pd.date_range("2024-01-01", periods=points, freq="h"), name="a")


def series_of(frame, settings):
    from tsuzuki.data.covariates import covariate_series

    return covariate_series(settings.long(frame), settings.columns, settings.max_gap, merge=False)


@pytest.fixture
def trained(monkeypatch):
    """Trainings that were asked for; the error of each is that of its units, 8 being the best."""
    asked = []

    def train(series, settings, *, last):
        assert not last
        asked.append((settings, max(one.times[-1] for one in series)))
        return SimpleNamespace(held_out_error=1 + abs(settings.units - 8))

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "RECIPES", tuple({"units": units} for units in (2, 4, 6, 8, 9, 30)))
    return asked


def test_the_better_half_goes_on_for_twice_the_passes_and_the_best_are_built_in(trained):
    settings = Settings(3, units=5, epochs=16, ensemble=4, search=60)
    frame = wave(300)
    found = module.search(series_of(frame, settings), settings)
    assert found.settings.recipes == ((), (("units", 8),), (("units", 9),))
    assert found.settings.units == 5
    assert found.settings.search == 0
    assert [one.share for one in found.trials] == [0.25] * 7 + [0.5] * 4 + [1.0] * 3
    assert [asked.epochs for asked, _ in trained] == [4] * 7 + [8] * 4 + [16] * 3
    assert [asked.ensemble for asked, _ in trained] == [2] * 11 + [4] * 3
    assert found.settings.ensemble == 4
    assert max(last for _, last in trained) == frame.index[-1]


def test_workers_try_several_recipes_at_once_and_come_to_the_same(trained):
    settings = Settings(3, units=5, epochs=16, ensemble=4, search=60)
    series = series_of(wave(300), settings)
    alone = module.search(series, settings)
    with WorkerPool(InProcess, 3) as pool:
        spread = module.search(series, settings, workers=pool)
    assert [replace(one, seconds=0) for one in spread.trials] == [replace(one, seconds=0) for one in alone.trials]
    assert spread.settings == alone.settings
    with WorkerPool(InProcess, 3) as pool:
        hurried = module.search(series, replace(settings, search=1e-9), workers=pool)
    assert [one.recipe for one in hurried.trials] == [{}]


def test_a_base_that_is_hardly_better_does_not_take_over(monkeypatch):
    monkeypatch.setattr(module, "RECIPES", ({"base": "season"},))
    settings = Settings(3, search=60)
    for error, base in ((1.01, "auto"), (1.03, "season")):
        errors = {"season": 1.0, "auto": error}

        def train(series, settings, *, last, errors=errors):
            return SimpleNamespace(held_out_error=errors[settings.base])

        monkeypatch.setattr(module, "train", train)
        found = module.search(series_of(wave(300), settings), settings).settings
        assert (found.base, found.recipes) == (base, ())


def test_no_more_recipes_are_begun_with_than_there_is_time_for(monkeypatch):
    monkeypatch.setattr(module, "RECIPES", tuple({"units": units} for units in range(10, 30)))
    monkeypatch.setattr(
        module,
        "_tried",
        lambda series, settings, recipe, share: module.Trial(recipe, share, 1.0, 1.5 if share < 1 else 9),
    )
    settings = Settings(3, units=5, search=60)
    found = module.search(series_of(wave(300), settings), settings)
    # All rounds of six take as long as 24 trials of the first one, 36 of the 60 seconds.
    assert [one.share for one in found.trials].count(module.FIRST_SHARE) == 6
    hurried = module.search(series_of(wave(300), settings), replace(settings, search=10))
    assert [one.share for one in hurried.trials].count(module.FIRST_SHARE) == module.FEWEST


def trial(error, seconds=1.0, **recipe):
    return module.Trial(recipe, 1.0, error, seconds)


@pytest.mark.parametrize(
    ("trials", "seconds", "expected"),
    [
        # About as good as the settings themselves, which stay, the best first.
        ([trial(1.0, units=8), trial(1.004), trial(1.006, loss="mae"), trial(1.02, units=9)], 9, [{}, 8, "mae"]),
        ([trial(0.5, units=8), trial(1.004), trial(1.02, units=9)], 9, [{}, 8]),
        ([trial(1.0), trial(1.03, units=8)], 9, {}),
        # As many as there is time for.
        ([trial(1.0, units=8), trial(1.001)], 1.5, {}),
        ([trial(1.0, 3.0, units=8), trial(1.001, units=9), trial(1.002)], 2.0, [{}, 9]),
        ([trial(1.0), *(trial(1.0, units=units) for units in range(5, 12))], 99, [{}, 5, 6, 7]),
        # What all networks share stands alone, or not at all.
        ([trial(1.0, base="season"), trial(1.005, units=8), trial(1.03)], 9, "season"),
        ([trial(1.0, base="season"), trial(1.005, units=8), trial(1.006)], 9, [{}, 8]),
        ([], 9, {}),
    ],
)
def test_the_committee_is_built_from_recipes_about_as_good_as_the_best(trials, seconds, expected):
    named = {8: {"units": 8}, "mae": {"loss": "mae"}, "season": {"base": "season"}}

    def said(one):
        return one if one == {} else named.get(one, {"units": one})

    found = module.built_from(trials, Settings(3, search=60), seconds)
    if isinstance(expected, list):
        assert [dict(one) for one in found["recipes"]] == [said(one) for one in expected]
        assert set(found) == {"recipes"}
    else:
        assert found == said(expected)
    Settings(3, **found)


def test_networks_of_quantiles_are_not_mixed_with_losses_of_single_values():
    trials = [trial(1.0, loss="mae"), trial(1.001, units=8), trial(1.002)]
    found = module.built_from(trials, Settings(3, quantiles=(0.1, 0.5, 0.9)), 9)
    assert [dict(one) for one in found["recipes"]] == [{}, {"units": 8}]


def test_a_search_without_time_keeps_the_settings(trained):
    settings = Settings(3, units=5, search=1e-9)
    found = module.search(series_of(wave(300), settings), settings)
    assert found.settings.units == 5
    assert len(trained) == len(found.trials) == 1


def test_trials_that_were_made_are_not_made_again_unless_the_data_are_others(trained, tmp_path):
    settings = Settings(3, units=5, search=60)
    series = series_of(wave(300), settings)
    first = module.search(series, settings, tmp_path / "c")
    count = len(trained)
    assert module.search(series, settings, tmp_path / "c") == first
    assert len(trained) == count
    # Where the search had not come to its end, the trials that were made are not made again.
    kept = json.loads((tmp_path / "c.trials").read_text())
    (tmp_path / "c.trials").write_text(json.dumps(kept | {"trials": kept["trials"][:5], "chosen": None}))
    again = module.search(series, settings, tmp_path / "c")
    assert again.settings == first.settings
    assert [one.recipe for one in again.trials] == [one.recipe for one in first.trials]
    assert len(trained) == 2 * count - 5
    trained.clear()
    module.search(series_of(wave(301), settings), settings, tmp_path / "c")
    assert len(trained) == count


@pytest.mark.parametrize("content", ["", "[]", '{"of": 1}', '{"trials": [1]}'])
def test_a_spoiled_file_of_trials_is_begun_anew(trained, tmp_path, content):
    (tmp_path / "c.trials").write_text(content)
    settings = Settings(3, units=5, search=60)
    assert len(module.search(series_of(wave(300), settings), settings, tmp_path / "c").trials) == len(trained) > 0


def test_a_large_panel_is_searched_on_some_series_and_a_long_one_on_its_end(trained, monkeypatch):
    monkeypatch.setattr(module, "POINTS", 100)
    settings = Settings(3, units=5, search=60)
    series = series_of(wave(300), settings)
    assert [len(one.values) for one in module._sample(series, settings)] == [100]
    assert len(module._sample(series * 8, settings)) == 1


def test_a_forecaster_is_trained_with_what_the_search_found(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "RECIPES", ({"units": 6}, {"learning_rate": 1e-2}))
    forecaster = Forecaster(3, search=30.0, **SMALL).fit(wave(300))
    trials = forecaster.trials_
    assert trials["recipe"].isin(["as given", "units=6", "learning_rate=0.01"]).all()
    assert (trials["error"] > 0).all()
    assert len(forecaster.fitted.members) == forecaster.settings.networks
    forecaster.save(tmp_path / "m")
    assert load(tmp_path / "m").predict().equals(forecaster.predict())


def test_a_search_that_was_broken_off_ends_as_a_fit_of_the_recipes_that_it_found(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "RECIPES", ({"units": 6}, {"learning_rate": 1e-2}))
    monkeypatch.setattr(module, "CLOSE", 10.0)
    monkeypatch.setattr(module, "BETTER", 0.0)
    heard = []

    def break_off(share):
        heard.append(share)
        if len(heard) == 5:
            raise KeyboardInterrupt

    asked = {"checkpoint": tmp_path / "c", "every": "0.001"}
    with pytest.raises(KeyboardInterrupt):
        Forecaster(3, search=60, **SMALL).fit(wave(200), on_progress=break_off, **asked)
    monkeypatch.setattr(module, "_tried", None)
    found = Forecaster(3, search=60, **SMALL).fit(wave(200), **asked)
    assert len(found.settings.recipes) == 2
    assert found.settings.recipes[0] == ()
    expected = Forecaster(3, recipes=found.settings.recipes, **SMALL).fit(wave(200))
    assert expected.predict().equals(found.predict())
    assert expected.settings == found.settings


def test_what_was_not_searched_says_so():
    with pytest.raises(SettingError, match="has searched nothing; give seconds, search=60"):
        _ = Forecaster(3, **SMALL).fit(wave(100)).trials_
    with pytest.raises(SettingError, match="search is -1; give seconds"):
        Forecaster(3, search=-1)


@pytest.mark.parametrize("seconds", ["0", "-1"])
def test_the_command_is_given_time_to_search_in(seconds, tmp_path):
    found = CliRunner().invoke(app, ["search", "beijing", "--seconds", seconds, "-o", str(tmp_path / "model")])
    assert found.exit_code == 2
    assert f"--seconds is {seconds}; give a time above 0" in found.output
    assert not list(tmp_path.iterdir())
